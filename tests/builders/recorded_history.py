"""Any history, and the real recorder beside it: however the ledger and the operator fail, and whoever takes over, all is recorded once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from ecs_release.api.conditions import ConditionType
from ecs_release.api.ledger import LedgerCurrent, LedgerEntry
from ecs_release.api.release import Release
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Decision
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.pending_entries import is_current_record_pending, pending_entries
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from ecs_release.domain.ports.ledger_acknowledgements import foreign_id
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.recovery.from_ledger import recorded_pin
from ecs_release.domain.recovery.lost_status import needs_recovery
from ecs_release.engine.ledger.record_closer import Closing
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.store.store import ReleaseFacts
from tests.builders.ecs import NOW
from tests.builders.facts import changed
from tests.builders.fake_ledger import DENIED, DOWN, LOST, THROTTLED, FakeLedger
from tests.builders.recorder import acknowledged
from tests.builders.release_history import HASHES, REST_PASSES, AnyHistory
from tests.builders.revisions import looked_up
from tests.builders.simulated_time import SimulatedTimeLoop

KEY = ObjectKey("Release", "shop", "web")
SERVICE = ("shop", "store", "web")
LOST_BEFORE = Retryable("lost before it was carried out")
FAULTS = {"cut off": DOWN, "throttled": THROTTLED, "denied": DENIED, "back": None}


class SlowLedger(FakeLedger):
    """Takes its time. What was sent arrives, whatever has become of the sender meanwhile."""

    delay_s = 0.0

    async def record(self, write: LedgerWrite) -> RecordResult:
        sent = asyncio.ensure_future(self._arrive(write, self.delay_s))
        # A sender that is gone does not ask what became of it.
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(sent)

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        found = await super().current(environment, namespace, project, service)
        await asyncio.sleep(self.delay_s)
        return found

    async def attempt(self, *attempt: Any) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        found = await super().attempt(*attempt)
        await asyncio.sleep(self.delay_s)
        return found

    async def _arrive(self, write: LedgerWrite, delay_s: float) -> RecordResult:
        await asyncio.sleep(delay_s)
        return await super().record(write)


class Audit(logging.Handler):
    """What went to the audit log."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.attempts.add(LedgerEntry.model_validate(record.__dict__["record"]).attempt_id)


class AnyRecorder(AnyHistory):
    """The same world, one operator after the other, and a ledger beside it. The world's time is that of the simulated loop."""

    def __init__(self) -> None:
        self.loop = SimulatedTimeLoop()
        super().__init__()
        self.audit = Audit()
        logging.getLogger("ecs_release.audit").addHandler(self.audit)
        self.ledger = SlowLedger()
        self.is_there, self.uid, self.fate, self.slow_s = True, 1, "", 0.0
        self.begun: set[str] = set()
        self.forgotten: set[str] = set()
        self.ended: set[str] = set()
        self.untold: set[str] = set()
        """Attempts of which something went with a status, and no operator that was alive had read it."""
        self.body["metadata"]["creationTimestamp"] = NOW.isoformat()
        self.operator_starts()

    # Time, and operators.

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return NOW + timedelta(seconds=self.loop.time())

    @now.setter
    def now(self, later: datetime) -> None:
        wait_s = (later - self.now).total_seconds()
        if wait_s > 0:
            self.loop.run_until_complete(asyncio.sleep(wait_s))

    def operator_starts(self) -> None:
        self.memory = Memory(self.now)
        closing = Closing("default", lambda _: frozenset([SERVICE] if self.is_there else []), lambda _: self.is_there, self.exists, 60)
        self.recorder = Recorder(self.ledger, closing, Time(self), lambda _key, _after_s: None, lambda: None)
        assert self.recorder.closer is not None
        self.recorder.closer.sweep(["prod"])
        self.task = self.loop.create_task(self.recorder.run())

    async def exists(self, key: ObjectKey) -> bool:
        return self.is_there and key == KEY

    def end(self, task: asyncio.Task[None]) -> None:
        """End one. What it had under way arrives before a Lease passes on."""
        task.cancel()
        self.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        self.now += timedelta(seconds=self.ledger.delay_s)

    @rule()
    def the_operator_dies(self) -> None:
        self.end(self.task)
        self.operator_starts()

    @rule()
    def another_replica_takes_over(self) -> None:
        """The old one has not noticed yet, and what it has under way arrives later still."""
        old = self.task
        self.operator_starts()
        self.now += timedelta(seconds=2)
        self.end(old)

    # The ledger, and the API server.

    @rule(how=st.sampled_from(sorted(FAULTS)))
    def the_ledger_is(self, how: str) -> None:
        self.ledger.problem = FAULTS[how]

    @rule(faults=st.lists(st.sampled_from([None, LOST, LOST_BEFORE, THROTTLED]), max_size=4))
    def the_ledger_stumbles(self, faults: list[Any]) -> None:
        self.ledger.faults = faults

    @rule(delay_s=st.sampled_from([0.0, 2.5, 90.0]))
    def the_ledger_takes_its_time(self, delay_s: float) -> None:
        self.ledger.delay_s = delay_s

    @rule(fate=st.sampled_from(["conflict", "no answer", "deletion"]), slow_s=st.sampled_from([0.0, 3.0]))
    def the_next_status_is(self, fate: str, slow_s: float) -> None:
        """Deletion: the watch tells of it before the pass has ended."""
        self.fate, self.slow_s = fate, slow_s

    # The Release.

    @precondition(lambda self: self.is_there)
    @rule(seen=st.booleans())
    def the_release_is_deleted(self, seen: bool) -> None:
        if not seen:
            self.end(self.task)
        self.untold |= self.unknown(told=seen)
        # What was corrected and abandoned is forgotten with its history.
        self.asked += len(self.corrected) + self.abandoned
        self.corrected = []
        self.forgotten |= {e.attempt_id for e in self.status.history or ()}
        self.body.pop("status", None)
        self.is_there = False
        if seen:
            self.recorder.release_deleted(ReleaseFacts(KEY, str(self.uid), NOW, "store", "web", "prod", 0))
            self.memory = Memory(self.now)
        else:
            self.operator_starts()

    def unknown(self, *, told: bool) -> set[str]:
        """List attempts of the status whose start, or end, is neither in the ledger nor told to an operator that is alive."""
        history = self.status.history or ()
        happened = {(e.attempt_id, "start") for e in history} | {(e.attempt_id, "end") for e in history if e.outcome}
        recorded = {(e.attempt_id, str(e.stage)) for e in self.ledger.entries.values()}
        lines = self.recorder._pending.values() if told else ()
        waiting = {(e.attempt_id, str(e.stage)) for line in lines for e in line.entries()}
        # The current record names one of others' deployments; whatever else there is of them goes with the status.
        foreign = {foreign_id(f.deployment_id) for f in self.status.foreign or () if f.state != "End"}
        lost = foreign - {attempt for attempt, _ in waiting} if len(foreign) > 1 else set()
        return {attempt for attempt, _ in happened - recorded - waiting} | lost

    @precondition(lambda self: not self.is_there)
    @rule(wanted=st.sampled_from(HASHES))
    def it_is_made_again(self, wanted: str) -> None:
        self.uid += 1
        self.is_there = True
        self.asked += 1
        self.body["metadata"] |= {"uid": str(self.uid), "creationTimestamp": self.now.isoformat()}
        self.body["spec"]["source"] = {"releaseHash": wanted}

    # A pass.

    def one_pass(self) -> None:
        if self.is_there:
            super().one_pass()

    @invariant()
    def what_was_deployed_is_not_abandoned(self) -> None:
        """Where ECS lists its deployment no longer nobody knows of it."""
        abandoned = {h.attempt_id for h in self.status.history or () if h.outcome == "Abandoned"}
        assert not (abandoned - self.forgotten) & self.updates.keys()

    def ready_is_true_only_if_it_is(self) -> None:
        """`AnyHistory` has seen to that."""

    def gather(self, release: Release) -> Facts:
        facts = acknowledged(self.recorder, super().gather(release))
        if not needs_recovery(facts.status):
            return facts
        remembered = self.loop.run_until_complete(self.recorder.recall("prod", *SERVICE))
        pin = recorded_pin(remembered, release.spec.source)
        if pin is not None:
            facts = changed(facts, pin=looked_up(pin))
        return changed(facts, remembered=remembered)

    def check_correction(self, facts: Facts) -> None:
        """One that is recalled begins nothing."""
        if facts.ledger.remembered is None:
            super().check_correction(facts)

    def report(self, facts: Facts, decision: Decision) -> None:
        """Write the status, unless somebody else was quicker; perhaps without hearing of it."""
        fate, slow_s, self.fate, self.slow_s = self.fate, self.slow_s, "", 0.0
        self.now += timedelta(seconds=slow_s)
        self.recorder.write_audit_log(KEY, decision.left_out)
        if fate == "conflict":
            return
        self.body["status"] = decision.status.to_kubernetes()
        for entry in decision.status.history or ():
            self.begun.add(entry.attempt_id)
            if entry.outcome:
                self.ended.add(entry.attempt_id)
        if fate == "no answer":
            return
        super().report(facts, decision)
        if fate == "deletion":
            self.the_release_is_deleted(seen=True)
        self.recorder.record_status(KEY, facts, decision.status)

    # What must hold in the end.

    def teardown(self) -> None:
        with self.ends():
            self.ledger.problem, self.ledger.faults, self.ledger.delay_s, self.fate = None, [], 0.0, ""
            self.body["spec"]["suspend"] = self.observe = self.paused = False
            self.now += timedelta(seconds=200)
            for _ in range(2):
                self.passes_are_made(12)
                self.ecs_completes()
            self.passes_are_made(12)
            self.now += timedelta(seconds=200)
            self.passes_are_made(3)
            self.come_to_rest()
            self.now += timedelta(seconds=5)
            assert self.recorder.waiting == 0
            self.check_attempts()
            self.check_current()

    def come_to_rest(self) -> None:
        """Go on until no attempt is open and all is recorded: an attempt may begin or end by time alone, in whatever pass that is."""
        for _ in range(REST_PASSES):
            if not self.is_there or self.is_at_rest():
                return
            self.ecs_completes()
            self.passes_are_made(1)

    def is_at_rest(self) -> bool:
        facts, status = acknowledged(self.recorder, super().gather(Release.model_validate(self.body))), self.status
        return not (attempts.is_open(status.rollout) or pending_entries(facts, status) or is_current_record_pending(facts, status))

    @contextmanager
    def ends(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.end(self.task)
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
            logging.getLogger("ecs_release.audit").removeHandler(self.audit)

    def check_attempts(self) -> None:
        stages = Counter((e.attempt_id, str(e.stage)) for e in self.ledger.entries.values())
        assert set(stages.values()) <= {1}, stages
        rollout = self.status.rollout
        is_open = {rollout.attempt_id} if rollout is not None and not rollout.outcome else set()
        is_followed = {foreign_id(f.deployment_id) for f in self.status.foreign or () if not f.outcome}
        for attempt in self.begun - self.audit.attempts - self.untold:
            assert stages[attempt, "start"] == 1, (attempt, stages)
            assert stages[attempt, "end"] == (0 if attempt in is_open else 1), (attempt, stages)
        for entry in self.ledger.entries.values():
            assert stages[entry.attempt_id, "start"] == 1 or entry.attempt_id in self.audit.attempts | self.untold, (entry, stages)
            if entry.attempt_id.startswith("foreign-") and entry.attempt_id not in is_followed | self.audit.attempts | self.untold:
                assert stages[entry.attempt_id, "end"] == 1, (entry, stages)
        told = {e.attempt_id: e.outcome for e in self.status.history or ()}
        last = {e.attempt_id: e.outcome for e in self.ledger.entries.values() if e.stage != "start"}
        # What tags tell of an earlier Release's attempt is less than what its own status had told.
        assert all(last[a] == outcome for a, outcome in told.items() if outcome and a not in self.audit.attempts | self.forgotten)

    def check_current(self) -> None:
        current = self.ledger.current_records.get(("prod", *SERVICE))
        if not self.is_there:
            if current is not None:
                assert current.deleted_time is not None
                assert current.deployed is None or current.deployed.outcome, current
            return
        assert current is not None and current.deleted_time is None and current.release_uid == str(self.uid)
        facts, status = acknowledged(self.recorder, super().gather(Release.model_validate(self.body))), self.status
        assert not pending_entries(facts, status) and not is_current_record_pending(facts, status)
        recorded = find(status.conditions, ConditionType.RECORDED)
        assert recorded is not None and recorded.status == "True", recorded
        if status.ledger is not None and status.ledger.left_out:
            assert self.audit.attempts and "audit log" in (recorded.message or "")
        if self.tasks:
            assert current.observed is not None
            assert {i.digest for i in current.observed.images or ()} == {t.digest_of("app") for t in self.tasks}
        deployed, rollout = current.deployed, status.rollout
        assert (deployed.attempt_id if deployed else None) == (rollout.attempt_id if rollout else None)
        if rollout is not None and not attempts.is_open(rollout):
            assert deployed is not None and deployed.outcome == rollout.outcome


class Time:
    """The world's time as a Clock."""

    def __init__(self, world: AnyRecorder) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now

    def monotonic(self) -> float:
        return self._world.loop.time()
