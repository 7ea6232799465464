"""What is done next about a part that is created once: a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ecs_release.api.view_status import ViewPart
from ecs_release.domain.ports.views import LEFT, Part
from ecs_release.domain.views.create_once import Action, Knowledge, Step, announced, created, found, next_step, verified

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=40)
PART = Part("deployment", "key", {"state": "success"})
SHARED = Part("pull/7", "key", {"state": "success"}, is_shared=True)
UNSENT, ABSENT = Knowledge(is_unsent=True), Knowledge(absent_at=NOW)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def entry(ago_s: float = 5.0, **more: object) -> ViewPart:
    return ViewPart(name="deployment", key="key", announced_time=NOW - timedelta(seconds=ago_s), tries=1).model_copy(update=more)


@pytest.mark.parametrize(
    ("part", "known", "knowledge", "step"),
    [
        (PART, None, Knowledge(), Step(Action.ANNOUNCE)),
        # Announced by this process, which has sent nothing.
        (PART, entry(), UNSENT, Step(Action.CREATE)),
        # Announced by another process, or sent, and the answer was lost.
        (PART, entry(), Knowledge(), Step(Action.FIND)),
        (PART, entry(), ABSENT, Step(Action.WAIT, 10)),
        (PART, entry(25), ABSENT, Step(Action.WAIT, 5)),
        (PART, entry(29), Knowledge(absent_at=NOW - timedelta(seconds=10)), Step(Action.FIND)),
        (PART, entry(31), Knowledge(absent_at=NOW - timedelta(seconds=2)), Step(Action.FIND)),
        (PART, entry(31), ABSENT, Step(Action.ANNOUNCE)),
        (PART, entry(31), Knowledge(), Step(Action.FIND)),
        # Another document may have created it.
        (SHARED, entry(), UNSENT, Step(Action.FIND_OR_CREATE)),
        (SHARED, entry(3600), UNSENT, Step(Action.FIND_OR_CREATE)),
        (SHARED, entry(), Knowledge(), Step(Action.FIND)),
        (SHARED, entry(31), ABSENT, Step(Action.ANNOUNCE)),
        (PART, entry(receipt="1"), Knowledge(), Step(Action.CHANGE)),
        (PART, entry(receipt="1", hash=PART.hash), Knowledge(), Step(Action.NOTHING)),
        (PART, entry(receipt="1", hash="other"), Knowledge(), Step(Action.CHANGE)),
        (PART, entry(receipt="1", hash=PART.hash, unverified_time=ago(5)), Knowledge(), Step(Action.WAIT, 25)),
        (PART, entry(31, receipt="1", hash=PART.hash, unverified_time=ago(31)), Knowledge(), Step(Action.FIND)),
        # It was created long after it was announced.
        (PART, entry(3600, receipt="1", hash=PART.hash, unverified_time=NOW), Knowledge(), Step(Action.WAIT, 30)),
        # What it shows comes first, and it is looked for all the same.
        (PART, entry(receipt="1", hash="other", unverified_time=ago(5)), Knowledge(), Step(Action.CHANGE, 25)),
    ],
)
def test_next_step(part: Part, known: ViewPart | None, knowledge: Knowledge, step: Step) -> None:
    assert next_step(part, known, knowledge, NOW) == step


def test_another_key_is_another_part_of_the_same_name() -> None:
    other = Part(PART.name, "another", PART.content)
    shown = entry(receipt="1", hash=PART.hash, tries=3)
    assert next_step(other, shown, Knowledge(), NOW) == Step(Action.ANNOUNCE)
    begun = announced(other, shown, NOW)
    assert (begun.key, begun.tries, begun.receipt) == ("another", 1, None)


def test_a_second_announcement_is_verified_once() -> None:
    first = announced(PART, None, NOW)
    second = announced(PART, first, NOW)

    assert (first.tries, second.tries, second.receipt) == (1, 2, None)
    assert created(PART, first, "1", PART.hash, NOW).unverified_time is None
    assert created(PART, second, "1", PART.hash, LATER).unverified_time == LATER
    assert found(PART, second, "1", LATER).unverified_time == LATER
    assert verified(PART, found(PART, second, "1", NOW), ["1"], LATER).unverified_time is None


def test_what_is_shared_is_always_verified_and_moves_to_the_oldest() -> None:
    first = announced(SHARED, None, NOW)

    assert created(SHARED, first, LEFT, SHARED.hash, LATER).unverified_time is None
    assert found(SHARED, first, "1", LATER).unverified_time == LATER
    known = created(SHARED, first, "2", SHARED.hash, NOW)
    assert known.unverified_time == NOW
    both = verified(SHARED, known, ["1", "2"], LATER)
    assert (both.receipt, both.unverified_time, both.hash) == ("1", None, None)
    # It was removed for the other document: what stays is looked for again.
    gone = verified(SHARED, known, ["1"], LATER)
    assert (gone.receipt, gone.unverified_time, gone.hash) == ("1", LATER, None)
    assert verified(SHARED, known, [], LATER) == known
    assert verified(SHARED, known, [], NOW + timedelta(hours=1)).unverified_time is None


def test_what_was_found_instead_is_changed_anew() -> None:
    known = created(PART, announced(PART, announced(PART, None, NOW), NOW), "2", PART.hash, NOW)

    assert verified(PART, known, ["2"], NOW).hash == PART.hash
    assert verified(PART, known, ["1", "2"], NOW).hash is None


def test_a_hash_is_of_the_content() -> None:
    assert Part("a", "b", {"x": 1, "y": [2]}).hash == Part("c", "d", {"y": [2], "x": 1}).hash
    assert Part("a", "b", {"x": 1}).hash != Part("a", "b", {"x": 2}).hash
