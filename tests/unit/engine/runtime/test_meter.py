"""What happened is told when the status that says it was accepted: once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ecs_release.domain.model.errors import Conflict
from ecs_release.domain.notifications.transitions import Transition
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.runtime.meter import metered
from tests.builders.reconciled_release import DONE, RELEASE, ReconciledRelease
from tests.builders.simulated_time import SimulatedClock, run_simulated


class Told:
    """A meter that remembers."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, str]] = []
        self.passes: list[tuple[str, str, float]] = []

    def happened(self, kind: str, environment: str, happenings: Sequence[Transition]) -> None:
        self.ended += [(kind, environment, one.outcome) for one in happenings]

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        self.passes.append((kind, result, seconds))


class RecordedWorld(ReconciledRelease):
    """Its Release's attempt is in the history from its beginning, as every attempt is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rollout = self.body["status"]["rollout"]
        known = {k: rollout[k] for k in ("attemptID", "sourceHash", "startTime", "deploymentID", "taskDefinition")}
        self.body["status"]["history"] = [{**known, "cause": "Requested"}]
        self.told = Told()
        self.reconciler._meter = self.told
        self.conflicts = 0

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("moved on")
        return await super().write_status(key, status, **more)


async def test_an_attempt_is_told_once() -> None:
    world = RecordedWorld()
    await world.passes("SCALE_UP", 0.0)
    assert world.told.ended == []
    await world.passes("CLEAN_UP", 100.0, seen=DONE, minutes=5)
    assert world.told.ended == [("Release", "prod", "Succeeded")]
    world.reconciler.forget(RELEASE)
    await world.passes("CLEAN_UP", 100.0, seen=DONE, minutes=5)
    assert len(world.told.ended) == 1, "a restart finds it in status already"


async def test_a_write_that_is_not_accepted_tells_nothing() -> None:
    world = RecordedWorld()
    await world.passes("SCALE_UP", 0.0)
    world.conflicts = 3
    await world.passes("CLEAN_UP", 100.0, seen=DONE, minutes=1)
    assert (world.conflicts, world.told.ended) == (1, [])
    await world.passes("CLEAN_UP", 100.0, seen=DONE, minutes=5)
    assert (world.conflicts, len(world.told.ended)) == (0, 1)


@pytest.mark.parametrize("result", ["ok", "retry", "error"])
def test_reconciliations_are_told(result: str) -> None:
    told = Told()

    async def handle(_: ObjectKey) -> str:
        await asyncio.sleep(2)
        if result == "error":
            raise KeyError("a bug of ours")
        return result

    async def main() -> None:
        try:
            await metered(handle, told, SimulatedClock())(RELEASE)
        except KeyError:
            assert result == "error"

    run_simulated(main())
    assert told.passes == [("Release", result, pytest.approx(2))]
