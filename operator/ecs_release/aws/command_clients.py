"""AWS clients for commands of the kubectl plugin: those of the operator, and two calls that only commands need."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ecs_release.aws.clients.ecs import BotoEcs
from ecs_release.aws.clients.ecs_responses import page_of
from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.fields import parse_identity
from ecs_release.aws.sessions.pacing import Pacing
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Blocked

_SHARE, _THREADS, _PAGES = 0.25, 8, 100


class _Clock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class CommandClients:
    """AWS clients by access. Close it at the end."""

    def __init__(self, version: str, session_name: str) -> None:
        """`session_name` is what CloudTrail shows. A quarter of AWS's rates is used: the operator uses the same rates."""
        self._threads = Threads(_THREADS)
        sessions = Sessions(f"kubectl-ecs-release/{version}", session_name, _THREADS)
        self._caller = Caller(sessions, self._threads, Pacing(_Clock(), _SHARE))

    def ecs(self, access: Access) -> BotoEcs:
        """Return ECS in the access's account and region."""
        return BotoEcs(self._caller, access)

    def registry(self, access: Access, registry_id: str, region: str) -> BotoRegistry:
        """Return an ECR registry."""
        return BotoRegistry(self._caller, access, registry_id, region)

    async def account(self, access: Access) -> str:
        """Return the account that the access leads to (GetCallerIdentity). Raises Problem."""
        account, _ = await self._caller.call(access, "sts", "get_caller_identity", pacing.IDENTITY, parameters={}, parse=parse_identity)
        return str(account)

    async def service_names(self, access: Access, cluster: str) -> list[str]:
        """List the names of a cluster's services, in order. Raises Problem."""
        found: list[str] = []
        parameters: dict[str, object] = {"cluster": cluster, "maxResults": 100}
        for _ in range(_PAGES):
            page, token = await self._caller.call(
                access, "ecs", "list_services", pacing.CLUSTER_RESOURCE_READ, what=f"services in {cluster}", parameters=parameters,
                parse=page_of("serviceArns"),
            )  # fmt: skip
            found += [arn.rpartition("/")[2] for arn in page]
            if not token:
                return sorted(set(found))
            parameters["nextToken"] = token
        raise Blocked("TooMany", f"cluster {cluster!r} has more than {_PAGES * 100} services")

    def close(self) -> None:
        """Take no more calls."""
        self._threads.close()
