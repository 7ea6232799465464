"""However calls of several writers are ordered, doubled, interleaved and lost: each entry once, each pin one number, the newest record.

The real adapter on moto in this process; which call goes on next, and what becomes of it, is hypothesis' choice.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend

from ecs_release.api.ledger import Stage
from ecs_release.aws.ledger import dynamodb
from ecs_release.aws.ledger.dynamodb import BotoLedger
from ecs_release.aws.ledger.items import to_current, to_entry, to_fields
from ecs_release.aws.ledger.table import definition
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, Retryable, Throttled
from ecs_release.domain.ports.ledger import LedgerWrite
from tests.aws_simulator.client_rollouts import ACCOUNT, REGION
from tests.aws_simulator.dynamodb import QuickTable, transact_quickly
from tests.builders.ledger_records import NOW, current_record, end_entry, ledger_release, start_entry

WELL, DOWN, THROTTLED, LOST = "well", "down", "throttled", "lost"
_tables = itertools.count()


class Conductor:
    """Where calls wait until it is their turn: a caller that hypothesis conducts."""

    def __init__(self, client: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.client = client
        self.draw = draw
        self.waiting: list[asyncio.Future[str]] = []
        self.faults_left = 12

    async def call(
        self,
        _access: Access,
        _service: str,
        method: str,
        _row: str,
        *,
        parameters: Mapping[str, Any],
        read: Any = None,
        parse: Any = None,
        **_: Any,
    ) -> Any:
        turn: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        fate = await turn
        if fate in (DOWN, THROTTLED):
            raise Retryable("down") if fate == DOWN else Throttled("slow down")
        answer = read(self.client, parameters) if read else parse(getattr(self.client, method)(**parameters))
        if fate == LOST:
            raise Ambiguous("lost")
        return answer

    async def conduct(self, writers: Sequence[asyncio.Task[Any]]) -> None:
        """Let one call after another go on, until all writers are done."""
        for _ in range(3000):
            for _ in range(5):
                await asyncio.sleep(0)
            if all(writer.done() for writer in writers):
                return
            if not self.waiting:
                continue
            turn = self.waiting.pop(self.draw(st.integers(0, len(self.waiting) - 1)))
            fate = self.draw(st.sampled_from([WELL, WELL, WELL, DOWN, THROTTLED, LOST, LOST])) if self.faults_left else WELL
            self.faults_left -= fate != WELL
            turn.set_result(fate)
        raise AssertionError("they never end")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(dynamodb, "_pause_s", lambda _: 0.0)
        patch.setattr(models, "Table", QuickTable)
        patch.setattr(DynamoDBBackend, "transact_write_items", transact_quickly)
        yield boto3.client("dynamodb", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y")


def write(number: int, stage: Stage, pin: int, minutes: int) -> LedgerWrite:
    """An attempt always deploys the same to the same environment; what is current may be older or newer."""
    environment = f"e{number % 2}"
    begun = start_entry(f"a{number}", number, environment=environment)
    entry = begun if stage is Stage.START else end_entry(begun)
    record = current_record(minutes, f"a{number}", environment=environment)
    return LedgerWrite(entry, record if minutes else None, f"pin{(number * pin) % 3}", ledger_release())


def writes() -> st.SearchStrategy[list[LedgerWrite]]:
    one = st.builds(write, st.integers(1, 4), st.sampled_from([Stage.START, Stage.END]), st.just(2), st.integers(0, 9))
    return st.lists(one, min_size=1, max_size=5)


async def record_all(made: BotoLedger, plan: Sequence[LedgerWrite]) -> list[tuple[str, int | None]]:
    """Record as the operator does: what fails is tried again."""
    found = []
    for one in plan:
        while True:
            try:
                found.append((one.pin, (await made.record(one)).number))
                break
            except Retryable:
                await asyncio.sleep(0)
    return found


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data(), plans=st.lists(writes(), min_size=1, max_size=3))
def test_any_history(client: Any, data: st.DataObject, plans: list[list[LedgerWrite]]) -> None:
    table = f"ledger{next(_tables)}"
    client.create_table(**definition(table))
    conductor = Conductor(client, data.draw)

    async def run() -> list[tuple[str, int | None]]:
        async with asyncio.timeout(60):
            ledgers = [BotoLedger(conductor, Access(ACCOUNT, REGION), table) for _ in plans]  # type: ignore[arg-type]
            writers = [asyncio.create_task(record_all(*pair)) for pair in zip(ledgers, plans, strict=True)]
            await conductor.conduct(writers)
            return [pair for writer in writers for pair in writer.result()]

    answers = asyncio.run(run())
    check(client.scan(TableName=table)["Items"], [one for plan in plans for one in plan], answers)


def check(found: list[dict[str, Any]], wanted: list[LedgerWrite], answers: list[tuple[str, int | None]]) -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for item in found:
        by_kind.setdefault(item["kind"]["S"], []).append(item)
    numbers = dict(answers)
    assert set(answers) == set(numbers.items()), "a pin has one number"
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1)), "and a number one pin; none was lost"
    assert [to_fields(c)["n"] for c in by_kind["Counter"]] == [len(numbers)]
    assert len(by_kind["Pin"]) == len(by_kind["Release"]) == len(numbers)

    entries = {(w.entry.attempt_id, w.entry.stage): w.entry.model_copy(update={"number": numbers[w.pin]}) for w in wanted if w.entry}
    assert {(e.attempt_id, e.stage): e for e in map(to_entry, by_kind["Entry"])} == entries
    assert len(by_kind["Entry"]) == len(by_kind["Pointer"]) == len(entries)

    newest: dict[str, int] = {}
    for one in wanted:
        if one.current is not None:
            minutes = (one.current.observed_time - NOW) // timedelta(minutes=1)
            newest[one.current.environment] = max(minutes, newest.get(one.current.environment, 0))
    shown = {c.environment: c for c in map(to_current, by_kind.get("Current", ()))}
    assert {e: (c.observed_time - NOW) // timedelta(minutes=1) for e, c in shown.items()} == newest
    for record in shown.values():
        assert record.deployed is not None
        assert record.deployed.number is not None, "the number of the attempt that it names"
