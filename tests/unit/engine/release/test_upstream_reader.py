"""What runs where releases are promoted from, if nothing is proven there: it failed, or it is not known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.domain.decision.facts import UpstreamState
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.release.upstream_reader import UpstreamReader
from ecs_release.engine.store.store import Store
from tests.builders.facts import facts
from tests.builders.objects import environment, environment_object, release_object


def ready(status: str, reason: str) -> list[dict[str, Any]]:
    return [{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T12:00:00Z"}]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"conditions": ready("False", "RolledBack"), "rollout": {"attemptID": "a", "outcome": "RolledBack"}}, UpstreamState.UNPROVEN),
        ({"conditions": ready("False", "Drifted")}, UpstreamState.UNPROVEN),
        ({"conditions": ready("Unknown", "RollingOut"), "rollout": {"attemptID": "a"}}, UpstreamState.MOVING),
        ({"conditions": ready("Unknown", "ObservationFailed")}, UpstreamState.MOVING),
    ],
)
async def test_what_cannot_be_observed_there_has_not_failed(status: dict[str, Any], state: UpstreamState) -> None:
    store = Store()
    for name in ("prod", "staging"):
        store.changed(ENVIRONMENT, environment_object(name))
    store.changed(RELEASE, release_object("web"))
    there = release_object("web", status=status, environmentRef={"name": "staging"})
    store.changed(RELEASE, there | {"metadata": {**there["metadata"], "name": "web-staging", "uid": "u2"}})
    reader = UpstreamReader(SimpleNamespace(store=store), None)  # type: ignore[arg-type]
    given = facts(environment=environment(promotion={"from": {"name": "staging"}, "overdueAfterSeconds": 7200}))
    assert (await reader.read(ObjectKey(RELEASE, "shop", "web"), given)).state is state
