"""How one service of a ReleaseSet stands, by its child."""

from __future__ import annotations

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage, Rollout
from ecs_release.api.releaseset_status import SetService
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.child_state import State, child_state
from ecs_release.domain.sets.facts import Child
from tests.builders.ecs import NEW, OLD
from tests.builders.set_facts import child

OUTDATED = conditions.unready(Reason.BASE_REVISION_OUTDATED, "web:3 is newer")
OPEN = Rollout(attempt_id="a")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, State.PENDING),
        (child(), State.READY),
        (child(OLD), State.PENDING),
        (child(source={"tag": "latest"}), State.PENDING),
        (child(observed=1), State.PROGRESSING),
        (child(generation=1, observed=1), State.PROGRESSING),
        (child(pinned=OLD), State.PROGRESSING),
        (child(situation=conditions.progressing(Reason.ROLLING_OUT, "")), State.PROGRESSING),
        (child(situation=conditions.waiting(Reason.AWAITING_WINDOW, "")), State.WAITING),
        (child(situation=conditions.stalled(Reason.ROLLED_BACK, "")), State.FAILED),
        (child(situation=conditions.stalled(Reason.DRIFTED, "")), State.FAILED),
        (child(situation=conditions.waiting(Reason.DRIFTED, "correcting it")), State.PROGRESSING),
        (child(situation=OUTDATED), State.READY),
        (child(situation=OUTDATED, pinned=OLD), State.WAITING),
        (child(situation=conditions.held(False, Reason.SUSPENDED, "")), State.WAITING),
        (child(situation=conditions.held(None, Reason.SUSPENDED, "no task ever ran")), State.WAITING),
        (child(situation=conditions.held(None, Reason.OBSERVING, "no task ever ran")), State.WAITING),
        (child(situation=conditions.held(True, Reason.SUSPENDED, "")), State.READY),
        (child(situation=conditions.stalled(Reason.ROLLED_BACK, ""), annotations={"ecs-release.dev/retry": "1"}), State.PROGRESSING),
        (
            child(situation=conditions.stalled(Reason.ROLLED_BACK, ""), annotations={"ecs-release.dev/retry": "1"}, handled="1"),
            State.FAILED,
        ),
    ],
)
def test_a_child_counts_by_what_it_says_of_what_was_written_last(found: Child | None, state: State) -> None:
    line = SetService(name="web", images=[PinnedImage(container="app", digest=NEW)], generation=2)
    assert child_state(line, found).state is state


@pytest.mark.parametrize(
    ("what", "found", "matches"),
    [
        ("there is none", None, None),
        ("proven", child(), True),
        ("nothing is known", child(situation=conditions.held(None, Reason.SUSPENDED, "")), None),
        ("disproven", child(situation=conditions.held(False, Reason.SUSPENDED, "")), False),
        ("it waits", child(situation=conditions.waiting(Reason.AWAITING_WINDOW, "")), False),
        ("it was told just now", child(observed=1), None),
        ("it rolls out", child(situation=conditions.progressing(Reason.ROLLING_OUT, "")), None),
        ("ECS went back", child(situation=conditions.stalled(Reason.ROLLED_BACK, "")), False),
        ("on an older base", child(situation=OUTDATED), False),
        ("it is proven to run what it asks for still", child(OLD, pinned=OLD), False),
        ("it asks for something else, and what runs is not known", child(OLD, situation=conditions.held(None, Reason.SUSPENDED, "")), None),
        ("it asks for something else, and runs neither", child(OLD, situation=conditions.held(False, Reason.SUSPENDED, "")), None),
        ("it was told something else just now", child(OLD, observed=1), None),
    ],
)
def test_what_is_known_of_what_runs(what: str, found: Child | None, matches: bool | None) -> None:
    line = SetService(name="web", images=[PinnedImage(container="app", digest=NEW)])

    assert child_state(line, found).matches is matches, what


def test_a_child_that_people_hold_takes_no_place() -> None:
    line = SetService(name="web", images=[PinnedImage(container="app", digest=NEW)])
    suspended = conditions.held(False, Reason.SUSPENDED, "")
    assert not child_state(line, child(situation=suspended)).in_flight
    assert child_state(line, child(situation=suspended, rollout=OPEN)).in_flight
    assert child_state(line, child(OLD, rollout=OPEN)).in_flight
