"""Recording: everything is written once, in order, whatever the ledger does; and nobody waits for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import Stage
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.ledger.current_record import checksum
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement, acknowledge
from ecs_release.engine.ledger.recorder import Recorder
from tests.builders.fake_ledger import DENIED, DOWN, LOST, THROTTLED, FakeLedger
from tests.builders.recorder import NO_RELEASES, Process, deleted_in_process, facts_of, settle
from tests.builders.simulated_time import run_simulated


def test_entries_are_written_in_order_and_acknowledged() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(2), process.attempt(1, "Succeeded"))
            await settle(process, 5)
            assert process.told() == [("v1", "start"), ("v2", "start"), ("v1", "end")]
            history = process.statuses["web"].history or ()
            assert [(h.number, h.record.state if h.record else None) for h in history] == [(2, "Start"), (1, "End")]
            records = process.ledger.records
            process.one_pass("web")
            await settle(process, 60)
            assert process.ledger.records == records, "nothing is written again"

    run_simulated(main())


@pytest.mark.parametrize("faults", [[LOST], [THROTTLED, THROTTLED], [DOWN, LOST, DOWN], [LOST, LOST, LOST]])
def test_what_fails_is_written_once_later(faults: list[Any]) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        ledger.faults = list(faults)
        async with Process(ledger) as process:
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process)
            assert process.told() == [("v1", "start"), ("v1", "end")]
            assert process.troubled <= 1, "a hiccup is not told"

    run_simulated(main())


def test_an_outage_is_told_once_and_its_end() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            begun, ledger.problem = process.troubled, DOWN
            for name in ("api", "web"):
                process.says(name, process.attempt(1))
            await asyncio.sleep(600)
            assert process.troubled == begun + 1 and process.recorder.sender.problem == DOWN
            assert {k.name for k in process.asked} == {"api", "web"}
            assert process.recorder.waiting == 2 and process.recorder.sender.oldest_s >= 600
            for _ in range(3):
                process.says("web", process.attempt(1, "Succeeded"))
            ledger.problem = None
            await settle(process)
            assert process.troubled == begun + 2 and process.recorder.sender.problem is None
            assert sorted(process.told()) == [("v1", "end"), ("v1", "start"), ("v1", "start")]

    run_simulated(main())


def test_denied_is_told_at_once() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DENIED
            process.says("web", process.attempt(1))
            await asyncio.sleep(1)
            assert process.recorder.sender.problem == DENIED

    run_simulated(main())


def test_a_crash_forgets_nothing() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        ledger.faults = [None, LOST]
        async with Process(ledger) as first:
            first.says("web", first.attempt(2), first.attempt(1, "Succeeded"))
            await asyncio.sleep(0.5)
        async with Process(ledger) as second:
            second.says("web", second.attempt(2), second.attempt(1, "Succeeded"))
            await settle(second)
            assert sorted(second.told()) == [("v1", "end"), ("v1", "start"), ("v2", "start")]

    run_simulated(main())


def test_what_is_written_while_its_release_cannot_be_watched_is_acknowledged_once_it_can() -> None:
    """The answer is for nobody: it is asked for again, and nothing is recorded twice."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DOWN
            process.says("web", process.attempt(1, "Succeeded"))
            process.recorder.forget(facts_of("web"))
            await asyncio.sleep(5)
            seen = process.statuses.pop("web")
            ledger.problem = None
            await settle(process)
            assert process.told() == [("v1", "start"), ("v1", "end")]
            process.statuses["web"] = seen
            process.one_pass("web")
            await settle(process)
            (entry,) = process.statuses["web"].history or ()
            assert entry.record is not None and entry.record.state == "End" and len(ledger.entries) == 2

    run_simulated(main())


def test_a_later_verdict_is_an_entry_of_its_own() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(1, "DeadlineExceeded"))
            await settle(process, 5)
            process.says("web", process.attempt(1, "SucceededLate"))
            await settle(process, 5)
            assert process.told() == [("v1", "start"), ("v1", "end"), ("v1", "late")]
            process.one_pass("web")
            await settle(process, 5)
            assert len(process.ledger.entries) == 3

    run_simulated(main())


def test_without_a_ledger_nothing_happens() -> None:
    async def main() -> None:
        process = Process(FakeLedger())
        process.recorder = Recorder(None, NO_RELEASES, process.clock, process.again, process.trouble)
        await process.recorder.run()
        process.says("web", process.attempt(1))
        process.recorder.release_deleted(facts_of("web"))
        assert process.recorder.waiting == 0 and await process.recorder.recall("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_the_past_is_not_waited_for() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        ledger.problem = DOWN
        process = Process(ledger)
        assert await process.recorder.recall("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_acknowledging_again_changes_nothing() -> None:
    process = Process.__new__(Process)
    status = ReleaseStatus.model_validate({"history": [process.attempt(1, "Succeeded")]})
    said = (
        Acknowledgement("20260101t000001-000001", Stage.START, "", 7, "sum"),
        Acknowledgement("20260101t000001-000001", Stage.END, "Succeeded", 7, "sum"),
    )
    once = acknowledge(status, said)
    assert acknowledge(once, said) == once
    assert acknowledge(once, said[:1]) == once, "an older answer takes nothing back"


class FussyLedger(FakeLedger):
    """Refuses what one service has to say, in one way or another."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.of_one = problem

    async def record(self, write: LedgerWrite) -> RecordResult:
        if write.entry is not None and write.entry.service.startswith("bad"):
            raise self.of_one
        return await super().record(write)


@pytest.mark.parametrize("problem", [Blocked("RejectedByAWS", "the ledger contradicts itself"), TypeError("a defect")])
def test_what_cannot_be_recorded_keeps_nobody_else_waiting(problem: Exception) -> None:
    async def main() -> None:
        async with Process(FussyLedger(problem)) as process:
            for number in range(12):
                process.says(f"bad{number}", process.attempt(1))
            await asyncio.sleep(30)
            for number in range(20):
                process.says(f"good{number}", process.attempt(1, "Succeeded"))
            await asyncio.sleep(5)
            assert sum(e.service.startswith("good") for e in process.ledger.entries.values()) == 40
            assert process.recorder.waiting == 12 and process.recorder.sender.problem is None
            told = process.facts("bad3").ledger.problem
            assert told is not None and process.facts("good3").ledger.problem is None

    run_simulated(main())


def test_what_waits_of_deleted_releases_is_in_the_audit_log_if_the_process_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DOWN
            process.says("web", process.attempt(1, "Succeeded"))
            process.says("api", process.attempt(1))
            deleted_in_process(process)

    run_simulated(main())
    said = [r.record for r in caplog.records if r.name == "ecs_release.audit"]  # type: ignore[attr-defined]
    assert {(r["service"], r["stage"]) for r in said} == {("web", "start"), ("web", "end")}


def test_answers_that_come_while_a_pass_goes_on_are_for_the_next() -> None:
    """Two current records are written between two statuses: the older one's acknowledgement must not come back."""

    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(1))
            await settle(process, 5)
            old_facts = process.facts("web")
            process.says("web", process.attempt(1, "RolloutFailed"))
            await asyncio.sleep(2)
            # A pass that began before the answer came ends after it.
            process.recorder.record_status(process.key("web"), old_facts, process.statuses["web"])
            await settle(process, 60)
            known = process.statuses["web"].ledger
            current = process.ledger.current_records["prod", "shop", "store", "web"]
            assert known is not None and known.current == checksum(current)
            assert current.deployed is not None and current.deployed.outcome == "RolloutFailed"
            assert process.facts("web").ledger.acknowledged == ()

    run_simulated(main())


def test_a_clock_that_was_ahead_is_overruled() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as first:
            first.says("web", first.attempt(1))
            await settle(first, 5)
        key = ("prod", "shop", "store", "web")
        ahead = ledger.current_records[key].observed_time + timedelta(hours=1)
        ledger.current_records[key] = ledger.current_records[key].model_copy(update={"observed_time": ahead})
        async with Process(ledger) as second:
            second.statuses = first.statuses
            second.says("web", second.attempt(1, "Succeeded"))
            await settle(second, 60)
            deployed = ledger.current_records[key].deployed
            assert deployed is not None and deployed.outcome == "Succeeded"

    run_simulated(main())


def test_an_end_that_was_not_the_last_word_has_a_late_one() -> None:
    """Closed as abandoned, made again under its attempt's id, and gone well."""

    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(1))
            await settle(process, 5)
            deleted_in_process(process)
            await settle(process)
            process.uids["web"] = "another"
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process)
            assert [(e.stage, e.outcome) for e in process.ledger.entries.values()] == [
                ("start", None), ("end", "Abandoned"), ("late", "Succeeded"),
            ]  # fmt: skip

    run_simulated(main())


def test_nobody_waits_twice_for_a_ledger_that_does_not_answer() -> None:
    class Silent(FakeLedger):
        async def current(self, *identity: str) -> Any:
            await asyncio.sleep(3600)

    async def main() -> None:
        process = Process(Silent())
        begun = process.clock.monotonic()
        for number in range(100):
            assert await process.recorder.recall("prod", "shop", "store", f"web{number}") is None
        assert process.clock.monotonic() - begun <= 6

    run_simulated(main())


def test_what_waits_of_a_deleted_release_is_in_the_audit_log_as_soon_as_writing_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A process that is killed says nothing more."""

    async def main() -> None:
        async with Process(FakeLedger()) as process:
            await asyncio.sleep(1)
            process.ledger.faults = [THROTTLED] * 9
            process.says("web", process.attempt(1))
            await asyncio.sleep(0.1)
            deleted_in_process(process)
            assert process.recorder.sender.problem is None, "too short a time to be told"
            assert [r.name for r in caplog.records].count("ecs_release.audit") == 1

    run_simulated(main())
