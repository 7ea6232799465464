"""Suspensions that end by themselves: until when they hold, whom they release when, and which Events tell of it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release, ReleaseSpec
from ecs_release.api.suspension import SuspensionEnd
from ecs_release.domain.decision import suspension_end
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.suspension import again_s, spread, suspension_of
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.release.decide import decide
from ecs_release.domain.sets.decide import decide_set
from tests.builders.ecs import NEW, NOW, deployment, service, task
from tests.builders.facts import facts
from tests.builders.objects import environment, release
from tests.builders.set_facts import set_of_two

MINUTE = timedelta(minutes=1)


def at(after: timedelta) -> str:
    return (NOW + after).isoformat()


def given(spec: dict[str, Any] | None = None, place: dict[str, Any] | None = None, **parts: Any) -> Facts:
    return facts(release=release(**(spec or {})), environment=environment(suspend=place) if place else environment(), **parts)


@pytest.mark.parametrize(
    ("what", "suspension", "holds"),
    [
        ("without an end", None, True),
        ("with a reason", {"reason": "audit"}, True),
        ("before its end", {"until": at(MINUTE)}, True),
        ("at its end", {"until": at(timedelta())}, False),
        ("past when it is applied", {"until": at(-MINUTE)}, False),
    ],
)
def test_a_suspension_holds_until_its_end(what: str, suspension: dict[str, Any] | None, holds: bool) -> None:
    found = suspension_of(given({"suspend": True, "suspension": suspension} if suspension else {"suspend": True}))
    assert (found is not None) is holds, what


def test_reason_and_end_alone_suspend_nothing() -> None:
    assert suspension_of(given({"suspend": False, "suspension": {"reason": "audit", "until": at(MINUTE)}})) is None


def test_the_latest_that_holds_wins_and_the_message_names_each() -> None:
    """The Release's, its set's and the Environment's end one after another: each is looked at again when the first of them ends."""
    hold = Waiting("Suspended", "ReleaseSet 'all' is suspended: for its own reason")
    own = {"suspend": True, "suspension": {"reason": "on-call is busy", "until": at(9 * MINUTE)}}
    start = given(own, {"reason": "incident 7", "until": at(3 * MINUTE)}, hold=hold, hold_ends=NOW + 6 * MINUTE)
    found = suspension_of(start)
    assert found is not None
    for text in ("incident 7", "until 2026-05-04 12:03:00 UTC", "for its own reason", "on-call is busy", "before 2026-05-04 12:09:00 UTC"):
        assert text in found.message
    later = given(own, {"reason": "incident 7", "until": at(3 * MINUTE)}, now=NOW + 8 * MINUTE)
    left = suspension_of(later)
    assert left is not None and "incident 7" not in left.message and "on-call is busy" in left.message
    assert suspension_of(given(own, {"reason": "incident 7", "until": at(3 * MINUTE)}, now=NOW + 9 * MINUTE)) is None


def uid(number: int) -> Release:
    found = release()
    return found.model_copy(update={"metadata": found.metadata.model_copy(update={"uid": f"{number:08x}-aaaa-4bbb-8ccc-0123456789ab"})})


def test_what_an_environment_sets_free_begins_one_after_another() -> None:
    """A thousand Releases wait for one instant: in no second more than a few begin, and after a minute all have."""
    place = environment(suspend={"reason": "freeze", "until": at(timedelta())})
    waiting = [facts(release=uid(n), environment=place) for n in range(1000)]
    seconds = Counter(int(spread(one).total_seconds()) for one in waiting)
    assert max(seconds.values()) <= 40 and len(seconds) == 60 and max(seconds) < 60
    for one in waiting[:50]:
        wakes = again_s(one)
        assert suspension_of(one) is not None and wakes is not None and abs(wakes - spread(one).total_seconds()) < 0.1
    assert all(suspension_of(facts(release=uid(n), environment=place, now=NOW + MINUTE)) is None for n in range(1000))


@pytest.mark.parametrize(
    ("what", "spec", "expected"),
    [
        ("at rest, nothing is due", {}, None),
        ("an end far away is looked at within the hour", {"suspend": True, "suspension": {"until": at(30 * 60 * MINUTE)}}, 3600),
        ("its end is told beforehand", {"suspend": True, "suspension": {"until": at(20 * MINUTE)}}, 300),
        ("then it ends", {"suspend": True, "suspension": {"until": at(5 * MINUTE)}}, 300),
        ("it has ended", {"suspend": True, "suspension": {"until": at(-MINUTE)}}, None),
    ],
)
def test_a_suspension_is_looked_at_when_time_changes_it(what: str, spec: dict[str, Any], expected: float | None) -> None:
    assert again_s(given(spec)) == expected, what


def told(until: datetime | None, before: SuspensionEnd | None, now: datetime = NOW, **more: Any) -> tuple[SuspensionEnd | None, list[str]]:
    suspension = {"until": until.isoformat() if until else None, **more}
    spec = release(suspend=True, suspension=suspension).spec
    assert isinstance(spec, ReleaseSpec)
    end, notes = suspension_end.told(spec, before, now)
    return end, [f"{n.type} {n.reason}: {n.note}" for n in notes]


def test_its_end_is_told_before_and_after_and_once() -> None:
    until = NOW + 30 * MINUTE
    first, notes = told(until, None)
    assert notes == [] and first == SuspensionEnd(until=until, state="Suspended")
    soon, notes = told(until, first, NOW + 15 * MINUTE, reason="audit")
    assert notes == ["Normal SuspensionEnds: the suspension (audit) ends by itself at 2026-05-04 12:30:00 UTC"]
    assert told(until, soon, NOW + 16 * MINUTE) == (soon, []), "also after a restart: it is in status"
    ended, notes = told(until, soon, until)
    assert len(notes) == 1 and notes[0].startswith("Normal SuspensionEnded: ")
    assert told(until, ended, until + MINUTE) == (ended, [])


@pytest.mark.parametrize(
    ("what", "until", "before", "event"),
    [
        ("past when it is applied", -MINUTE, None, "Warning SuspensionEnded"),
        ("moved into the past", -MINUTE, SuspensionEnd(until=NOW + MINUTE, state="EndsSoon"), "Warning SuspensionEnded"),
        ("prolonged", 60 * MINUTE, SuspensionEnd(until=NOW + MINUTE, state="EndsSoon"), ""),
        ("prolonged after it had ended", 60 * MINUTE, SuspensionEnd(until=NOW - MINUTE, state="Ended"), ""),
        ("shortened", MINUTE, SuspensionEnd(until=NOW + 60 * MINUTE, state="Suspended"), "Normal SuspensionEnds"),
        ("the operator was down when it ended", -MINUTE, SuspensionEnd(until=NOW - MINUTE, state="Suspended"), "Normal SuspensionEnded"),
    ],
)
def test_an_end_that_is_edited_is_told_anew(what: str, until: timedelta, before: SuspensionEnd | None, event: str) -> None:
    _, notes = told(NOW + until, before)
    assert [note.partition(":")[0] for note in notes] == ([event] if event else []), what


@pytest.mark.parametrize(("until", "holds"), [("0001-01-01T00:00:00Z", False), ("9999-12-31T23:59:59Z", True)])
def test_an_end_may_be_as_far_away_as_a_calendar_goes(until: str, holds: bool) -> None:
    found = given({"suspend": True, "suspension": {"until": until}}, {"reason": "audit", "until": until})
    assert (suspension_of(found) is not None) is holds
    assert again_s(found) == (3600 if holds else None)
    assert decide(found).status.suspension == SuspensionEnd(until=datetime.fromisoformat(until), state="Suspended" if holds else "Ended")


def test_without_an_end_there_is_nothing_to_tell() -> None:
    assert told(None, SuspensionEnd(until=NOW, state="Ended")) == (None, [])


def test_a_release_goes_on_at_the_end_and_says_so() -> None:
    runs = service(deployment(2), tasks=(task(2, NEW), task(2, NEW)))
    spec = {"suspend": True, "suspension": {"reason": "audit", "until": at(5 * MINUTE)}}
    waits = decide(given(spec, seen=runs))
    assert waits.status.suspension == SuspensionEnd(until=NOW + 5 * MINUTE, state="EndsSoon")
    assert [n.reason for n in waits.events].count("SuspensionEnds") == 1 and waits.again_s is not None and waits.again_s <= 300


def test_a_set_goes_on_at_the_end_and_says_so() -> None:
    suspended = set_of_two({}, {"pinned": ""}, suspend=True, suspension={"reason": "audit", "until": at(5 * MINUTE)})
    waits = decide_set(suspended)
    ready = next(c for c in waits.status.conditions or () if c.type == "Ready")
    assert ready.reason == "Suspended"
    assert "spec.suspend is true (audit): no further service starts before 2026-05-04 12:05:00 UTC" in ready.message
    assert waits.again_s is not None and waits.again_s <= 300 and "SuspensionEnds" in [n.reason for n in waits.events]
    over = decide_set(set_of_two({}, {"pinned": ""}, suspend=True, suspension={"until": at(-MINUTE)}))
    assert next(c for c in over.status.conditions or () if c.type == "Ready").reason != "Suspended"
