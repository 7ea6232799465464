"""What takes a set back: a verdict, at once; what may pass by itself only if it lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage, Rollout
from ecs_release.domain.model.conditions import find, progressing, stalled, unready
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import SetDecision
from tests.builders.ecs import NEW, NOW, OLD
from tests.builders.set_facts import set_of_two

DEADLINE_S = 600
WAITS = {"digest": OLD, "pinned": OLD}
REFUSED = stalled(Reason.ACCESS_DENIED, "ecs:RegisterTaskDefinition: no policy allows it")


def decided(web: dict[str, Any], policy: str = "RollBack", started_s: float = 3600) -> SetDecision:
    """A set whose first wave, `web`, was started so long ago; the second waits."""
    given = set_of_two(web, WAITS, started_s=started_s, strategy={"onFailure": policy})
    return decide_set(replace(given, deadline_s={"web": DEADLINE_S, "api": DEADLINE_S}))


def refused(since_s: float, *, of_attempt: bool = True) -> dict[str, Any]:
    """A child whose attempt's call is refused, or that cannot begin one, for so many seconds."""
    since = NOW - timedelta(seconds=since_s)
    rollout = Rollout(attempt_id="x", refused_time=since) if of_attempt else None
    return {"situation": REFUSED, "since": NOW if of_attempt else since, "rollout": rollout}


@pytest.mark.parametrize(
    ("what", "web", "goes_back"),
    [
        ("ECS rolled back", {"situation": stalled(Reason.ROLLED_BACK, "the circuit breaker")}, True),
        ("too few tasks run", {"situation": unready(Reason.TASKS_UNHEALTHY, "1 of 2 tasks run")}, True),
        ("refused a moment ago", refused(1), False),
        ("refused for the deadline less a second", refused(DEADLINE_S - 1), False),
        ("refused for the deadline", refused(DEADLINE_S), True),
        ("nothing could begin for the deadline", refused(DEADLINE_S, of_attempt=False), True),
        (
            "a fault that passes",
            {"situation": progressing(Reason.PROGRESSING_WITH_RETRY, "throttled"), "since": NOW - timedelta(days=1)},
            False,
        ),
    ],
)
def test_a_set_goes_back_for_a_verdict_or_for_what_lasts(what: str, web: dict[str, Any], goes_back: bool) -> None:
    entry = (decided(web).status.history or [])[0]

    assert (entry.cause == "Rollback") is goes_back, what


@pytest.mark.parametrize(
    ("what", "line", "outcome", "words"),
    [
        ("it went back", {"wants": "Previous"}, "RolledBack", "1 services went back"),
        ("what ran before is not known", {"previous": None}, "Failed", "what web ran before is not known, so that it stays as it is"),
        ("what ran is kept", {"previous": None, "origin": "Kept"}, "RolledBack", "0 services went back"),
        ("nothing was changed", {"previous": [PinnedImage(container="app", digest=NEW)]}, "RolledBack", "0 services went back"),
    ],
)
def test_a_rollback_ends_as_one_only_if_all_that_was_changed_went_back(what: str, line: dict[str, Any], outcome: str, words: str) -> None:
    before = {"digest": OLD, "pinned": OLD}
    given = set_of_two(before, WAITS, strategy={"onFailure": "RollBack"})
    status = given.release_set.status
    assert status is not None and status.services and status.history
    status.services[0] = status.services[0].model_copy(update=line)
    status.history[0] = status.history[0].model_copy(update={"cause": "Rollback", "message": "because web RolledBack: no"})

    decision = decide_set(given)
    entry = (decision.status.history or [])[0]

    assert (entry.outcome, words in (entry.message or "")) == (outcome, True), (what, entry.message)
    ready = find(decision.status.conditions, "Ready")
    assert ready is not None and ready.status == "False", what
    assert ("not rolled back everywhere" in ready.message) is (outcome == "Failed"), ready.message


def test_it_is_looked_at_again_when_a_refusal_has_lasted() -> None:
    assert decided(refused(DEADLINE_S - 7)).again_s == 7


def test_what_blocked_a_service_before_it_was_started_does_not_count() -> None:
    assert (decided(refused(DEADLINE_S, of_attempt=False), started_s=10).status.history or [])[0].cause != "Rollback"


def test_with_halt_a_refusal_keeps_others_from_starting_and_ends_nothing() -> None:
    decision = decided(refused(10 * DEADLINE_S), "Halt")

    assert [h.outcome for h in decision.status.history or ()] == [None]
    assert [w.state for w in decision.status.waves or ()] == ["Open", "Pending"]
