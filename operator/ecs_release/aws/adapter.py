"""The port `domain.ports.Aws` on boto3."""

from __future__ import annotations

from ecs_release.aws.clients.ecs import BotoEcs
from ecs_release.aws.clients.sinks import BotoEventBus, BotoTopic
from ecs_release.aws.clients.sqs import BotoEventQueue
from ecs_release.aws.ledger.dynamodb import BotoLedger
from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller, OnCall, ignore_call
from ecs_release.aws.sessions.fields import parse_identity
from ecs_release.aws.sessions.pacing import OnWait, Pacing, ignore_wait
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Denied
from ecs_release.domain.ports.ledger import Ledger
from ecs_release.domain.ports.protocols import Clock, Ecs, EventQueue, Fence, Registry, Sink

_QUEUES = 64
"""Queues that are read concurrently, each in a thread of its own; if there are more they take turns, with shorter polls."""
_SINKS, _SINK_S = 256, 40
"""Concurrent sends to sinks, and the deadline of each in seconds. An Environment sends one at a time: sinks that do not answer hold a
thread each, and delay no other. Threads are made as they are needed, so that there are few where all answer."""
_LEDGER, _LEDGER_S = 6, 40
"""Concurrent calls of the ledger, and the deadline of each in seconds: releases go on while it does not answer."""


class BotoAws:
    """AWS on boto3. One for each process."""

    def __init__(
        self,
        clock: Clock,
        *,
        version: str,
        session_name: str,
        threads: int = 24,
        share: float = 0.5,
        on_call: OnCall = ignore_call,
        on_wait: OnWait = ignore_wait,
        fence: Fence | None = None,
        operators: int = 1,
    ) -> None:
        """`session_name` is what CloudTrail shows; `share` of AWS's published request rates is used, ECR's divided among `operators`."""
        self._threads = Threads(threads)
        sessions = Sessions(f"ecs-release-operator/{version}", session_name, max(threads, _QUEUES), fence)
        pacing_of_all = Pacing(clock, share, on_wait=on_wait, operators=operators)
        self._caller = Caller(sessions, self._threads, pacing_of_all, on_call)
        # A long poll holds a thread for ten seconds: queues have threads of their own.
        self._polling = Threads(_QUEUES, deadline_s=120)
        self._poller = Caller(sessions, self._polling, pacing_of_all, on_call)
        self._sending = Threads(_SINKS, deadline_s=_SINK_S)
        self._sender = Caller(sessions, self._sending, pacing_of_all, on_call)
        self._recording = Threads(_LEDGER, deadline_s=_LEDGER_S)
        self._recorder = Caller(sessions, self._recording, pacing_of_all, on_call)
        self._ecs: dict[Access, BotoEcs] = {}
        self._registries: dict[tuple[Access, str, str], BotoRegistry] = {}

    def ecs(self, access: Access) -> Ecs:
        """Return ECS in the access's account and region."""
        if access not in self._ecs:
            self._ecs[access] = BotoEcs(self._caller, access)
        return self._ecs[access]

    def registry(self, access: Access, registry_id: str, region: str) -> Registry:
        """Return an ECR registry, read with an access."""
        key = (access, registry_id, region)
        if key not in self._registries:
            self._registries[key] = BotoRegistry(self._caller, access, registry_id, region)
        return self._registries[key]

    def event_queue(self, access: Access, url: str) -> EventQueue:
        """Return an SQS queue."""
        return BotoEventQueue(self._poller, access, url, lambda: self._polling.load)

    def sink(self, access: Access, arn: str) -> Sink:
        """Return an SNS topic or an EventBridge event bus."""
        return BotoEventBus(self._sender, access, arn) if arn.split(":")[2] == "events" else BotoTopic(self._sender, access, arn)

    def ledger(self, access: Access, table: str, *, create: bool = False) -> Ledger:
        """Return the ledger in a DynamoDB table. Call it once: the ledger caches release numbers."""
        return BotoLedger(self._recorder, access, table, create=create)

    async def caller(self, access: Access) -> str:
        """Return the ARN of the caller identity.

        Raises Denied if the account is not the Environment's: a wrong role would deploy to the wrong place.
        """
        account, arn = await self._caller.call(access, "sts", "get_caller_identity", pacing.IDENTITY, parameters={}, parse=parse_identity)
        if account != access.account_id:
            raise Denied(
                f"the role leads to account {account} ({arn}), but spec.aws.accountID is {access.account_id}:"
                " correct spec.aws.roleARN or create another Environment"
            )
        return str(arn)

    def close(self) -> None:
        """Take no more calls."""
        self._threads.close()
        self._polling.close()
        self._sending.close()
        self._recording.close()
