"""One odd object blinds nobody to the others, and an outage is not answered with many calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ecs_release.domain.model.errors import BrokenAnswer, Denied, Problem, Retryable, ServerFault, Throttled
from ecs_release.domain.model.halving import read_by_halves


def read(batch: str, odd: str, problem: Problem) -> tuple[str, str, int]:
    """Return what was read of a batch, what was not, and with how many calls."""
    found: list[str] = []
    unread: list[str] = []
    calls: list[str] = []

    async def ask(part: Sequence[str]) -> None:
        calls.append("".join(part))
        if any(one in odd for one in part):
            raise problem
        found.extend(part)

    asyncio.run(read_by_halves(batch, ask, lambda part, _: unread.extend(part)))
    return "".join(sorted(found)), "".join(sorted(unread)), len(calls)


@pytest.mark.parametrize("problem", [BrokenAnswer("no JSON"), ServerFault("500"), Denied("no")])
@pytest.mark.parametrize("odd", ["a", "e", "j", "ab", "ij", "aj", "adgj", "abc", "hij", "abcdefg"])
def test_only_what_is_odd_is_unread(problem: Problem, odd: str) -> None:
    found, unread, calls = read("abcdefghij", odd, problem)

    assert unread == odd
    assert set(found) == set("abcdefghij") - set(odd)
    assert calls < 20


@pytest.mark.parametrize("problem", [Throttled("slow down"), Retryable("no connection")])
def test_what_is_of_all_is_not_asked_again(problem: Problem) -> None:
    assert read("abcdefghij", "a", problem) == ("", "abcdefghij", 1)


@pytest.mark.parametrize("problem", [BrokenAnswer("no JSON"), ServerFault("500")])
def test_an_outage_costs_few_calls(problem: Problem) -> None:
    found, unread, calls = read("abcdefghij" * 10, "abcdefghij", problem)

    assert (found, len(unread)) == ("", 100)
    assert calls <= 15


@pytest.mark.parametrize("problem", [BrokenAnswer("no JSON"), ServerFault("500")])
@pytest.mark.parametrize("odd", ["abcd", "wxyz", "abcxyz", "lmnop"])
def test_odd_objects_side_by_side_are_no_outage(problem: Problem, odd: str) -> None:
    batch = "abcdefghijklmnopqrstuvwxyz"

    assert read(batch, odd, problem)[:2] == ("".join(sorted(set(batch) - set(odd))), odd)
