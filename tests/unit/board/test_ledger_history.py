"""The ledger's part of a history: asked once for all, kept for a while, bounded, and never waited for long."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.names import RELEASE
from ecs_release.board import ledger_history
from ecs_release.board.inventory import Place
from ecs_release.board.ledger_history import AWAY, MOST_ENTRIES, SLOW, LedgerHistory
from ecs_release.domain.model.errors import Retryable
from tests.builders.board_objects import rolled_back
from tests.unit.board.desk import Desk
from tests.unit.cli.kubectl.objects import ago

PLACE = Place("shop", "shop", "checkout", "staging")
SERVICE = "/services/shop/shop/checkout/staging"


def entry(attempt: str, stage: str = "end", **more: Any) -> LedgerEntry:
    return LedgerEntry.model_validate(
        {
            "installation": "default", "namespace": "shop", "project": "shop", "service": "checkout", "environment": "staging",
            "attemptID": attempt, "stage": stage, "startTime": ago(days=30), "completionTime": ago(days=29), "outcome": "Succeeded", **more,
        }
    )  # fmt: skip


class Queries:
    """The ledger, as slow and as broken as it is told to be."""

    def __init__(self, *entries: LedgerEntry) -> None:
        self.entries = list(entries)
        self.asked: list[tuple[Any, ...]] = []
        self.broken = False
        self.let = threading.Event()
        self.let.set()

    def history_of(
        self, environment: str, namespace: str, project: str, service: str, *, limit: int | None = None
    ) -> Iterable[LedgerEntry]:
        self.asked.append((environment, namespace, project, service, limit))
        assert self.let.wait(60)
        if self.broken:
            raise Retryable("arn:aws:dynamodb:eu-west-1:999988887777:table/secret does not answer")
        return self.entries


class World:
    def __init__(self, *entries: LedgerEntry, wait_s: float = 30) -> None:
        self.queries = Queries(*entries)
        self.time = 0.0
        self.news = 0
        self.history = LedgerHistory(self.queries, self.noted, lambda: self.time, wait_s)

    def noted(self) -> None:
        self.news += 1


@pytest.fixture
def world() -> Iterator[World]:
    made = World(entry("1", "start", outcome=None), entry("1"))
    yield made
    made.queries.let.set()
    made.history.close()


async def test_many_viewers_are_one_question_and_its_answer_is_kept_for_a_minute(world: World) -> None:
    await asyncio.gather(*(world.history.ask(PLACE) for _ in range(50)))
    assert world.queries.asked == [("staging", "shop", "shop", "checkout", MOST_ENTRIES)]
    (attempt,) = world.history.known(PLACE).attempts
    assert (attempt["attemptID"], attempt["outcome"], world.history.known(PLACE).note) == ("1", "Succeeded", "")
    mark = world.history.mark(PLACE)
    world.time = 59
    await world.history.ask(PLACE)
    assert len(world.queries.asked) == 1
    world.time = 61
    await world.history.ask(PLACE)
    assert (len(world.queries.asked), world.history.mark(PLACE), world.news) == (2, mark, 1), "the same answer is no news"
    world.time = 130
    world.queries.entries.append(entry("2"))
    await world.history.ask(PLACE)
    assert (world.history.mark(PLACE) != mark, world.news) == (True, 2)


async def test_what_does_not_answer_keeps_what_was_known_and_is_asked_again_sooner(world: World) -> None:
    await world.history.ask(PLACE)
    world.time, world.queries.broken = 61, True
    await world.history.ask(PLACE)
    known = world.history.known(PLACE)
    assert (len(known.attempts), known.note) == (1, AWAY)
    assert "999988887777" not in known.note
    world.time += 14
    await world.history.ask(PLACE)
    assert len(world.queries.asked) == 2
    world.time += 2
    world.queries.broken = False
    await world.history.ask(PLACE)
    assert (len(world.queries.asked), world.history.known(PLACE).note) == (3, "")


async def test_a_page_does_not_wait_for_long(world: World) -> None:
    world.history._wait_s = 0.01
    world.queries.let.clear()
    await world.history.ask(PLACE)
    assert world.history.known(PLACE).note == SLOW
    world.queries.let.set()
    async with asyncio.timeout(30):
        while not world.news:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert world.history.known(PLACE).note == ""


async def test_questions_and_answers_are_bounded(world: World) -> None:
    world.history._wait_s = 0.0
    world.queries.let.clear()
    for number in range(100):
        await world.history.ask(Place("shop", "shop", f"service-{number}", "staging"))
    assert len(world.history._asking) == ledger_history._UNDER_WAY
    world.queries.let.set()
    async with asyncio.timeout(60):
        while world.history._asking:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    world.history._wait_s = 30
    for number in range(100):
        await world.history.ask(Place("shop", "shop", f"service-{number}", "staging"))
    assert len(world.history._kept) == ledger_history._PLACES


@pytest.mark.parametrize("field", ["namespace", "project", "service", "environment"])
async def test_what_is_of_another_place_is_left_out(world: World, field: str) -> None:
    world.queries.entries = [entry("1"), entry("2", **{field: "vault"})]
    await world.history.ask(PLACE)
    assert [a["attemptID"] for a in world.history.known(PLACE).attempts] == ["1"]


async def test_the_page_has_what_the_ledger_has_and_asks_it_for_those_alone_who_see_the_service(world: World) -> None:
    desk = Desk()
    desk.fill()
    desk.watched.changed(RELEASE, rolled_back())
    desk.pages.ledger = world.history
    async with desk.served():
        for path in ("/services/vault/shop/treasure/staging", "/services/shop/shop/nothing/staging"):
            assert (await desk.get(path))[0] == 404
            assert (await desk.get(f"{path}/events"))[0] == 404
        assert (await desk.get(SERVICE, "eve"))[0] == 404
        assert world.queries.asked == []
        found = json.loads((await desk.get(f"{SERVICE}?format=json"))[1])
        assert ([a["id"] for a in found["history"]], found["ledger"]) == (["3", "2", "foreign-9", "1"], "")
        assert found["history"][-1]["completionTime"] == ago(days=29), "the end is the ledger's alone"
        assert len(world.queries.asked) == 1


async def test_an_answer_that_comes_late_has_the_page_loaded_anew(world: World) -> None:
    desk = Desk()
    desk.fill()
    desk.watched.changed(RELEASE, rolled_back())
    desk.pages.ledger = world.history
    world.history._on_answer = desk.pages.feed.wake
    world.history._wait_s = 0.0
    world.queries.let.clear()
    task = asyncio.create_task(desk.pages.feed.run())
    async with desk.served():
        _, text, _ = await desk.get(SERVICE)
        assert SLOW in text.replace("&#39;", "'")
        at = text.partition('data-position="')[2].partition('"')[0]
        async with desk.client.get(f"{SERVICE}/events?at={at}", headers={"X-Forwarded-User": "ben"}) as stream:
            await stream.content.readuntil(b"\n\n")
            world.queries.let.set()
            async with asyncio.timeout(30):
                assert await stream.content.readuntil(b"\n\n") == b"event: reload\ndata: {}\n\n"
        assert "has not answered yet" not in (await desk.get(SERVICE))[1]
    task.cancel()
