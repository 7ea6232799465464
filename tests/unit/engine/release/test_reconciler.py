"""A canary's whole way, pass by pass: each stage is shown, a pause of a day costs nothing, and what is stuck still ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.model.conditions import find
from tests.builders.reconciled_release import CANARY, DONE, RELEASE, ReconciledRelease


@pytest.fixture
def world() -> ReconciledRelease:
    return ReconciledRelease()


DAY = 24 * 60


async def test_a_canary_is_shown_stage_by_stage(world: ReconciledRelease) -> None:
    assert await world.passes("SCALE_UP", 0.0) == ("RollingOut", "SCALE_UP", 0)
    assert await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC") == ("AwaitingHook", "POST_SCALE_UP", 0)
    assert await world.passes("POST_SCALE_UP", 0.0, minutes=25) == ("RollingOut", "POST_SCALE_UP", 0)
    # The canary's bake of 10 minutes has no stage of its own: it is added to the 30 minutes of the deadline.
    assert await world.passes("PRODUCTION_TRAFFIC_SHIFT", 5.0, minutes=39) == ("RollingOut", "PRODUCTION_TRAFFIC_SHIFT", 5)
    assert await world.passes("BAKE_TIME", 100.0, minutes=DAY) == ("RollingOut", "BAKE_TIME", 100)
    assert await world.passes("CLEAN_UP", 100.0, seen=DONE) == ("Succeeded", "COMPLETED", None)


@pytest.mark.parametrize(("stage", "traffic", "minutes"), [("POST_SCALE_UP", 0.0, 31), ("PRODUCTION_TRAFFIC_SHIFT", 5.0, 41)])
async def test_the_deadline_runs_again_after_a_pause(world: ReconciledRelease, stage: str, traffic: float, minutes: float) -> None:
    await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC")
    assert (await world.passes(stage, traffic, minutes=minutes + 1))[0] == "DeadlineExceeded"
    # Still followed: it comes up late.
    assert (await world.passes("CLEAN_UP", 100.0, seen=DONE))[0] == "Succeeded"


async def test_a_restart_in_a_pause_forgets_nothing(world: ReconciledRelease) -> None:
    await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC")
    world.reconciler.forget(RELEASE)
    assert (await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC"))[0] == "AwaitingHook"


async def test_without_the_api_a_canary_is_judged_all_the_same(world: ReconciledRelease) -> None:
    world.ecs.told = None
    for seen, reason in ((CANARY, "RollingOut"), (DONE, "Succeeded")):
        world.seen, world.time = seen, world.time + timedelta(minutes=5)
        await world.reconciler.reconcile(RELEASE)
        ready = find(ReleaseStatus.model_validate(world.body["status"]).conditions, "Ready")
        assert ready is not None
        assert ready.reason == reason


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_restart_does_not_put_the_deadline_off(world: ReconciledRelease, restarts: bool) -> None:
    """30 minutes. Each pass is another process's, and the API answers every other time."""
    shown = []
    for minute in range(32):
        if restarts:
            world.reconciler.forget(RELEASE)
        shown.append((await world.passes("SCALE_UP" if minute % 2 else "", 0.0))[0])
    assert shown[:30] == ["RollingOut"] * 30
    assert shown[31] == "DeadlineExceeded"


async def test_a_restart_after_a_pause_begins_the_deadline_anew_once(world: ReconciledRelease) -> None:
    await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC")
    world.reconciler.forget(RELEASE)
    assert (await world.passes("POST_SCALE_UP", 0.0, minutes=29))[0] == "RollingOut"
    world.reconciler.forget(RELEASE)
    assert (await world.passes("POST_SCALE_UP", 0.0, minutes=3))[0] == "DeadlineExceeded"
