"""Events of ECS and ECR through EventBridge to SQS, with the account that moto leaves out."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime
from typing import Any

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.world import WORLD

_held: list[tuple[str, str, dict[str, Any]]] = []
_random = random.Random(1)


def emit_ecs(account: str, region: str, kind: str, detail: dict[str, Any]) -> None:
    """Send an event of ECS."""
    resource = detail.pop("resource")
    if "task" in detail:
        detail = _task_detail(detail)
    else:
        time = "updatedAt" if kind == "ECS Deployment State Change" else "createdAt"
        detail[time] = _iso(WORLD.clock.now())
    _send(account, region, "aws.ecs", kind, [resource], detail)


def emit_image(account: str, region: str, repository: str, digest: str, tag: str | None, media_type: str) -> None:
    """Send ECR Image Action of a push."""
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "manifest-media-type": media_type,
    }
    if tag is not None:
        detail["image-tag"] = tag
    _send(account, region, "aws.ecr", "ECR Image Action", [], detail)


def _task_detail(detail: dict[str, Any]) -> dict[str, Any]:
    from tests.aws_simulator.ecs.views import task_view

    view = task_view(detail["task"], detail["service"], detail["clusterArn"])
    return {k: v.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(v, datetime) else v for k, v in view.items()}


def _send(account: str, region: str, source: str, kind: str, resources: list[str], detail: dict[str, Any]) -> None:
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": _iso(WORLD.clock.now()),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
    switches = WORLD.switches
    if switches.lose_events and _random.random() < switches.lose_events:
        return
    if switches.reorder_events:
        _held.append((account, region, event))
        if len(_held) < 3:
            return
        for held in reversed(_held):
            _deliver(*held)
        _held.clear()
        return
    for _ in range(2 if switches.double_events else 1):
        _deliver(account, region, event)


def _deliver(account: str, region: str, event: dict[str, Any]) -> None:
    from moto.events.models import events_backends
    from moto.sqs.models import sqs_backends

    bus = events_backends[account][region].event_buses.get("default")
    for rule in list(bus.rules.values()) if bus else ():
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
            continue
        for target in rule.targets:
            _, _, service, target_region, target_account, name = target["Arn"].split(":", 5)
            if service == "sqs":
                sqs_backends[target_account][target_region].send_message(name, json.dumps(event))


def _iso(time: float) -> str:
    return as_time(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
