"""SQS: the port `domain.ports.EventQueue` on boto3."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.fields import Fields, UnreadableError
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.ports.protocols import Message

log = logging.getLogger(__name__)

_AT_ONCE = 10
_WAIT_S, _SHORTEST_S = 10, 1
"""Long polls, shorter than the clients' read timeout."""
_DIGITS = 14
"""Of a time in milliseconds, to the year 5138."""
_REGION = re.compile(r"https?://(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-[0-9])\.")


class BotoEventQueue:
    """One queue, read with some access."""

    def __init__(self, caller: Caller, access: Access, url: str, load: Callable[[], float] = lambda: 0.0) -> None:
        """`caller` has threads of its own: a long poll blocks one for ten seconds. `load` returns the number of polls per thread."""
        found = _REGION.match(url)
        region = found[1] if found else access.region
        self._caller = caller
        self._access = Access(access.account_id, region, access.role_arn, access.external_id)
        self._url = url
        self._load = load

    async def receive(self) -> list[Message]:
        """Wait for up to ten seconds, and return at most ten messages. If queues take turns, each is polled in about that time."""
        parameters = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": _AT_ONCE,
            "WaitTimeSeconds": max(_SHORTEST_S, int(_WAIT_S / max(1.0, self._load()))),
            "MessageSystemAttributeNames": ["SentTimestamp"],
        }
        found: list[Message] = await self._call("receive_message", parameters, parse=_messages)
        return found

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages (at most ten). A message that is not deleted comes again, to the process that acts then."""
        entries = [{"Id": str(n), "ReceiptHandle": m.handle} for n, m in enumerate(messages)]
        await self._call("delete_message_batch", {"QueueUrl": self._url, "Entries": entries}, mutating=True)

    async def _call(
        self, method: str, parameters: Mapping[str, Any], *, mutating: bool = False, parse: Callable[[Any], Any] | None = None
    ) -> Any:
        return await self._caller.call(
            self._access, "sqs", method, pacing.QUEUE, what=self._url, mutating=mutating, parameters=parameters, parse=parse
        )


def _messages(answer: Any) -> list[Message]:
    """Read ReceiveMessage. A message that cannot be read cannot be deleted either: it comes again, and the others are taken."""
    found: list[Message] = []
    for raw in Fields(answer).parts("Messages"):
        try:
            found.append(_message(raw))
        except UnreadableError as error:
            log.warning("a message of a queue cannot be read: %s", error)
    return found


def _message(raw: Fields) -> Message:
    """Read a message. Anybody who may send may have written it, so that an odd time is none, and an odd body is no event."""
    body, sent = raw.raw.get("Body"), raw.part("Attributes").text("SentTimestamp")
    sent_at = datetime.fromtimestamp(int(sent) / 1000, UTC) if len(sent) <= _DIGITS and sent.isascii() and sent.isdigit() else None
    return Message(body if isinstance(body, str) else "", raw.text("ReceiptHandle", None), sent_at)
