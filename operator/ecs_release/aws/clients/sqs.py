"""SQS: the port `domain.ports.EventQueue` on boto3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.ports.protocols import Message

_AT_ONCE = 10
_WAIT_S, _SHORTEST_S = 10, 1
"""Less than the clients' read timeout; ten messages come at once, whoever waits."""
_REGION = re.compile(r"https?://(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-[0-9])\.")


class BotoEventQueue:
    """One queue, read with some access."""

    def __init__(self, caller: Caller, access: Access, url: str, load: Callable[[], float] = lambda: 0.0) -> None:
        """`caller` has threads of its own: a long poll holds one for ten seconds. `load` tells how many polls there are a thread."""
        found = _REGION.match(url)
        region = found[1] if found else access.region
        self._caller = caller
        self._access = Access(access.account_id, region, access.role_arn, access.external_id)
        self._url = url
        self._load = load

    async def receive(self) -> list[Message]:
        """Wait for up to ten seconds, and return at most ten messages. Where queues take turns, all have theirs in about that time."""
        parameters = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": _AT_ONCE,
            "WaitTimeSeconds": max(_SHORTEST_S, int(_WAIT_S / max(1.0, self._load()))),
            "MessageSystemAttributeNames": ["SentTimestamp"],
        }
        answer = await self._call("receive_message", parameters)
        return [_message(raw) for raw in answer.get("Messages") or ()]

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages (at most ten). One that is not deleted comes again: to whoever acts then, where it is this process no longer."""
        entries = [{"Id": str(n), "ReceiptHandle": m.handle} for n, m in enumerate(messages)]
        await self._call("delete_message_batch", {"QueueUrl": self._url, "Entries": entries}, mutating=True)

    async def _call(self, method: str, parameters: Mapping[str, Any], *, mutating: bool = False) -> Any:
        return await self._caller.call(self._access, "sqs", method, pacing.QUEUE, what=self._url, mutating=mutating, parameters=parameters)


def _message(raw: Mapping[str, Any]) -> Message:
    sent = (raw.get("Attributes") or {}).get("SentTimestamp", "")
    sent_at = datetime.fromtimestamp(int(sent) / 1000, UTC) if sent.isdigit() else None
    return Message(raw.get("Body", ""), raw["ReceiptHandle"], sent_at)
