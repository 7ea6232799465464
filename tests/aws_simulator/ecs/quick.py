"""DescribeServices without moto's way through botocore's model: a sweep of thousands of services would else measure the simulator."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from moto.ecs.models import ecs_backends

from tests.aws_simulator.ecs.errors import EcsError
from tests.aws_simulator.ecs.models import SimulatedEcsBackend
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.request import Request
from tests.aws_simulator.world import WORLD

_MOST = 10
_EVENTS = '"@events@"'


def describe_services(request: Request) -> bytes | None:
    """Answer in JSON; None where the question is a special one, which moto's way answers."""
    names, cluster = request.parameters.get("services") or [], request.parameters.get("cluster")
    if (
        request.action != "DescribeServices"
        or request.parameters.get("include")
        or not 0 < len(names) <= _MOST
        or WORLD.switches.hide_events
    ):
        return None
    backend: SimulatedEcsBackend = ecs_backends[request.account][request.region]
    try:
        found = [(name, backend.sim_find(cluster, name)) for name in names if not name.startswith("arn:")]
    except EcsError:
        return None
    if len(found) < len(names) or any(service is None for _, service in found):
        return None
    services = ", ".join(_text(backend.sim_describe(service), service) for _, service in found if service is not None)
    return f'{{"services": [{services}], "failures": []}}'.encode()


def _text(view: dict[str, Any], service: Service) -> str:
    return json.dumps({**view, "events": "@events@"}, default=_time).replace(_EVENTS, _events(service), 1)


def _events(service: Service) -> str:
    """Write a service's events, once for as long as there are no new ones."""
    voice = service.voice
    state = (voice.events[0]["id"] if voice.events else "", len(voice.events))
    if voice.written is None or voice.written[0] != state:
        voice.written = (state, json.dumps(list(voice.events), default=_time))
    return voice.written[1]


def _time(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is no JSON")
