"""Waves: what is in each, and when it opens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.releaseset import Strategy
from ecs_release.api.releaseset_status import SetWave
from ecs_release.domain.sets.child_state import ChildState, State
from ecs_release.domain.sets.waves import carry_over, compose, progress, rollback_turn
from tests.builders.ecs import NOW

ALL = ["api", "bags", "jobs", "web"]


def strategy(*waves: list[str], **more: Any) -> Strategy:
    return Strategy.model_validate({"waves": [{"services": w} for w in waves] or None, **more})


@pytest.mark.parametrize(
    ("waves", "members", "groups", "composed"),
    [
        ([], ALL, [], [ALL]),
        ([["bags"], ["api"]], ALL, [], [["bags"], ["api"], ["jobs", "web"]]),
        ([["bags"], ["api"]], ["api", "web"], [], [["api"], ["web"]]),
        ([ALL], ALL, [], [ALL]),
        ([["bags"], ["api"]], ALL, [{"bags", "web"}], [["bags", "web"], ["api"], ["jobs"]]),
        ([["bags"], ["api"]], ALL, [{"api", "bags"}], [["bags", "api"], ["jobs", "web"]]),
        ([["bags"]], ALL, [{"jobs", "web"}], [["bags"], ["api", "jobs", "web"]]),
    ],
)
def test_waves_are_composed(waves: list[list[str]], members: list[str], groups: list[set[str]], composed: list[list[str]]) -> None:
    assert compose(strategy(*waves), members, [frozenset(g) for g in groups]) == composed


def test_only_a_wave_of_the_same_services_stays_latched() -> None:
    before = [SetWave(name="1", services=["a", "b"], state="Finished"), SetWave(name="2", services=["c"], state="Open")]
    assert [w.state for w in carry_over(before, [["b", "a"], ["c"]])] == ["Finished", "Open"]
    assert [w.state for w in carry_over(before, [["a"], ["b"], ["c"]])] == ["Pending", "Pending", "Pending"]
    assert [w.state for w in carry_over(before, [["a", "b", "d"], ["c"]])] == ["Pending", "Pending"], "no later wave stays open before it"


READY_LONG = ChildState(State.READY, since=NOW - timedelta(seconds=120))
READY_NOW = ChildState(State.READY, since=NOW)
FAILED, PENDING = ChildState(State.FAILED, "RolledBack"), ChildState(State.PENDING)


@pytest.mark.parametrize(
    ("first", "settle_s", "either_way", "states", "settles"),
    [
        (PENDING, 60, False, ["Open", "Pending"], False),
        (READY_LONG, 60, False, ["Finished", "Open"], False),
        (READY_NOW, 60, False, ["Open", "Pending"], True),
        (READY_NOW, 0, False, ["Finished", "Open"], False),
        (FAILED, 0, False, ["Open", "Pending"], False),
        (FAILED, 0, True, ["Finished", "Open"], False),
        (ChildState(State.FAILED, "RolledBack", rolling_out=True), 0, True, ["Open", "Pending"], False),
        (ChildState(State.WAITING, "AwaitingWindow"), 0, True, ["Open", "Pending"], False),
    ],
)
def test_a_wave_opens_when_the_one_before_has_settled(
    first: ChildState, settle_s: float, either_way: bool, states: list[str], settles: bool
) -> None:
    waves = carry_over([], [["a"], ["b"]])
    after, left = progress(waves, {"a": first, "b": PENDING}, {"a": settle_s}, NOW, either_way=either_way)
    assert [w.state for w in after] == states and (left is not None and left > 0) is settles


def test_a_rollback_goes_last_wave_first() -> None:
    waves = carry_over([], [["a"], ["b"], ["c"]])
    stand = {"a": PENDING, "b": PENDING, "c": PENDING}
    assert rollback_turn(waves, ["a", "b"], stand) == ["b"]
    assert rollback_turn(waves, ["a", "b"], stand | {"b": READY_NOW}) == ["a"]
    assert rollback_turn(waves, ["a", "b"], stand | {"b": FAILED}) == ["a"]
    assert rollback_turn(waves, ["a", "b"], stand | {"a": READY_NOW, "b": READY_NOW}) == []
