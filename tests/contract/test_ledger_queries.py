"""Each question about the ledger is one Query on the simulated AWS, and its answer is what a plain look at everything finds."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.ledger.items import PROJECTED
from ecs_release.aws.ledger.queries import LedgerReader, ledger_client
from ecs_release.aws.ledger.table import definition
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Throttled
from ecs_release.domain.ports.ledger import LedgerWrite
from tests.aws_simulator.client import REGION, Simulator
from tests.builders.ledger_records import NOW, current_record, end_entry, ledger_release, start_entry

_numbers = itertools.count(1)
ROBOT = "system:serviceaccount:argocd:argo"
OWN = Access("", REGION)
EVE = "arn:aws:sts::111122223333:assumed-role/admin/eve#1"


class Bed:
    """A ledger with some history, and what a plain look at all of it shows."""

    def __init__(self, sim: Simulator, aws: BotoAws) -> None:
        self.sim = sim
        self.table = f"queries{next(_numbers)}-{int(time.time() * 1000) % 10**8}"
        client = ledger_client(REGION)
        client.create_table(**definition(self.table))
        self.reader = LedgerReader(client, self.table)
        self.ledger = aws.ledger(OWN, self.table)
        self.entries: list[LedgerEntry] = []

    async def fill(self) -> None:
        people = [("ann", ROBOT), ("bob", "ann"), (None, "ann"), ("ann", "ann"), (None, None)]
        for n in range(20):
            requested, applied = people[n % 5]
            foreign = {"cause": "Foreign", "changed_by": EVE} if n % 7 == 6 else {}
            begun = start_entry(
                f"a{n}", 10 * n, environment=("prod", "stage")[n % 2], name=("web", "api")[n // 2 % 2], project=("shop", "pay")[n // 10],
                requested_by=requested, applied_by=applied, **foreign,
            )  # fmt: skip
            for entry in (begun, end_entry(begun)):
                now = current_record(
                    10 * n, f"a{n}", environment=entry.environment, name=entry.service, project=entry.project, drifted=None
                )
                number = (await self.ledger.record(LedgerWrite(entry, now, f"pin{n % 3}", ledger_release(project=entry.project)))).number
                self.entries.append(entry.model_copy(update={"number": number}))

    def answer(self, ask: Callable[[LedgerReader], Any]) -> Any:
        """Ask, and see to it that it was one Query, and nothing but that."""
        since = self.sim.mark()
        found = ask(self.reader)
        found = list(found) if isinstance(found, Iterator) else found
        assert [c["action"] for c in self.sim.calls(since=since, service="dynamodb")] == ["Query"]
        return found

    def expected(self, fits: Callable[[LedgerEntry], object]) -> list[LedgerEntry]:
        found = sorted(filter(fits, self.entries), key=lambda e: (happened(e), e.attempt_id, e.stage), reverse=True)
        return [lean(e) for e in found]


def happened(entry: LedgerEntry) -> datetime:
    return entry.start_time if entry.stage is Stage.START else entry.completion_time or entry.start_time


def lean(entry: LedgerEntry) -> LedgerEntry:
    return LedgerEntry.model_validate({k: v for k, v in entry.to_kubernetes().items() if k in PROJECTED})


@pytest.fixture(scope="module")
def _made() -> dict[str, Bed]:
    return {}


@pytest.fixture
async def bed(sim: Simulator, aws: BotoAws, _made: dict[str, Bed]) -> Bed:
    if "bed" not in _made:
        _made["bed"] = Bed(sim, aws)
        await _made["bed"].fill()
    made = _made["bed"]
    made.ledger = aws.ledger(OWN, made.table)
    return made


async def test_what_is_deployed_in_an_environment(bed: Bed) -> None:
    found = bed.answer(lambda r: r.deployed_in("prod"))
    assert found == [c async for c in bed.ledger.currents("prod")]
    assert [(c.project, c.service) for c in found] == [("pay", "api"), ("pay", "web"), ("shop", "api"), ("shop", "web")]
    assert bed.answer(lambda r: r.deployed_in("nowhere")) == []


async def test_a_services_history_is_whole(bed: Bed) -> None:
    found = bed.answer(lambda r: r.history_of("prod", "team", "shop", "web"))
    whole = [e for e in bed.entries if (e.environment, e.project, e.service) == ("prod", "shop", "web")]
    assert found == sorted(whole, key=lambda e: (e.start_time, e.attempt_id, e.stage), reverse=True)
    assert bed.answer(lambda r: r.history_of("prod", "team", "shop", "web", limit=3)) == found[:3]


async def test_a_projects_history(bed: Bed) -> None:
    expected = bed.expected(lambda e: e.project == "pay")
    assert bed.answer(lambda r: r.history_of_project("team", "pay")) == expected
    assert bed.answer(lambda r: r.history_of_project("team", "pay", limit=5)) == expected[:5]


@pytest.mark.parametrize(("since", "until"), [(120, None), (None, 120), (120, 150), (120, 121.5)])
async def test_a_part_of_a_projects_history(bed: Bed, since: float | None, until: float | None) -> None:
    first = NOW + timedelta(minutes=since) if since is not None else None
    last = NOW + timedelta(minutes=until) if until is not None else None
    expected = bed.expected(lambda e: e.project == "pay" and (not first or happened(e) >= first) and (not last or happened(e) < last))
    assert expected
    assert bed.answer(lambda r: r.history_of_project("team", "pay", since=first, until=last)) == expected


@pytest.mark.parametrize("person", ["ann", "bob", ROBOT, EVE])
async def test_what_a_person_had_a_part_in(bed: Bed, person: str) -> None:
    found = bed.answer(lambda r: r.by_person(person))
    expected = bed.expected(lambda e: person == e.changed_by or (not e.changed_by and person in (e.requested_by, e.applied_by)))
    assert found
    assert {e.attempt_id for e in found} == {e.attempt_id for e in expected}, "each attempt"
    assert all(e in expected for e in found)
    assert found == sorted(found, key=lambda e: (happened(e), e.attempt_id, e.stage), reverse=True)


async def test_everything_between_two_instants(bed: Bed) -> None:
    first, last = NOW + timedelta(minutes=30), NOW + timedelta(minutes=80)
    assert bed.answer(lambda r: r.between(first, last)) == bed.expected(lambda e: first <= happened(e) < last)
    assert list(bed.reader.between(last, first)) == []


async def test_a_release_number(bed: Bed) -> None:
    found, entries = bed.answer(lambda r: r.release("team", "shop", 2))
    assert found == ledger_release(number=2)
    expected = [e for e in bed.entries if (e.project, e.number) == ("shop", 2)]
    assert {(e.attempt_id, e.stage, e.outcome) for e in entries} == {(e.attempt_id, e.stage, e.outcome) for e in expected}
    assert all(e.images and e.images[0].to_digest and not e.images[0].from_digest for e in entries)
    assert bed.answer(lambda r: r.release("team", "shop", 99)) == (None, [])


async def test_answers_of_several_pages(bed: Bed, sim: Simulator) -> None:
    long = start_entry("b1", project="long").model_copy(update={"message": "m" * 1000, "window": "w" * 1000})
    writes = [long.model_copy(update={"attempt_id": f"b{n}", "start_time": NOW + timedelta(seconds=n)}) for n in range(400)]
    await asyncio.gather(*(bed.ledger.record(LedgerWrite(entry, None)) for entry in writes))
    since = sim.mark()
    found = list(bed.reader.history_of("prod", "team", "long", "web"))
    assert found == writes[::-1]
    assert len(sim.calls(action="Query", since=since)) == 2
    assert list(bed.reader.history_of("prod", "team", "long", "web", limit=399)) == writes[:0:-1]


async def test_an_odd_item_is_left_out_and_the_others_are_found(sim: Simulator, aws: BotoAws) -> None:
    """Somebody has edited the table: of one service, and of a numbered release, each answer still has all the others."""
    bed = Bed(sim, aws)
    await bed.fill()
    items = bed.reader._client.scan(TableName=bed.table)["Items"]
    ours = [i for i in items if i.get("project") == {"S": "shop"} and i.get("environment") == {"S": "prod"}]
    for kind in ("Current", "Pointer", "Entry"):
        one = next(i for i in ours if i["kind"] == {"S": kind})
        bed.reader._client.put_item(TableName=bed.table, Item={**one, "namespace": {"N": "7"}})
    left_out: list[str] = []
    reader = LedgerReader(bed.reader._client, bed.table, left_out.append)
    entry = next(i for i in ours if i["kind"] == {"S": "Entry"})
    service = entry["service"]["S"]
    pointer = next(i for i in ours if i["kind"] == {"S": "Pointer"})

    assert len(list(reader.deployed_in("prod"))) == 3
    assert len(left_out) == 1 and "cannot be read by this version" in left_out[0]
    whole = [e for e in bed.entries if (e.environment, e.project, e.service) == ("prod", "shop", service)]
    assert len(list(reader.history_of("prod", "team", "shop", service))) == len(whole) - 1
    assert len(list(reader.history_of("prod", "team", "shop", service, limit=2))) == 2
    number = int(pointer["number"]["N"])
    release, deployments = reader.release("team", "shop", number)
    assert release is not None
    assert len(deployments) == len([e for e in bed.entries if (e.project, e.number) == ("shop", number)]) - 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 500, "times": 3}, Retryable),
        ({"code": "ThrottlingException", "message": "Rate exceeded", "status": 400, "times": 3}, Throttled),
        ({"code": "AccessDeniedException", "message": "no", "status": 400}, Denied),
    ],
)
async def test_what_goes_wrong_is_a_problem(bed: Bed, sim: Simulator, fault: dict[str, Any], problem: type[Problem]) -> None:
    sim.fault("Query", match=bed.table, **fault)
    with pytest.raises(problem, match=bed.table):
        list(bed.reader.deployed_in("prod"))


async def test_a_table_that_is_not_there(bed: Bed) -> None:
    with pytest.raises(Blocked, match="nowhere"):
        list(LedgerReader(boto3.client("dynamodb", region_name=REGION), "nowhere").deployed_in("prod"))
