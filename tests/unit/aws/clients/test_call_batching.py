"""Questions at the same time are one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ecs_release.aws.clients.call_batching import CallBatcher
from ecs_release.domain.model.errors import BrokenAnswer, Denied, Problem, Retryable


class Reader:
    """Reads letters in capitals; one of them may not be read, and one is not there."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.problem = problem

    async def read(self, keys: Sequence[str]) -> dict[str, str]:
        self.calls.append(list(keys))
        await asyncio.sleep(0)
        if self.problem is not None and "x" in keys:
            raise self.problem
        return {key: key.upper() for key in keys if key != "-"}


async def asked(reader: Reader, keys: str, most: int = 3) -> list[object]:
    batcher = CallBatcher(reader.read, most, gather_s=0.01)
    return await asyncio.gather(*(batcher.get(key) for key in keys), return_exceptions=True)


async def test_they_are_joined_and_bounded() -> None:
    reader = Reader()
    assert await asked(reader, "abcab-d") == ["A", "B", "C", "A", "B", None, "D"]
    assert reader.calls == [["a", "b", "c"], ["-", "d"]]


@pytest.mark.parametrize(
    ("problem", "answers", "calls"),
    [
        (Denied("no"), ["A", Denied("no"), "C"], [["a", "x", "c"], ["a"], ["x", "c"], ["x"], ["c"]]),
        (BrokenAnswer("no JSON"), ["A", BrokenAnswer("no JSON"), "C"], [["a", "x", "c"], ["a"], ["x", "c"], ["x"], ["c"]]),
        (Retryable("later"), [Retryable("later")] * 3, [["a", "x", "c"]]),
    ],
)
async def test_one_that_may_not_be_read_does_not_hide_the_others(problem: Problem, answers: list[object], calls: list[list[str]]) -> None:
    reader = Reader(problem)
    assert await asked(reader, "axc") == answers
    assert reader.calls == calls


async def test_an_error_of_ours_hangs_nobody() -> None:
    reader = Reader(KeyError("x"))
    batcher = CallBatcher(reader.read, 3, gather_s=0.01)
    with pytest.raises(KeyError):
        await batcher.get("x")
    assert await batcher.get("a") == "A"


async def test_who_goes_away_is_no_trouble() -> None:
    reader = Reader()
    batcher = CallBatcher(reader.read, 3, gather_s=0.01)
    gone = asyncio.create_task(batcher.get("a"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await batcher.get("a") == "A"
    assert await batcher.get("b") == "B"
