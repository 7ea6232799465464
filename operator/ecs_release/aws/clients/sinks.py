"""SNS and EventBridge: the port `domain.ports.Sink` on boto3.

Neither call deploys anything, and a notification that is sent twice has the same id. So the engine sends again after an ambiguous answer;
the SDK sends once, as with all mutating calls, because a process without its Lease must not send at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, takewhile
from typing import Any

from botocore.exceptions import ClientError

from ecs_release.api.notification import Notification
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.error_codes import problem_of
from ecs_release.aws.sessions.fields import Fields
from ecs_release.domain.ecs.service import Access

EVENT_SOURCE = "dev.ecs-release"
"""`Source` of the events; only AWS's own begin with `aws.`."""
_AT_ONCE, _SIZE = 10, 200_000
"""Entries and bytes of one PutEvents; AWS takes 256 KiB, names and times included (API reference, PutEvents)."""


def _in_region_of(arn: str, access: Access) -> Access:
    return replace(access, region=arn.split(":")[3] or access.region)


class BotoTopic:
    """An SNS topic, standard or FIFO: the message is the notification; fields that subscribers may filter by are also attributes."""

    def __init__(self, caller: Caller, access: Access, arn: str) -> None:
        """`caller` has threads of its own: a topic that does not answer blocks one for long."""
        self._caller = caller
        self._access = _in_region_of(arn, access)
        self._arn = arn

    async def send(self, notifications: Sequence[Notification]) -> int:
        """Publish the first. Returns 1. Raises Problem."""
        first = notifications[0]
        parameters: dict[str, Any] = {"TopicArn": self._arn, "Message": first.to_json(), "MessageAttributes": _attributes(first)}
        if self._arn.endswith(".fifo"):
            # In order for each Release; SNS drops a duplicate within five minutes.
            parameters |= {"MessageGroupId": f"{first.data.namespace}/{first.data.name}", "MessageDeduplicationId": first.id}
        await self._caller.call(self._access, "sns", "publish", pacing.TOPIC, what=self._arn, mutating=True, parameters=parameters)
        return 1


class BotoEventBus:
    """An EventBridge event bus: the detail is the notification, its type the detail-type."""

    def __init__(self, caller: Caller, access: Access, arn: str) -> None:
        """`caller` has threads of its own: a bus that does not answer blocks one for long."""
        self._caller = caller
        self._access = _in_region_of(arn, access)
        self._arn = arn

    async def send(self, notifications: Sequence[Notification]) -> int:
        """Put some as events. Returns how many were accepted. Raises Problem if the first is refused."""
        entries = _fitting(self._entry(n) for n in notifications[:_AT_ONCE])
        accepted: int = await self._caller.call(
            self._access, "events", "put_events", pacing.EVENT_BUS, what=self._arn, mutating=True, parameters={"Entries": entries},
            parse=partial(_accepted, sent=len(entries), arn=self._arn),
        )  # fmt: skip
        return accepted

    def _entry(self, notification: Notification) -> dict[str, Any]:
        service = notification.data.target.service_arn
        return {
            "Source": EVENT_SOURCE,
            "DetailType": notification.type,
            "Detail": notification.to_json(),
            "Time": notification.time,
            "EventBusName": self._arn,
            "Resources": [service] if service else [],
        }


def _accepted(raw: Any, sent: int, arn: str) -> int:
    """Return how many of the first entries PutEvents has accepted. Raises Problem if the first is refused."""
    answer = Fields(raw)
    if not answer.count("FailedEntryCount"):
        return sent
    entries = answer.needed_parts("Entries")
    accepted = list(takewhile(lambda entry: not entry.text("ErrorCode"), entries))
    if not accepted:
        error = ClientError({"Error": {"Code": entries[0].text("ErrorCode"), "Message": entries[0].text("ErrorMessage")}}, "PutEvents")
        raise problem_of(error, f"events:PutEvents on {arn}", mutating=True)
    return len(accepted)


def _fitting(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first entries that fit into one request; one always does."""
    found = list(entries)
    sizes = list(accumulate(len(entry["Detail"]) for entry in found))
    return found[: max(1, sum(size <= _SIZE for size in sizes))]


def _attributes(notification: Notification) -> Mapping[str, Any]:
    """Return the attributes for SNS filter policies; an attribute must not be empty."""
    data = notification.data
    values = {
        "type": notification.type,
        "environment": data.environment,
        "kind": data.kind,
        "namespace": data.namespace,
        "project": data.project,
        "service": data.service,
        "releaseSet": data.release_set,
        "cause": data.cause,
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
