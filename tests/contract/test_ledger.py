"""The ledger: the fake and the one on DynamoDB pass the same suite; then what only the real one can do."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import CurrentImage, CurrentPart
from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.ledger.items import to_fields
from ecs_release.aws.ledger.table import definition
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, NotLeading, Problem, Retryable, Throttled
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from tests.aws_simulator.client import ACCOUNT, REGION, Simulator
from tests.builders.aws import access
from tests.builders.fake_ledger import DENIED, DOWN, LOST, THROTTLED, FakeLedger
from tests.builders.ledger_records import DIGEST, NOW, current_record, end_entry, ledger_release, start_entry

_numbers = itertools.count(1)
_ACTION = "TransactWriteItems"


class Bed:
    """A ledger, and what may happen to it."""

    def __init__(self, ledger: Ledger, fault: Callable[[str, int], None]) -> None:
        self.ledger = ledger
        self.fault = fault
        """Has the next calls of `record` go wrong: a kind of FAULTS, and how often."""

    def again(self) -> Ledger:
        """Return the ledger as another process has it: without what this one remembers."""
        return self.ledger


FAKE = {"down": DOWN, "throttled": THROTTLED, "denied": DENIED, "lost": LOST}
REAL: dict[str, dict[str, Any]] = {
    "down": {"status": 503},
    "throttled": {"code": "ThrottlingException", "message": "Rate exceeded", "status": 400},
    "denied": {"code": "AccessDeniedException", "message": "no", "status": 400},
    "lost": {"kind": "lost"},
}


@pytest.fixture
def table(sim: Simulator) -> str:
    """A table of the test's own."""
    name = f"ledger{next(_numbers)}-{int(time.time() * 1000) % 10**8}"
    sim.client("dynamodb").create_table(**definition(name))
    return name


@pytest.fixture(params=["fake", "real"])
def bed(request: pytest.FixtureRequest) -> Bed:
    if request.param == "fake":
        fake = FakeLedger()
        return Bed(fake, lambda kind, times: fake.faults.extend([FAKE[kind]] * times))
    sim, aws = request.getfixturevalue("sim"), request.getfixturevalue("aws")
    name = request.getfixturevalue("table")
    made = Bed(aws.ledger(access(), name), lambda kind, times: sim.fault(_ACTION, match=name, times=times, **REAL[kind]))
    made.again = lambda: aws.ledger(access(), name)  # type: ignore[method-assign]
    return made


# What both do.


async def test_an_attempt_is_recorded_once(bed: Bed) -> None:
    begun = start_entry()
    writes = [
        LedgerWrite(begun, current_record(0, "a1"), "pin", ledger_release()),
        LedgerWrite(end_entry(begun), current_record(1, "a1"), "pin", ledger_release()),
    ]
    for write in (*writes, *writes):
        assert (await bed.ledger.record(write)).number == 1
    first, last = await bed.again().attempt("prod", "team", "shop", "web", "a1", NOW)
    assert (first, last) == (begun.model_copy(update={"number": 1}), end_entry(begun).model_copy(update={"number": 1}))


async def test_what_was_recorded_is_never_changed(bed: Bed) -> None:
    await bed.ledger.record(LedgerWrite(start_entry(), None))
    assert (await bed.again().record(LedgerWrite(start_entry(description="other", hash="v9"), None, "pin"))).number is None
    first, _ = await bed.ledger.attempt("prod", "team", "shop", "web", "a1", NOW)
    assert first == start_entry()


async def test_an_attempt_that_is_not_there(bed: Bed) -> None:
    await bed.ledger.record(LedgerWrite(start_entry("a10"), None))
    assert await bed.ledger.attempt("prod", "team", "shop", "web", "a1", NOW) == (None, None)


async def test_equal_artifacts_have_one_number(bed: Bed) -> None:
    numbers = {
        (pin, environment): (
            await bed.again().record(LedgerWrite(start_entry(f"{pin}-{environment}", environment=environment), None, pin, ledger_release()))
        ).number
        for environment in ("stage", "prod")
        for pin in ("one", "two", "three")
    }
    assert [numbers[pin, "stage"] for pin in ("one", "two", "three")] == [1, 2, 3]
    assert [numbers[pin, "prod"] for pin in ("one", "two", "three")] == [1, 2, 3]
    assert (await bed.ledger.record(LedgerWrite(start_entry(project="other"), None, "three"))).number == 1, "each Project counts for itself"


async def test_without_a_pin_there_is_no_number(bed: Bed) -> None:
    assert (await bed.ledger.record(LedgerWrite(start_entry(), current_record(), "", ledger_release()))).number is None


async def test_an_older_record_never_replaces_a_newer_one(bed: Bed) -> None:
    newest = current_record(5, drifted=True)
    for record in (current_record(1), newest, current_record(3)):
        await bed.ledger.record(LedgerWrite(None, record))
    assert await bed.ledger.current("prod", "team", "shop", "web") == newest
    begun = start_entry()
    assert (await bed.ledger.record(LedgerWrite(begun, current_record(4), "pin", ledger_release()))).number == 1
    assert await bed.ledger.current("prod", "team", "shop", "web") == newest
    assert (await bed.ledger.attempt("prod", "team", "shop", "web", "a1", NOW))[0] is not None, "it is recorded all the same"


async def test_a_current_record_is_replaced_whole(bed: Bed) -> None:
    await bed.ledger.record(LedgerWrite(None, current_record(1, drifted=True, service_set="set", deleted_time=NOW)))
    await bed.ledger.record(LedgerWrite(None, current_record(1)))
    assert await bed.ledger.current("prod", "team", "shop", "web") == current_record(1)


async def test_the_newer_record_is_written_though_the_entry_is_there(bed: Bed) -> None:
    await bed.ledger.record(LedgerWrite(start_entry(), current_record(1, "a1"), "pin"))
    assert (await bed.again().record(LedgerWrite(start_entry(), current_record(2, "a1"), "pin"))).number == 1
    found = await bed.ledger.current("prod", "team", "shop", "web")
    assert found is not None
    assert found.observed_time == NOW + timedelta(minutes=2)
    assert found.deployed is not None
    assert found.deployed.number == 1, "the number that nobody could know before"


async def test_what_is_current_of_nothing(bed: Bed) -> None:
    assert await bed.ledger.current("prod", "team", "shop", "web") is None
    assert [c async for c in bed.ledger.currents("prod")] == []


async def test_what_is_current_in_an_environment(bed: Bed) -> None:
    for environment, name in (("prod", "web"), ("prod", "api"), ("stage", "web"), ("prod2", "web")):
        await bed.ledger.record(LedgerWrite(None, current_record(environment=environment, name=name)))
    assert [c async for c in bed.ledger.currents("prod")] == [current_record(name="api"), current_record(name="web")]


@pytest.mark.parametrize(("kind", "problem"), [("throttled", Throttled), ("denied", Denied), ("down", Retryable), ("lost", Ambiguous)])
async def test_what_goes_wrong_is_told_and_mended_by_repeating(bed: Bed, kind: str, problem: type[Problem]) -> None:
    write = LedgerWrite(start_entry(), current_record(0, "a1"), "pin", ledger_release())
    bed.fault(kind, 2 if kind in ("lost", "down") and not isinstance(bed.ledger, FakeLedger) else 1)
    with pytest.raises(problem):
        await bed.ledger.record(write)
    assert (await bed.ledger.record(write)).number == 1
    first, last = await bed.ledger.attempt("prod", "team", "shop", "web", "a1", NOW)
    assert first is not None
    assert last is None
    assert (await bed.ledger.record(LedgerWrite(start_entry("a2", 1), None, "other"))).number == 2, "no number was lost"


async def test_many_writers_agree(bed: Bed) -> None:
    """Each pin has one number, each number one pin, whoever comes first."""
    writers = [bed.again() for _ in range(4)]
    writes = [
        LedgerWrite(start_entry(f"a{n}", environment=f"e{n % 3}"), current_record(n, environment=f"e{n % 3}"), f"pin{n % 4}")
        for n in range(12)
    ]

    async def record(write: LedgerWrite, writer: Ledger) -> tuple[str, int | None]:
        while True:
            try:
                return write.pin, (await writer.record(write)).number
            except Retryable:
                await asyncio.sleep(0.01)

    pairs = [record(write, writer) for write in writes for writer in writers]
    found = await asyncio.wait_for(asyncio.gather(*pairs), 60)
    assert len(set(found)) == len({number for _, number in found}) == 4
    for n in range(3):
        last = await bed.ledger.current(f"e{n}", "team", "shop", "web")
        assert last is not None
        assert last.observed_time == NOW + timedelta(minutes=9 + n)


# What only the real one does.


async def test_each_record_is_one_transaction(aws: BotoAws, sim: Simulator, table: str) -> None:
    ledger, since = aws.ledger(access(), table), sim.mark()
    begun = start_entry()
    await ledger.record(LedgerWrite(begun, current_record(0, "a1"), "pin", ledger_release()))
    await ledger.record(LedgerWrite(end_entry(begun), current_record(1, "a1"), "pin", ledger_release()))
    calls = [c["action"] for c in sim.calls(service="dynamodb", since=since)]
    assert calls == ["GetItem", "GetItem", _ACTION, _ACTION], "pin, counter; a number that is known is not asked for again"
    found = sim.client("dynamodb").scan(TableName=table)["Items"]
    kinds = sorted(to_fields(item)["kind"] for item in found)
    assert kinds == ["Counter", "Current", "Entry", "Entry", "Pin", "Pointer", "Pointer", "Release"]


async def test_a_lost_answer_is_asked_for_again_at_once(aws: BotoAws, sim: Simulator, table: str) -> None:
    since = sim.mark()
    sim.fault(_ACTION, match=table, kind="lost")
    assert (
        await aws.ledger(access(), table).record(LedgerWrite(start_entry(), current_record(0, "a1"), "pin", ledger_release()))
    ).number == 1
    assert len(sim.calls(action=_ACTION, since=since)) == 3, "carried out, found to be there, and what is current, which may be newer now"


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        (["None", "ThrottlingError"], Throttled),
        (["ProvisionedThroughputExceeded", "ConditionalCheckFailed"], Throttled),
        (["ValidationError"], Blocked),
        (["TransactionConflict", "None"], None),
        ([], Blocked),
    ],
)
async def test_why_a_transaction_was_cancelled(
    aws: BotoAws, sim: Simulator, table: str, codes: list[str], problem: type[Problem] | None
) -> None:
    reasons = [{"Code": code, "Message": "said so"} for code in codes]
    sim.fault(
        _ACTION, match=table, code="TransactionCanceledException", message="cancelled", status=400, more={"CancellationReasons": reasons}
    )
    recorded = aws.ledger(access(), table).record(LedgerWrite(start_entry(), None))
    if problem is None:
        assert (await recorded).number is None
        return
    with pytest.raises(problem, match=table):
        await recorded


async def test_endless_contention_ends(aws: BotoAws, sim: Simulator, table: str) -> None:
    reasons = {"CancellationReasons": [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}]}
    sim.fault(_ACTION, match=table, code="TransactionCanceledException", message="", status=400, more=reasons, times=None)
    with pytest.raises(Retryable, match="others write the same items"):
        await aws.ledger(access(), table).record(LedgerWrite(start_entry(), None))
    sim.clear_faults(table)


async def test_a_counter_that_went_back_is_told(aws: BotoAws, sim: Simulator, table: str) -> None:
    await aws.ledger(access(), table).record(LedgerWrite(start_entry(), None, "pin"))
    key = {"pk": {"S": "N#team/shop"}, "sk": {"S": "counter"}}
    sim.client("dynamodb").delete_item(TableName=table, Key=key)
    with pytest.raises(Blocked, match="release 1 of Project team/shop is not there yet, and it is"):
        await aws.ledger(access(), table).record(LedgerWrite(start_entry("a2"), None, "other"))


async def test_a_process_without_its_lease_writes_nothing(sim: Simulator, table: str, aws: BotoAws) -> None:
    class Fence:
        def check(self, what: str) -> None:
            raise NotLeading(what)

    fenced = BotoAws(SystemClock(), version="0", session_name="test", threads=2, fence=Fence())
    with pytest.raises(NotLeading):
        await fenced.ledger(access(), table).record(LedgerWrite(start_entry(), None))
    fenced.close()
    assert sim.client("dynamodb").scan(TableName=table)["Count"] == 0


async def test_what_is_current_comes_in_pages(aws: BotoAws, sim: Simulator, table: str) -> None:
    ledger, message = aws.ledger(access(), table), "m" * 1000
    images = [CurrentImage(container=f"c{n}" + "x" * 200, digest=DIGEST, hash="h" * 200) for n in range(30)]
    part = CurrentPart(images=images, message=message, description=message)
    records = [current_record(name=f"s{n:03}", deployed=part, wanted=part, ready=part, observed=part) for n in range(30)]
    await asyncio.gather(*(ledger.record(LedgerWrite(None, record)) for record in records))
    since = sim.mark()
    assert [c async for c in ledger.currents("prod")] == records
    assert len(sim.calls(action="Query", since=since)) > 1


# The table.


async def test_a_ledger_is_found(aws: BotoAws, table: str) -> None:
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    assert await aws.ledger(access(), table).check() == arn
    assert await aws.ledger(Access("", REGION, access().role_arn), table).check() == arn


async def test_a_ledger_in_another_account_is_refused(aws: BotoAws, table: str) -> None:
    with pytest.raises(Denied, match=f"leads to account {ACCOUNT} .*but its account is 444455556666"):
        await aws.ledger(Access("444455556666", REGION, access().role_arn), table).check()


async def test_no_table_says_what_to_do(aws: BotoAws, sim: Simulator) -> None:
    since = sim.mark()
    ledger = aws.ledger(access(), "nowhere")
    with pytest.raises(Blocked, match=f"no DynamoDB table nowhere in {ACCOUNT}/{REGION}: make it"):
        await ledger.check()
    with pytest.raises(Blocked, match="nowhere"):
        await ledger.record(LedgerWrite(start_entry(), None))
    assert sim.calls(action="CreateTable", since=since) == []


async def test_a_table_is_made_where_that_is_wanted(aws: BotoAws, sim: Simulator) -> None:
    name = f"made{int(time.time() * 1000)}"
    arns = await asyncio.gather(*(aws.ledger(access(), name, create=True).check() for _ in range(2)))
    assert len(set(arns)) == 1
    dynamodb = sim.client("dynamodb")
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["DeletionProtectionEnabled"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert (await aws.ledger(access(), name).record(LedgerWrite(start_entry(), current_record(), "pin", ledger_release()))).number == 1


async def test_a_table_that_was_half_made_is_finished(aws: BotoAws, sim: Simulator, table: str) -> None:
    """The operator was killed between CreateTable and UpdateContinuousBackups; AWS is not ready for the latter at first, either."""
    sim.fault("UpdateContinuousBackups", match=table, code="ContinuousBackupsUnavailableException", message="", status=400)
    await aws.ledger(access(), table, create=True).check()
    backups = sim.client("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


async def test_another_table_is_no_ledger(aws: BotoAws, sim: Simulator) -> None:
    name = f"other{next(_numbers)}"
    sim.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
    )  # fmt: skip
    for create in (False, True):
        with pytest.raises(Blocked, match=r"is no ledger: the table has HASH key id \(N\), not pk \(S\).*index by-person is not there"):
            await aws.ledger(access(), name, create=create).check()
