"""A newer source that may not begin yet leaves what a set has started the time to come to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.names import ABORT_ANNOTATION, OVERRIDE_ANNOTATION
from ecs_release.api.release_status import PinnedImage, Rollout
from ecs_release.domain.model.conditions import find, progressing, stalled, waiting
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Create, Replace, SetDecision
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.domain.sets.window_gate import awaits_window
from tests.builders.ecs import NEW, NOW, OLD, OTHER
from tests.builders.objects import environment
from tests.builders.set_facts import set_of_two

ROLLS: dict[str, Any] = {
    "situation": progressing(Reason.ROLLING_OUT, "1 of 2"), "settled": False, "rollout": Rollout(attempt_id="a", pin_id="p", deployment_id="ecs-svc/2"),
}  # fmt: skip
INTENDS = ROLLS | {"rollout": Rollout(attempt_id="a", pin_id="p")}
AWAITS: dict[str, Any] = {"situation": waiting(Reason.AWAITING_WINDOW, "freeze"), "settled": False}
OF_BEFORE = AWAITS | {"rollout": Rollout(attempt_id="a", pin_id="another", deployment_id="ecs-svc/1")}
BACK: dict[str, Any] = {"situation": stalled(Reason.ROLLED_BACK, "the circuit breaker"), "settled": False}
NOT_TOLD = {"digest": OLD, "pinned": OLD}
CLOSED = {
    "windows": [{"name": "freeze", "kind": "Deny", "startTime": "2026-01-01T00:00:00Z", "endTime": "2027-01-01T00:00:00Z", "reason": "x"}]
}


def newer(web: dict[str, Any], api: dict[str, Any], *, states: tuple[str, str] = ("Finished", "Open"), **more: Any) -> SetFacts:
    """A set whose source is one of OTHER by now; its services went to NEW."""
    suspend, settle_s = more.pop("suspend", False), more.pop("settle_s", 0.0)
    annotations = more.pop("annotations", {})
    given = set_of_two(web, api, states=states, suspend=suspend)
    status = given.status
    lines = [s if s.start_time or states[1] == "Pending" else s.model_copy(update={"start_time": NOW}) for s in status.services or ()]
    status = status.model_copy(update={"source_hash": "before", "services": lines})
    meta = given.release_set.metadata.model_copy(update={"annotations": annotations})
    resolved = tuple(Resolved(s, (PinnedImage(container="app", digest=OTHER),)) for s in ("web", "api"))
    release_set = given.release_set.model_copy(update={"status": status, "metadata": meta})
    return replace(given, release_set=release_set, resolved=resolved, settle_s={"web": settle_s, "api": settle_s}, **more)


def told(decision: SetDecision) -> set[str]:
    """The services that are given another source."""
    changed = (w for w in decision.writes if isinstance(w, Create | Replace))
    return {w.service for w in changed if isinstance(w, Create) or w.body["spec"]["source"] != w.child.body["spec"]["source"]}


@pytest.mark.parametrize("held", [{"suspend": True}, {"observed_only": True}, {"awaits_window": True}])
def test_what_was_started_is_followed_until_the_newer_source_may_begin(held: dict[str, Any]) -> None:
    given = newer({}, ROLLS, **held)
    decision = decide_set(given)
    ready = find(decision.status.conditions, "Ready")

    assert [e.outcome for e in decision.status.history or ()] == [None] and decision.status.source_hash == "before"
    assert ready is not None and (ready.status, ready.reason) == ("Unknown", "RollingOut") and told(decision) == set()

    done = newer({}, {}, **held)
    after = replace(done, release_set=done.release_set.model_copy(update={"status": decision.status}))
    ended = decide_set(after).status
    for _ in range(2):
        ended = decide_set(replace(after, release_set=after.release_set.model_copy(update={"status": ended}))).status
    assert [e.outcome for e in ended.history or ()] == [None, "Succeeded"] and ended.source_hash == given.wanted_hash
    lines = (ended.last_ready.services if ended.last_ready else None) or ()
    assert {s.name: s.pin.images[0].digest for s in lines if s.pin and s.pin.images} == {"web": NEW, "api": NEW}


@pytest.mark.parametrize(
    ("what", "given", "outcome"),
    [
        ("it may begin", newer({}, ROLLS), "Superseded"),
        ("nothing was deployed yet", newer({}, INTENDS, awaits_window=True), "Superseded"),
        ("one was told, and waits", newer(ROLLS, AWAITS, awaits_window=True), "Superseded"),
        ("one was told, and follows what was before", newer({}, OF_BEFORE, awaits_window=True), "Superseded"),
        ("the next wave has not begun", newer({}, NOT_TOLD, states=("Open", "Pending"), suspend=True), "Superseded"),
        ("all are proven, and it may begin", newer({}, {}), "Succeeded"),
        ("all are proven, and it is suspended", newer({}, {}, suspend=True), "Succeeded"),
        ("they have not settled, and it may begin", newer({}, {}, settle_s=60), "Superseded"),
        ("they have not settled, and it is suspended", newer({}, {}, settle_s=60, suspend=True), None),
        ("they have settled", newer({}, {"since": NOW - timedelta(minutes=2)}, settle_s=0, suspend=True), "Succeeded"),
    ],
)
def test_how_a_deployment_set_ends_that_a_newer_source_follows(what: str, given: SetFacts, outcome: str | None) -> None:
    decision = decide_set(given)
    history = decision.status.history or []

    assert history[-1].outcome == outcome, what
    assert (decision.status.source_hash == given.wanted_hash) is (outcome is not None), what
    assert outcome is not None or decision.again_s == 61


@pytest.mark.parametrize("held", [{"suspend": True}, {"awaits_window": True}])
def test_no_further_wave_opens_and_nothing_further_starts(held: dict[str, Any]) -> None:
    decision = decide_set(newer(ROLLS, NOT_TOLD, states=("Open", "Pending"), **held))

    assert [w.state for w in decision.status.waves or ()] == ["Open", "Pending"] and told(decision) == set()
    ended = decide_set(newer({}, NOT_TOLD, states=("Open", "Pending"), **held)).status
    assert [e.outcome for e in ended.history or ()] == [None, "Superseded"]


def test_a_failure_ends_it_as_failed() -> None:
    decision = decide_set(newer(BACK, ROLLS, states=("Open", "Open"), awaits_window=True))
    assert [e.outcome for e in decision.status.history or ()] == [None]
    ended = decide_set(newer(BACK, {}, states=("Open", "Open"), awaits_window=True)).status
    entry = (ended.history or [])[-1]
    assert (entry.outcome, entry.message) == ("Failed", "web RolledBack: the circuit breaker")


def test_an_abort_is_for_what_is_under_way_and_an_override_for_the_newer_source() -> None:
    annotations = {ABORT_ANNOTATION: "x", OVERRIDE_ANNOTATION: "1/because"}
    status = decide_set(newer({}, ROLLS, awaits_window=True, annotations=annotations)).status

    assert (status.last_handled_abort, status.last_handled_override) == ("x", None)
    assert [(e.outcome, e.override) for e in status.history or ()] == [("Aborted", None)]


@pytest.mark.parametrize(
    ("what", "windows", "annotations", "expected"),
    [
        ("none is closed", {}, {}, False),
        ("one is closed", CLOSED, {}, True),
        ("an override", CLOSED, {OVERRIDE_ANNOTATION: "1/because"}, False),
        ("no reason", CLOSED, {OVERRIDE_ANNOTATION: "1"}, True),
    ],
)
def test_whether_a_window_keeps_a_set_from_beginning(what: str, windows: Any, annotations: Any, expected: bool) -> None:
    given = newer({}, ROLLS, annotations=annotations)

    assert awaits_window(given, environment(**windows), given.resolved or ()) is expected, what
