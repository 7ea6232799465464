"""Verdicts are the same whatever an endpoint leaves out: the service-deployment API, or which deployment started a task."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.model.run import Run, Trace
from tests.model.traces import WHOLE
from tests.model.walker import make_up

LESS: dict[str, dict[str, Any]] = {
    "no service-deployment API": {"has_deployments_api": False},
    "tasks name the service": {"starts_by_service": True},
    "neither": {"has_deployments_api": False, "starts_by_service": True},
}
_CHANCE = ("lag", "fault", "outage", "crash", "hand_over", "answer_hook")
"""What depends on how many calls were made before, which is not the same then."""


def verdicts(trace: Trace, **switches: Any) -> list[tuple[Any, ...]]:
    """How each Release stands in the end, and how all attempts ended."""
    found = []
    with Run(dataclasses.replace(trace.switches, **switches), trace.seed) as run:
        for action in (*trace.actions, ("rest",)):
            if action[0] not in _CHANCE:
                run.apply(action)
        for _, body in run.scene.objects.of_kind("Release"):
            status = body.get("status") or {}
            ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), {})
            ends = [entry.get("outcome") for entry in status.get("history") or ()]
            found.append((body["metadata"]["name"], ready.get("status"), ready.get("reason"), ends))
    return found


TRACES = {name: Trace(s.switches, 0, s.actions) for name, s in WHOLE.items()} | {
    f"made up from {seed}": make_up(seed) for seed in range(1000, 1016)
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, trace in TRACES.items() if not trace.switches.pauses])
def test_verdicts_are_the_same(name: str) -> None:
    whole = {"has_deployments_api": True, "starts_by_service": False}

    found = {what: verdicts(TRACES[name], **whole | less) for what, less in LESS.items()}

    assert found == dict.fromkeys(LESS, verdicts(TRACES[name], **whole))
