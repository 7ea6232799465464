"""How a ReleaseSet stands whose services all run what it wants."""

from __future__ import annotations

import pytest

from ecs_release.api.releaseset_status import SetService
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.child_state import Standing, State
from ecs_release.domain.sets.decision import SetDraft
from ecs_release.domain.sets.set_conditions import situation_of
from tests.unit.domain.test_sets_first_wave import facts

READY, HELD = Standing(State.READY, "Succeeded", "4 tasks"), Standing(State.READY, "Suspended", "Environment 'prod' is suspended: freeze")
NOTHING = Standing(State.READY, "NothingRunning")


@pytest.mark.parametrize(
    ("suspend", "web", "api", "reason", "words"),
    [
        (False, READY, READY, "Succeeded", "2 of 2"),
        (True, READY, READY, "Suspended", "2 of 2: spec.suspend is true"),
        (False, HELD, HELD, "Suspended", "2 of 2: Environment 'prod' is suspended: freeze"),
        (False, HELD, READY, "Succeeded", "2 of 2"),
        (True, NOTHING, NOTHING, "Suspended", "spec.suspend is true"),
        (False, NOTHING, NOTHING, "NothingRunning", "desiredCount is 0"),
    ],
)
def test_a_suspended_set_is_ready_and_suspended_as_a_release_is(
    suspend: bool, web: Standing, api: Standing, reason: str, words: str
) -> None:
    given = facts(suspend=suspend, outcome="Succeeded")
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    draft.services = {name: SetService(name=name) for name in ("web", "api")}
    found = situation_of(given, draft, {"web": web, "api": api}, "2 of 2")
    assert (found.ready, found.reconciling, found.stalled, found.reason) == ("True", False, False, reason)
    assert words in found.message
    assert conditions.phase(found) == ("Suspended" if reason == "Suspended" else "Ready")
