"""Closing: what deleted Releases have left open is ended once, however they went and whatever the ledger does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import LedgerCurrent, Stage
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.model.errors import Blocked, Problem
from tests.builders.fake_ledger import DENIED, DOWN, LOST, MISSING, THROTTLED, FakeLedger
from tests.builders.recorder import Process, deleted_in_process, deleted_unseen, facts_of, settle
from tests.builders.simulated_time import run_simulated


class Slow(FakeLedger):
    """Takes its time over current records."""

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        found = await super().current(environment, namespace, project, service)
        await asyncio.sleep(30)
        return found


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
            process.recorder.release_deleted(facts_of("web"))
            await settle(process)
            assert ledger.records == records

    run_simulated(main())


def test_one_that_was_made_again_is_not_closed() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            process.says("web", process.attempt(1))
            await settle(process, 5)
            process.recorder.release_deleted(facts_of("web"))
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
            assert await process.recorder.recall("prod", "shop", "store", "web") is None

    run_simulated(main())


def test_one_that_is_made_again_loses_nothing_of_its_predecessor() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DOWN
            process.says("web", process.attempt(1, "Succeeded"))
            await asyncio.sleep(100)
            process.recorder.release_deleted(facts_of("web"))
            process.statuses["web"] = ReleaseStatus()
            process.uids["web"] = "another"
            process.says("web", process.attempt(2))
            ledger.problem = None
            await settle(process)
            assert sorted(process.told()) == [("v1", "end"), ("v1", "start"), ("v2", "start")]
            history = process.statuses["web"].history or ()
            assert [h.record.state for h in history if h.record] == ["Start"]

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


def test_what_went_while_a_pass_was_under_way_is_closed() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            await asyncio.sleep(1)
            process.statuses["web"] = ReleaseStatus.model_validate({"history": [process.attempt(1)], "rollout": process.attempt(1)})
            facts, status = process.facts("web"), process.statuses["web"]
            deleted_in_process(process)
            await settle(process)
            process.recorder.record_status(process.key("web"), facts, status)
            await settle(process)
            assert [(e.stage, e.outcome) for e in process.ledger.entries.values()] == [("start", None), ("end", "Abandoned")]
            assert process.ledger.current_records["prod", "shop", "store", "web"].deleted_time is not None

    run_simulated(main())


def test_one_that_is_made_again_while_it_is_closed_stays_open() -> None:
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
            process.recorder.record_status(process.key("web"), process.facts("web"), process.statuses["web"])
            await settle(process)
            deleted_in_process(process)
            await settle(process)
            of_theirs = process.ledger.of_attempt("foreign-7")
            assert [(e.stage, e.outcome) for e in of_theirs] == [("start", None), ("end", "Abandoned")]

    run_simulated(main())


def test_an_attempt_that_begins_while_its_release_waits_for_the_ledger_is_its_own() -> None:
    """What an earlier Release left open is looked for as of a time when there was no attempt yet, and slowly."""

    async def main() -> None:
        ledger = Slow()
        async with Process(ledger) as process:
            await asyncio.sleep(1)
            ledger.problem = DOWN
            process.statuses["web"] = ReleaseStatus.model_validate({"running": {"observedTime": "2026-01-01T00:00:00Z"}})
            process.one_pass("web")
            await asyncio.sleep(1)
            process.says("web", process.attempt(1))
            ledger.problem = None
            await asyncio.sleep(20)
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process)
            assert [(e.stage, e.outcome) for e in ledger.entries.values()] == [("start", None), ("end", "Succeeded")]

    run_simulated(main())


FOREIGN = {"deploymentID": "ecs-svc/7", "startTime": "2026-01-01T00:00:05Z"}
FOREIGN_ENDED = {**FOREIGN, "outcome": "Completed", "completionTime": "2026-01-01T00:00:00Z"}


def sees_foreign(process: Process, foreign: dict[str, Any]) -> None:
    """Somebody else deploys the service of web; what the ledger has of it stays."""
    before = process.statuses.get("web")
    status = ReleaseStatus.model_validate(
        {"history": [process.attempt(1, "Succeeded")], "rollout": process.attempt(1, "Succeeded"), "foreign": [foreign]}
    )
    if before is not None:
        state = (before.foreign or [status.foreign[0]])[0].state  # type: ignore[index]
        theirs = [f.model_copy(update={"state": state}) for f in status.foreign or ()]
        status = status.model_copy(update={"history": before.history, "ledger": before.ledger, "foreign": theirs})
    process.statuses["web"] = status
    process.one_pass("web")


@pytest.mark.parametrize("faults", [[None, THROTTLED], [THROTTLED, None], [LOST, LOST], [None, LOST]])
def test_what_others_had_under_way_is_ended_though_closing_breaks_off(faults: list[Problem | None]) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            sees_foreign(process, FOREIGN)
            await settle(process)
            ledger.faults = list(faults)
            deleted_in_process(process)
            await asyncio.sleep(0.5)
        async with Process(ledger) as second:
            second.recorder.closer.sweep(["prod"])
            await settle(second)
            assert [(e.stage, e.outcome) for e in ledger.of_attempt("foreign-7")] == [("start", None), ("end", "Abandoned")]
            assert ledger.current_records["prod", "shop", "store", "web"].deleted_time is not None

    run_simulated(main())


@pytest.mark.parametrize("delete", [deleted_in_process, deleted_unseen])
def test_an_end_that_waits_for_who_it_was_is_not_lost_with_the_release(delete: Callable[[Process], None]) -> None:
    """CloudTrail tells up to 15 minutes later; the Release goes before."""

    async def main() -> None:
        async with Process(FakeLedger(), has_events=True) as process:
            sees_foreign(process, FOREIGN)
            await settle(process, 10)
            ended = (process.clock.now() - timedelta(seconds=5)).isoformat()
            sees_foreign(process, {**FOREIGN_ENDED, "completionTime": ended})
            await settle(process, 10)
            assert [e.stage for e in process.ledger.of_attempt("foreign-7")] == ["start"], "it waits"
            delete(process)
            await settle(process)
            assert [(e.stage, e.outcome) for e in process.ledger.of_attempt("foreign-7")] == [("start", None), ("end", "Completed")]

    run_simulated(main())


def test_the_end_of_somebody_elses_deployment_costs_no_write_of_its_own() -> None:
    async def main() -> None:
        async with Process(FakeLedger()) as process:
            sees_foreign(process, FOREIGN)
            await settle(process, 10)
            records = process.ledger.records
            sees_foreign(process, FOREIGN_ENDED)
            await settle(process, 60)
            assert process.ledger.current_records["prod", "shop", "store", "web"].foreign is None
            assert process.ledger.records == records + 1

    run_simulated(main())


@pytest.mark.parametrize("delete", [deleted_in_process, deleted_unseen])
def test_one_record_that_cannot_be_read_holds_no_other_up(delete: Callable[[Process], None], caplog: pytest.LogCaptureFixture) -> None:
    class Fussy(FakeLedger):
        async def current(self, environment: str, namespace: str, project: str, service: str) -> Any:
            if service == "api":
                raise Blocked("RejectedByAWS", "item E#prod shop/store#api cannot be read")
            return await super().current(environment, namespace, project, service)

    async def main() -> None:
        async with Process(Fussy()) as process:
            for name in ("api", "web"):
                process.says(name, process.attempt(1))
            await settle(process, 10)
            del process.statuses["api"]
            process.recorder.release_deleted(facts_of("api"))
            await asyncio.sleep(30)
            delete(process)
            await settle(process)
            assert [(e.service, e.outcome) for e in process.ledger.entries.values() if e.stage is Stage.END] == [("web", "Abandoned")]

    run_simulated(main())
    assert sum("shop/store#api cannot be read" in r.getMessage() for r in caplog.records) <= 3, "it is said, and given up"


def test_what_a_replica_sent_last_is_closed_by_the_one_that_took_over() -> None:
    """It arrives when the other has begun."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as second:
            second.recorder.closer.sweep(["prod"])
            await asyncio.sleep(5)
            async with Process(ledger) as first:
                first.says("web", first.attempt(1))
                await asyncio.sleep(1)
            await settle(second)
            assert [(e.stage, e.outcome) for e in ledger.entries.values()] == [("start", None), ("end", "Abandoned")]

    run_simulated(main())
