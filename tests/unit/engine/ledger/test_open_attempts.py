"""What Releases leave open as they go, whatever the ledger does meanwhile and whoever comes after them under their name."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.model.errors import Blocked, Problem, Retryable
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NOW
from tests.builders.facts import changed
from tests.builders.fake_ledger import DENIED, DOWN, MISSING, THROTTLED, FakeLedger
from tests.builders.recorded_history import KEY, AnyRecorder, SlowLedger
from tests.builders.recorder import Process, acknowledged, deleted_in_process, facts_of, settle
from tests.builders.release_history import HASHES, AnyHistory
from tests.builders.simulated_time import run_simulated

WEB = ("prod", "shop", "store", "web")


def stages(ledger: FakeLedger) -> dict[str, list[tuple[str, str | None]]]:
    """List what the ledger has of each attempt, named by its number."""
    assert max(Counter((e.attempt_id, e.stage) for e in ledger.entries.values()).values()) == 1
    named = {e.attempt_id for e in ledger.entries.values()}
    return {name[-1]: [(str(e.stage), e.outcome) for e in ledger.of_attempt(name)] for name in sorted(named)}


def made_again(process: Process, uid: str = "another") -> None:
    process.uids["web"] = uid
    process.statuses["web"] = ReleaseStatus()


AWAITED = Blocked("AwaitingProject", "there is no Project store yet")
ABANDONED, SUCCEEDED = [("start", None), ("end", "Abandoned")], [("start", None), ("end", "Succeeded")]


@pytest.mark.parametrize(
    ("problem", "lasts_s", "delay_s"),
    [(None, 0.02, 0.01), (None, 0.02, 0.05), (DOWN, 20, 0), (DOWN, 100, 0.02), (THROTTLED, 7, 0.02), (MISSING, 100, 0.02), (DENIED, 33, 0.02)],
)  # fmt: skip
def test_what_is_on_its_way_is_ended_though_the_release_was_made_again(problem: Problem | None, lasts_s: float, delay_s: float) -> None:
    async def main() -> None:
        ledger = SlowLedger()
        ledger.delay_s = delay_s
        async with Process(ledger) as process:
            await asyncio.sleep(5)
            ledger.problem = problem
            process.says("web", process.attempt(1))
            await asyncio.sleep(lasts_s / 2)
            deleted_in_process(process)
            made_again(process)
            process.says("web", process.attempt(2))
            await asyncio.sleep(lasts_s / 2)
            ledger.problem = None
            await settle(process)
            process.says("web", process.attempt(2, "Succeeded"))
            await settle(process)
        assert stages(ledger) == {"1": ABANDONED, "2": SUCCEEDED}
        assert ledger.current_records[WEB].release_uid == "another"

    run_simulated(main())


@pytest.mark.parametrize("speaks", [True, False])
def test_one_after_the_other_leaves_nothing_open(speaks: bool) -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process, 10)
            ledger.problem = DOWN
            process.says("web", process.attempt(2), process.attempt(1, "Succeeded"))
            await asyncio.sleep(20)
            deleted_in_process(process)
            made_again(process)
            if speaks:
                process.says("web", process.attempt(3))
            await asyncio.sleep(1)
            deleted_in_process(process)
            ledger.problem = None
            await settle(process)
        assert stages(ledger) == {"1": SUCCEEDED, "2": ABANDONED} | ({"3": ABANDONED} if speaks else {})
        assert ledger.current_records[WEB].deleted_time is not None

    run_simulated(main())


def test_an_attempt_that_no_current_record_names_is_ended() -> None:
    """Another replica's clock is ahead: its current record is newer, and stands."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process, 10)
            ahead = process.clock.now() + timedelta(seconds=30)
            ledger.current_records[WEB] = ledger.current_records[WEB].model_copy(update={"observed_time": ahead})
            ledger.faults = [THROTTLED]
            process.says("web", process.attempt(2), process.attempt(1, "Succeeded"))
            deleted_in_process(process)
            await settle(process)
        assert stages(ledger) == {"1": SUCCEEDED, "2": ABANDONED}

    run_simulated(main())


def test_a_table_that_is_gone_for_a_while_closes_what_waits_once_it_is_back() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.says("web", process.attempt(1))
            await settle(process, 10)
            ledger.problem = MISSING
            deleted_in_process(process)
            await asyncio.sleep(3600)
            ledger.problem = None
            await settle(process, 700)
        assert stages(ledger) == {"1": ABANDONED}
        assert ledger.current_records[WEB].deleted_time is not None

    run_simulated(main())


class Stops(FakeLedger):
    """Takes so many writes, and no more."""

    left = 10**9

    async def record(self, write: LedgerWrite) -> RecordResult:
        if self.left <= 0:
            raise THROTTLED
        self.left -= 1
        return await super().record(write)


@pytest.mark.parametrize("taken", range(1, 4))
def test_a_process_that_is_killed_between_two_writes_leaves_what_can_be_closed(taken: int) -> None:
    """The Release is deleted with its status while nobody watches: of what the ledger lacks nobody will know."""

    async def main() -> None:
        ledger = Stops()
        async with Process(ledger) as first:
            await asyncio.sleep(1)
            ledger.left = 0
            first.says("web", first.attempt(1))
            await asyncio.sleep(20)
            first.says("web", first.attempt(2), {**first.attempt(1, "Superseded"), "completionTime": "2026-01-01T00:00:02Z"})
            await asyncio.sleep(70)
            ledger.left = taken
            await asyncio.sleep(100)
        ledger.left = 10**9
        async with Process(ledger) as second:
            second.recorder.closer.sweep(["prod"])
            await settle(second)
        assert {name: [stage for stage, _ in found] for name, found in stages(ledger).items()} == {
            str(n): ["start", "end"] for n in range(1, 2 + taken // 3)
        }
        assert ledger.current_records[WEB].deleted_time is not None

    run_simulated(main())


def test_an_answer_for_a_release_that_is_gone_is_not_its_successors() -> None:
    async def main() -> None:
        ledger = SlowLedger()
        async with Process(ledger) as process:
            await asyncio.sleep(5)
            ledger.delay_s = 1
            process.says("web", process.attempt(1))
            await asyncio.sleep(0.2)
            process.one_pass("web")
            deleted_in_process(process)
            made_again(process)
            process.one_pass("web")
            await asyncio.sleep(2)
            process.one_pass("web")
            assert process.statuses["web"].ledger is None
            process.says("web", process.attempt(2))
            await settle(process)
        assert stages(ledger) == {"1": ABANDONED, "2": [("start", None)]}

    run_simulated(main())


def test_one_whose_service_another_holds_says_nothing_though_ecs_is_not_read() -> None:
    """Who holds the service is not known then, and what runs there is not this one's attempt."""
    state = AnyRecorder()
    state.now += timedelta(seconds=3)
    state.passes_are_made(4)
    body: dict[str, Any] = {
        "metadata": {**state.body["metadata"], "name": "web2", "uid": "u2", "creationTimestamp": (NOW + timedelta(seconds=1)).isoformat()},
        "spec": {**state.body["spec"], "source": {"releaseHash": "ccccccc"}},
    }
    key, claims = ObjectKey("Release", "shop", "web2"), (Claim(NOW, "shop/web"), Claim(NOW + timedelta(seconds=1), "shop/web2"))

    def one_pass(**unread: Any) -> None:
        facts: Facts = AnyHistory.gather(state, Release.model_validate(body))
        facts = acknowledged(state.recorder, changed(facts, claims=claims, **unread))
        status = decide(facts).status
        body["status"] = status.to_kubernetes()
        state.recorder.record_status(key, facts, status)
        state.now += timedelta(seconds=2)

    one_pass()
    one_pass(unread=Retryable("ECS does not answer"), unread_since=state.now - timedelta(hours=1))
    state.ecs_completes()
    state.passes_are_made(6)
    one_pass()
    assert {e.release for e in state.ledger.entries.values()} == {c.release for c in state.ledger.current_records.values()} == {"web"}
    assert [e.outcome for e in state.ledger.entries.values()] == [None, "Succeeded"]
    state.teardown()


def test_what_went_while_its_namespace_could_not_be_seen_is_closed_once_it_can() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.recorder.closer.sweep(["prod"])
            process.says("web", process.attempt(1))
            await settle(process, 100)
            process.recorder.forget(facts_of("web"))
            del process.statuses["web"]
            await settle(process)
            assert stages(ledger) == {"1": [("start", None)]}
            process.recorder.closer.sweep_again()
            await settle(process)
        assert stages(ledger) == {"1": ABANDONED}

    run_simulated(main())


@pytest.mark.parametrize("unread", [{"unread": Retryable("ECS does not answer"), "unread_since": NOW}, {"place_problem": AWAITED}])
def test_a_successor_that_cannot_know_yet_is_waited_for(unread: dict[str, Any]) -> None:
    """Its Project comes later, or ECS is not read: it will take up what is under way."""
    state = AnyRecorder()
    state.now += timedelta(seconds=3)
    state.passes_are_made(3)
    state.the_release_is_deleted(seen=True)
    state.it_is_made_again(wanted=HASHES[0])
    state.body["spec"]["source"] = {"releaseHash": "bbbbbbb"}
    facts = changed(state.gather(Release.model_validate(state.body)), **unread)
    status = decide(facts).status
    state.body["status"] = status.to_kubernetes()
    state.recorder.record_status(KEY, facts, status)
    state.now += timedelta(seconds=120)
    state.passes_are_made(2)
    state.ecs_completes()
    state.passes_are_made(4)
    state.now += timedelta(seconds=60)
    assert "Abandoned" not in {e.outcome for e in state.ledger.entries.values()}
    state.teardown()


def test_what_was_open_before_one_that_goes_unheard_is_ended() -> None:
    """Deleted and made again while nobody watched; the new one is deleted before the ledger could be asked."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as first:
            first.says("web", first.attempt(1))
            await settle(first, 10)
        ledger.problem = DOWN
        async with Process(ledger) as second:
            made_again(second)
            second.says("web", second.attempt(2))
            await asyncio.sleep(10)
            deleted_in_process(second)
            await asyncio.sleep(10)
            ledger.problem = None
            await settle(second)
        assert stages(ledger) == {"1": ABANDONED, "2": ABANDONED}

    run_simulated(main())


def test_a_start_that_went_without_its_current_record_is_caught_up_with() -> None:
    """ECS could not be read as the ledger came back: who holds the service was not known."""

    async def main() -> None:
        ledger = FakeLedger()
        async with Process(ledger) as process:
            process.says("web", process.attempt(1, "Succeeded"))
            await settle(process, 10)
            ledger.problem = DOWN
            process.says("web", process.attempt(2), process.attempt(1, "Succeeded"))
            await asyncio.sleep(10)
            unread = changed(process.facts("web"), unread=Retryable("ECS does not answer"))
            process.recorder.record_status(process.key("web"), unread, process.statuses["web"])
            ledger.problem = None
            await settle(process)
            deployed = ledger.current_records[WEB].deployed
            assert deployed is not None and deployed.attempt_id.endswith("2") and deployed.outcome is None
            records = ledger.records
            process.one_pass("web")
            await settle(process, 60)
            assert ledger.records == records, "said once"

    run_simulated(main())
