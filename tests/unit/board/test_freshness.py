"""Since when what is shown is no longer up to date, by each watch."""

from __future__ import annotations

from datetime import timedelta

from ecs_release.board.freshness import Freshness
from ecs_release.pages.board_page import Age
from tests.builders.board import Clock
from tests.unit.cli.kubectl.objects import NOW


class Told:
    def __init__(self) -> None:
        self.clock, self.flips = Clock(), 0
        self.freshness = Freshness(("a", "b"), self.clock.now, self.flip)

    def flip(self) -> None:
        self.flips += 1

    def at(self, seconds: float) -> Freshness:
        self.clock.time = NOW + timedelta(seconds=seconds)
        return self.freshness


def test_it_is_as_old_as_what_was_heard_of_first() -> None:
    told = Told()
    assert (told.freshness.age, told.freshness.complete) == (Age(False, None), False)
    told.at(0).heard("a")
    assert not told.freshness.complete
    told.at(1).heard("b")
    told.at(5).heard("b")
    assert (told.freshness.age, told.flips) == (Age(True, NOW), 1)
    told.at(9).lost("b")
    told.at(10).lost("b")
    assert (told.freshness.age, told.flips) == (Age(False, NOW), 2)
    told.at(11).heard("a")
    assert told.freshness.age == Age(False, NOW + timedelta(seconds=5))
    told.at(12).heard("b")
    assert (told.freshness.age.fresh, told.flips) == (True, 3)


def test_what_is_left_out_makes_nothing_old() -> None:
    told = Told()
    told.at(0).heard("a")
    told.freshness.leave_out("b", "vault")
    assert (told.freshness.age, told.freshness.complete, told.flips) == (Age(True, NOW), True, 1)
    told.at(3).lost("b")
    assert told.freshness.age.fresh is False, "nor is it known whether it may be read by now"
    told.freshness.leave_out("b", "vault")
    assert told.freshness.age == Age(True, NOW)
    told.at(4).heard("b")
    told.at(5).heard("a")
    assert told.freshness.age == Age(True, NOW + timedelta(seconds=4))
