"""Events of ECS and ECR through EventBridge rules to SQS, with the account that moto leaves out. Best effort, as AWS's: switches lose,
double and reorder them. Amazon EventBridge user guide, "AWS service event metadata"; shapes: ECS and ECR user guides."""

from __future__ import annotations

import json
import random
import sys
import uuid
from datetime import datetime
from typing import Any

from moto.events.models import events_backends
from moto.sqs.models import sqs_backends

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.world import WORLD

_HELD_MOST = 3


class _Held:
    """Events that wait to go out of order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.chance = random.Random(WORLD.seed)


_held = _Held()


def begin() -> None:
    """Begin anew, with the world's seed."""
    _held.__init__()  # type: ignore[misc]


def emit_ecs(account: str, region: str, kind: str, resource: str, detail: dict[str, Any], at: float) -> None:
    """Send an event of ECS. Its detail says when, under the name that its kind has for it."""
    stamped = {"ECS Deployment State Change": "updatedAt", "ECS Service Action": "createdAt"}.get(kind)
    if stamped is not None:
        detail = {**detail, stamped: at}
    timed = {k: _iso(v) if k.endswith("At") else v for k, v in detail.items() if k != "healthStatus"}
    for container in timed.get("containers") or ():
        container.pop("healthStatus", None)
    _send(account, region, "aws.ecs", kind, [resource], timed, at)


def emit_image(
    account: str, region: str, repository: str, digest: str, tag: str | None, media_type: str | None, action: str = "PUSH"
) -> None:
    """Send ECR Image Action; a retag is a PUSH, too."""
    detail = {"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": action}
    if media_type is not None:
        detail["manifest-media-type"] = media_type
    if tag is not None:
        detail["image-tag"] = tag
    _send(account, region, "aws.ecr", "ECR Image Action", [], detail, WORLD.clock.now())


def emit_call(
    account: str, region: str, service: str, action: str, caller: str, user_agent: str, parameters: dict[str, Any],
    answer: dict[str, Any], error: str,
) -> None:  # fmt: skip
    """Send AWS API Call via CloudTrail. A call that failed has an errorCode, and changed nothing."""
    detail: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "AssumedRole" if ":assumed-role/" in caller else "IAMUser", "arn": caller, "accountId": account},
        "eventTime": _iso(WORLD.clock.now(), "seconds"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "userAgent": user_agent,
        "requestParameters": parameters,
        "responseElements": None if error else answer,
    } | ({"errorCode": error} if error else {})
    _send(account, region, f"aws.{service}", "AWS API Call via CloudTrail", [], detail, WORLD.clock.now())


def forget(rule: str) -> None:
    """Remove a rule from all default buses."""
    for regions in events_backends.values():
        for backend in regions.values():
            backend.event_buses["default"].rules.pop(rule, None)


def flush() -> None:
    """Send what waits to be reordered, newest first."""
    held, _held.events = _held.events, []
    for account, region, event in reversed(held):
        _deliver(account, region, event)


def _send(account: str, region: str, source: str, kind: str, resources: list[str], detail: dict[str, Any], at: float) -> None:
    if not _rules(account, region):
        return
    event = {
        "version": "0",
        "id": str(uuid.UUID(int=_held.chance.getrandbits(128), version=4)),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": _iso(at, "seconds"),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
    switches = WORLD.switches
    if switches.lose_events and _held.chance.random() < switches.lose_events:
        return
    if switches.reorder_events:
        _held.events.append((account, region, event))
        if len(_held.events) >= _HELD_MOST:
            flush()
        return
    for _ in range(2 if switches.double_events else 1):
        _deliver(account, region, event)


def _rules(account: str, region: str) -> list[Any]:
    # Looking must not make a backend for every account that has events.
    bus = events_backends[account][region].event_buses.get("default") if account in events_backends else None
    return list(bus.rules.values()) if bus is not None else []


def _deliver(account: str, region: str, event: dict[str, Any]) -> None:
    for rule in _rules(account, region):
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
            continue
        for target in rule.targets:
            _, _, service, target_region, target_account, name = target["Arn"].split(":", 5)
            if service != "sqs":
                continue
            try:
                sqs_backends[target_account][target_region].send_message(name, json.dumps(event))
            except Exception as error:
                # AWS drops what it cannot deliver; the call that caused the event must not fail.
                print(f"aws simulator: no event to {target['Arn']}: {type(error).__name__}: {error}", file=sys.stderr)


def _iso(value: Any, precision: str = "milliseconds") -> str:
    moment = value if isinstance(value, datetime) else as_time(value)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
