"""Questions are asked once, a few at a time, and what is not there in time comes later."""

from __future__ import annotations

import asyncio

import pytest

from ecs_release.board.commits.answers import Answers


class Oracle:
    """Answers each question with its double, once it may."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.under_way = self.most = 0
        self.may = asyncio.Event()
        self.time = 0.0

    async def ask(self, question: int) -> int:
        self.asked.append(question)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.may.wait()
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if question < 0:
            raise RuntimeError("a defect")
        return 2 * question

    def answers(self, most: int = 10, at_once: int = 2) -> Answers[int, int]:
        return Answers(self.ask, lambda answer: 60.0 if answer else 5.0, most, at_once, lambda: self.time)


async def test_many_who_ask_the_same_are_one_question() -> None:
    oracle = Oracle()
    answers = oracle.answers()
    waiting = [asyncio.create_task(answers.within([1, 2, 1], 30)) for _ in range(20)]
    await asyncio.sleep(0)
    oracle.may.set()
    assert [await task for task in waiting] == [{1: 2, 2: 4}] * 20
    assert oracle.asked == [1, 2]


async def test_an_answer_counts_for_as_long_as_it_says() -> None:
    oracle = Oracle()
    oracle.may.set()
    answers = oracle.answers()
    for time, asked in ((0, [0, 1]), (4.9, []), (5.1, [0]), (59, [0]), (60.1, [1])):
        oracle.time, oracle.asked = time, []
        assert await answers.within([0, 1], 30) == {0: 0, 1: 2}
        assert oracle.asked == asked


async def test_what_is_not_there_in_time_comes_later_also_for_others() -> None:
    oracle = Oracle()
    answers = oracle.answers()
    assert await answers.within([1], 0.01) == {}
    version = answers.version
    oracle.may.set()
    assert await answers.within([1], 30) == {1: 2}
    assert oracle.asked == [1]
    assert answers.version > version


async def test_who_leaves_takes_no_answer_away_from_others() -> None:
    oracle = Oracle()
    answers = oracle.answers()
    leaver, other = (asyncio.create_task(answers.within([1], 30)) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.sleep(0)
    oracle.may.set()
    assert await other == {1: 2}


async def test_so_much_is_asked_and_kept_and_no_more() -> None:
    oracle = Oracle()
    answers = oracle.answers(most=3, at_once=2)
    assert await answers.within(range(2000), 0.01) == {}
    oracle.may.set()
    found = await answers.within([1, 2, 3], 30)
    assert oracle.most == 2
    assert len(found) == 3
    while answers.version < 512:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert len(oracle.asked) == 512
    await answers.within([511, 1], 30)
    assert oracle.asked[512:] == [1], "what was not asked for longest has given way"


async def test_a_defect_is_said_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    oracle = Oracle()
    oracle.may.set()
    answers = oracle.answers()
    assert await answers.within([-1, 1], 30) == {1: 2}
    assert await answers.within([-1], 30) == {}
    assert oracle.asked == [-1, 1, -1]
    assert "a question could not be asked" in caplog.text


async def test_the_end_ends_questions() -> None:
    oracle = Oracle()
    answers = oracle.answers()
    task = asyncio.create_task(answers.within([1], 30))
    await asyncio.sleep(0)
    await answers.close()
    assert await task == {}
