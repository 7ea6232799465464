"""Recording: everything is written once, in order, whatever the ledger does; and nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import Stage
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.errors import Blocked, Problem
from ecs_release.domain.facts import Facts, Limits
from ecs_release.domain.ledger_port import LedgerWrite, Recorded
from ecs_release.domain.ports import ObjectKey
from ecs_release.domain.records.acknowledgements import Acknowledged, acknowledge
from ecs_release.domain.records.current import sum_of
from ecs_release.engine.recorder import Recorder
from ecs_release.engine.store import ReleaseFacts
from tests.unit.domain.test_targets import environment
from tests.unit.engine.ledgers import DENIED, DOWN, LOST, MISSING, THROTTLED, FakeLedger
from tests.unit.simulated_time import SimulatedClock, run_simulated


class Process:
    """A recorder, and Releases whose statuses it is told."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.ledger = ledger
        self.clock = SimulatedClock()
        self.statuses: dict[str, ReleaseStatus] = {}
        self.asked: list[ObjectKey] = []
        self.troubled = 0
        self.recorder = Recorder(ledger, self.clock, self.again, self.trouble)
        self.there: set[str] = set()
        self.uids: dict[str, str] = {}
        self.recorder.closer.about("default", lambda _: frozenset(("shop", "store", name) for name in self.statuses), self.exists, 60)
        self.task: asyncio.Task[None] | None = None

    def trouble(self) -> None:
        self.troubled += 1

    async def exists(self, key: ObjectKey) -> bool:
        return key.name in self.there

    def again(self, key: ObjectKey, after_s: float) -> None:
        """A pass: what the ledger has is acknowledged in status."""
        self.asked.append(key)
        asyncio.get_running_loop().call_later(after_s, self.one_pass, key.name)

    def one_pass(self, name: str) -> None:
        if name not in self.statuses:
            return
        facts = self.facts(name)
        self.statuses[name] = acknowledge(self.statuses[name], facts.acknowledged)
        self.recorder.decided(self.key(name), facts, self.statuses[name])

    @staticmethod
    def key(name: str) -> ObjectKey:
        return ObjectKey("Release", "shop", name)

    def facts(self, name: str) -> Facts:
        body: dict[str, Any] = {
            "metadata": {"name": name, "namespace": "shop", "uid": self.uids.get(name, f"uid-{name}"), "generation": 1},
            "spec": {
                "projectRef": {"name": "store"}, "service": name, "environmentRef": {"name": "prod"}, "source": {"releaseHash": "v1"},
            },
        }  # fmt: skip
        release = Release.model_validate(body)
        facts = Facts(
            release=release.model_copy(update={"status": self.statuses[name]}), now=self.clock.now(), limits=Limits(),
            environment=environment(),
        )  # fmt: skip
        return self.recorder.told(self.key(name), facts)

    def attempt(self, number: int, outcome: str | None = None) -> dict[str, Any]:
        at = f"20260101t0000{number:02}-00000{number}"
        ended = {"outcome": outcome, "completionTime": "2026-01-01T00:10:00Z"} if outcome else {}
        return {
            "attemptID": at, "cause": "Requested", "hash": f"v{number}", "startTime": f"2026-01-01T00:00:{number:02}Z",
            "record": {"pin": f"pin-{number}"}, **ended,
        }  # fmt: skip

    def says(self, name: str, *history: dict[str, Any]) -> None:
        """A status is accepted; what was acknowledged stays."""
        known = {e.attempt_id: e for e in (self.statuses[name].history or ())} if name in self.statuses else {}
        found = ReleaseStatus.model_validate({"history": list(history), "rollout": history[0]})
        entries = [
            e.model_copy(update={"record": known[e.attempt_id].record, "number": known[e.attempt_id].number})
            if e.attempt_id in known
            else e
            for e in found.history or ()
        ]
        ledger = self.statuses[name].ledger if name in self.statuses else None
        self.statuses[name] = found.model_copy(update={"history": entries, "ledger": ledger})
        self.recorder.decided(self.key(name), self.facts(name), self.statuses[name])

    async def __aenter__(self) -> Process:
        """It runs."""
        self.task = asyncio.create_task(self.recorder.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """It is killed."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def told(self) -> list[tuple[str, str]]:
        return [(e.hash or "", str(e.stage)) for e in self.ledger.entries.values()]


async def settle(process: Process, seconds: float = 300) -> None:
    await asyncio.sleep(seconds)
    assert process.recorder.waiting == 0


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
            assert process.troubled == begun + 1 and process.recorder.problem == DOWN
            assert {k.name for k in process.asked} == {"api", "web"}
            assert process.recorder.waiting == 2 and process.recorder.oldest_s >= 600
            for _ in range(3):
                process.says("web", process.attempt(1, "Succeeded"))
            ledger.problem = None
            await settle(process)
            assert process.troubled == begun + 2 and process.recorder.problem is None
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
            assert process.recorder.problem == DENIED

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


def facts_of(name: str) -> ReleaseFacts:
    return ReleaseFacts(Process.key(name), f"uid-{name}", datetime(2026, 1, 1, tzinfo=UTC), "store", name, "prod", 0)


def deleted_in_process(process: Process) -> None:
    del process.statuses["web"]
    process.recorder.gone(facts_of("web"))


def deleted_unseen(process: Process) -> None:
    del process.statuses["web"]
    process.recorder.closer.sweep(["prod"])


@pytest.mark.parametrize("delete", [deleted_in_process, deleted_unseen])
@pytest.mark.parametrize("outage", [False, True])
def test_a_deleted_releases_attempt_is_closed_once(delete: Callable[[Process], None], outage: bool) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.says("web", process.attempt(1))
            process.says("api", process.attempt(1))
            await settle(process, 5)
            ledger.problem = DOWN if outage else None
            delete(process)
            await asyncio.sleep(120)
            ledger.problem = None
            await settle(process)
            ends = [e for e in ledger.entries.values() if e.stage is Stage.END]
            assert [(e.service, e.outcome) for e in ends] == [("web", "Abandoned")]
            current = ledger.current_records["prod", "shop", "store", "web"]
            assert current.deleted_time is not None and current.deployed is not None and current.deployed.outcome == "Abandoned"
            assert ledger.current_records["prod", "shop", "store", "api"].deleted_time is None
            records = ledger.records
            process.recorder.gone(facts_of("web"))
            await settle(process)
            assert ledger.records == records

    run_simulated(main())


def test_one_that_was_made_again_is_not_closed() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(1))
            await settle(process, 5)
            process.recorder.gone(facts_of("web"))
            await settle(process)
            assert process.ledger.current_records["prod", "shop", "store", "web"].deleted_time is None

    run_simulated(main())


def test_what_waits_of_a_deleted_release_is_written_before_it_is_closed() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        ledger.faults = [THROTTLED] * 5
        async with Process(ledger) as process:
            process.says("web", process.attempt(1))
            deleted_in_process(process)
            await settle(process)
            assert process.told() == [("v1", "start"), ("v1", "end")]

    run_simulated(main())


def test_without_a_ledger_nothing_happens() -> None:
    async def main() -> None:
        process = Process(FakeLedger())
        process.recorder = Recorder(None, process.clock, process.again, process.trouble)
        await process.recorder.run()
        process.says("web", process.attempt(1))
        process.recorder.gone(facts_of("web"))
        assert process.recorder.waiting == 0 and await process.recorder.remember("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_the_past_is_not_waited_for() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        ledger.problem = DOWN
        process = Process(ledger)
        assert await process.recorder.remember("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_acknowledging_again_changes_nothing() -> None:
    process = Process.__new__(Process)
    status = ReleaseStatus.model_validate({"history": [process.attempt(1, "Succeeded")]})
    said = (
        Acknowledged("20260101t000001-000001", Stage.START, "", 7, "sum"),
        Acknowledged("20260101t000001-000001", Stage.END, "Succeeded", 7, "sum"),
    )
    once = acknowledge(status, said)
    assert acknowledge(once, said) == once
    assert acknowledge(once, said[:1]) == once, "an older answer takes nothing back"


class FussyLedger(FakeLedger):
    """Refuses what one service has to say, in one way or another."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.of_one = problem

    async def record(self, write: LedgerWrite) -> Recorded:
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
            assert process.recorder.waiting == 12 and process.recorder.problem is None
            told = process.facts("bad3").ledger_problem
            assert told is not None and process.facts("good3").ledger_problem is None

    run_simulated(main())


def test_a_record_that_cannot_be_read_stops_nothing() -> None:
    class Unreadable(FakeLedger):
        async def currents(self, environment: str) -> Any:
            raise Blocked("RejectedByAWS", "item E#prod cannot be read")
            yield

        async def current(self, *identity: str) -> Any:
            raise Blocked("RejectedByAWS", "item E#prod cannot be read")

    async def main() -> None:
        async with Process(Unreadable()) as process:
            process.recorder.closer.sweep(["prod"])
            await asyncio.sleep(60)
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process, 30)
            assert process.told() == [("v1", "start"), ("v1", "end")]
            assert await process.recorder.remember("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_one_that_is_made_again_loses_nothing_of_its_predecessor() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DOWN
            process.says("web", process.attempt(1, "Succeeded"))
            await asyncio.sleep(100)
            process.recorder.gone(facts_of("web"))
            process.statuses["web"] = ReleaseStatus()
            process.uids["web"] = "another"
            process.says("web", process.attempt(2))
            ledger.problem = None
            await settle(process)
            assert sorted(process.told()) == [("v1", "end"), ("v1", "start"), ("v2", "start")]
            history = process.statuses["web"].history or ()
            assert [h.record.state for h in history if h.record] == ["Start"]

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
            process.recorder.decided(process.key("web"), old_facts, process.statuses["web"])
            await settle(process, 60)
            known = process.statuses["web"].ledger
            current = process.ledger.current_records["prod", "shop", "store", "web"]
            assert known is not None and known.current == sum_of(current)
            assert current.deployed is not None and current.deployed.outcome == "RolloutFailed"
            assert process.recorder.acknowledged(process.key("web")) == ()

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


def test_what_only_comes_late_after_the_start_is_not_closed() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as first:
            first.says("web", first.attempt(1))
            first.says("api", first.attempt(1))
            await settle(first, 5)
        async with Process(ledger) as second:
            second.there = {"api"}
            second.recorder.closer.sweep(["prod"])
            await asyncio.sleep(30)
            second.says("web", first.attempt(1))
            await asyncio.sleep(300)
            assert [c.deleted_time for c in ledger.current_records.values()] == [None, None]

    run_simulated(main())


def test_nobody_waits_twice_for_a_ledger_that_does_not_answer() -> None:
    class Silent(FakeLedger):
        async def current(self, *identity: str) -> Any:
            await asyncio.sleep(3600)

    async def main() -> None:
        process = Process(Silent())
        begun = process.clock.monotonic()
        for number in range(100):
            assert await process.recorder.remember("prod", "shop", "store", f"web{number}") is None
        assert process.clock.monotonic() - begun <= 6

    run_simulated(main())


def test_what_went_while_a_pass_was_under_way_is_closed() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            await asyncio.sleep(1)
            process.statuses["web"] = ReleaseStatus.model_validate({"history": [process.attempt(1)], "rollout": process.attempt(1)})
            facts, status = process.facts("web"), process.statuses["web"]
            deleted_in_process(process)
            await settle(process)
            process.recorder.decided(process.key("web"), facts, status)
            await settle(process)
            assert [(e.stage, e.outcome) for e in process.ledger.entries.values()] == [("start", None), ("end", "Abandoned")]
            assert process.ledger.current_records["prod", "shop", "store", "web"].deleted_time is not None

    run_simulated(main())


def test_one_that_is_made_again_while_it_is_closed_stays_open() -> None:
    class Slow(FakeLedger):
        async def current(self, *identity: str) -> Any:
            found = await super().current(*identity)
            await asyncio.sleep(30)
            return found

    async def main() -> None:
        async with Process(Slow()) as process:
            process.says("web", process.attempt(1))
            await settle(process, 60)
            deleted_in_process(process)
            await asyncio.sleep(10)
            process.uids["web"] = "another"
            process.statuses["web"] = ReleaseStatus()
            process.says("web", process.attempt(2))
            await settle(process)
            current = process.ledger.current_records["prod", "shop", "store", "web"]
            assert current.deleted_time is None and current.release_uid == "another"

    run_simulated(main())


@pytest.mark.parametrize("problem", [DOWN, THROTTLED, DENIED, MISSING])
def test_a_ledger_that_cannot_be_read_at_the_start_is_looked_through_later(problem: Problem) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as first:
            first.says("web", first.attempt(1))
            await settle(first, 5)
        ledger.problem = problem
        async with Process(ledger) as second:
            second.recorder.closer.sweep(["prod"])
            await asyncio.sleep(200)
            ledger.problem = None
            await settle(second)
            assert second.told() == [("v1", "start"), ("v1", "end")]

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
            assert process.recorder.problem is None, "too short a time to be told"
            assert [r.name for r in caplog.records].count("ecs_release.audit") == 1

    run_simulated(main())


def test_one_that_is_made_again_without_a_past_ends_what_its_predecessor_left_open() -> None:
    """The ledger could not be read as it was made again, and the process that saw the deletion is gone."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as first:
            first.says("web", first.attempt(1))
            await settle(first, 5)
        async with Process(ledger) as second:
            second.uids["web"] = "another"
            second.says("web", second.attempt(2))
            await settle(second)
            second.says("web", second.attempt(2, "Succeeded"))
            await settle(second)
            assert [(e.hash, e.stage, e.outcome) for e in ledger.entries.values()] == [
                ("v1", "start", None), ("v1", "end", "Abandoned"), ("v2", "start", None), ("v2", "end", "Succeeded"),
            ]  # fmt: skip

    run_simulated(main())


def test_what_others_had_under_way_is_ended_with_the_release_that_followed_it() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            theirs = {"deploymentID": "ecs-svc/7", "startTime": "2026-01-01T00:00:05Z"}
            process.statuses["web"] = ReleaseStatus.model_validate(
                {"history": [process.attempt(1, "Succeeded")], "rollout": process.attempt(1, "Succeeded"), "foreign": [theirs]}
            )
            process.recorder.decided(process.key("web"), process.facts("web"), process.statuses["web"])
            await settle(process)
            deleted_in_process(process)
            await settle(process)
            of_theirs = process.ledger.of_attempt("foreign-7")
            assert [(e.stage, e.outcome) for e in of_theirs] == [("start", None), ("end", "Abandoned")]

    run_simulated(main())
