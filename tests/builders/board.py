"""Releases of a board, in every phase; a clock; and the same in another namespace."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.unit.cli.kubectl.objects import NOW, ROLLED_BACK, ROLLING, conditions, release

DRIFTED = {"phase": "Drifted", "conditions": conditions("Drifted", "something else runs", stalled="True")}
UNHEALTHY = {"phase": "Failed", "conditions": conditions("TasksUnhealthy", "1 of 2 run")}

RELEASES = [
    release("web"),
    release("web", environment="production", wanted="a"),
    release("search", runs={"a": 2}, readiness=DRIFTED),
    release("checkout", runs={"a": 2}, readiness=ROLLED_BACK),
    release("mail", runs={"a": 1, "b": 1}, readiness=ROLLING),
    release("cart", readiness=UNHEALTHY),
    release("new", runs={}, generation=2),
]


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


def elsewhere(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}
