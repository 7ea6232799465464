"""Any history, recorded: however the ledger fails and the operator dies, each attempt has one start and one end, and current is what runs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Decision
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.current_record import checksum
from ecs_release.domain.ledger.pending_entries import is_current_record_pending, pending_entries, pending_writes
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement
from ecs_release.domain.recovery.from_ledger import recorded_pin
from ecs_release.domain.recovery.lost_status import needs_recovery
from ecs_release.domain.verification.replaced_deployment import started_by_ecs
from ecs_release.engine.release.memory import Memory
from tests.builders.ecs import NOW
from tests.builders.facts import changed
from tests.builders.fake_ledger import DOWN, LOST, FakeLedger
from tests.builders.release_history import REST_PASSES, AnyHistory
from tests.builders.revisions import looked_up

T = TypeVar("T")
LOST_BEFORE = Retryable("lost before it was carried out")


def sent(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise AssertionError("it waits")


class AnyRecord(AnyHistory):
    """The same world, and a ledger beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = FakeLedger()
        self.acknowledged: tuple[Acknowledgement, ...] = ()
        self.audit: list[LedgerEntry] = []
        self.begun: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.ours: set[str] = set()
        self.body["metadata"]["creationTimestamp"] = NOW.isoformat()

    @rule(how=st.sampled_from(["down", "up", "before", "after"]))
    def the_ledger_changes(self, how: str) -> None:
        if how in ("down", "up"):
            self.ledger.problem = DOWN if how == "down" else None
        else:
            self.ledger.faults = [LOST_BEFORE if how == "before" else LOST]

    @rule()
    def the_operator_dies(self) -> None:
        self.memory = Memory(self.now)
        self.acknowledged = ()

    @rule()
    def the_status_is_lost(self) -> None:
        """A cluster is restored: what the ledger has is all that is known."""
        if self.facts is None or self.ledger.problem or self.ledger.faults or pending_entries(self.facts, self.status):
            return
        if is_current_record_pending(self.facts, self.status) or attempts.is_open(self.status.rollout):
            return
        self.body.pop("status", None)
        # How often drift was corrected lately is forgotten with the history.
        self.asked += len(self.corrected) + self.abandoned
        self.corrected = []
        self.the_operator_dies()

    def gather(self, release: Release) -> Facts:
        facts = changed(super().gather(release), has_ledger=True, acknowledged=self.acknowledged, ledger_problem=self.ledger.problem)
        if not needs_recovery(facts.status):
            return facts
        if self.ledger.problem is not None:
            return facts
        remembered = self.ledger.current_records.get(("prod", "shop", "store", "web"))
        pin = recorded_pin(remembered, release.spec.source)
        if pin is not None:
            facts = changed(facts, pin=looked_up(pin))
        return changed(facts, remembered=remembered)

    def one_pass(self) -> None:
        super().one_pass()
        assert self.decision is not None and self.facts is not None
        self.audit += self.decision.left_out
        self.acknowledged = ()
        self.record(self.facts, self.status)

    def check_correction(self, facts: Facts) -> None:
        """One that is recalled begins nothing."""
        if facts.ledger.remembered is None:
            super().check_correction(facts)

    def act(self, facts: Facts, decision: Decision) -> Decision:
        before = len(self.made)
        done = super().act(facts, decision)
        self.ours |= {d.id for d in self.made[before:]}
        return done

    def check_pause(self, facts: Facts, decision: Decision) -> None:
        super().check_pause(facts, decision)
        self.facts, self.decision = facts, decision

    facts: Facts | None = None
    decision: Decision | None = None

    def record(self, facts: Facts, status: ReleaseStatus) -> None:
        for entry in status.history or ():
            self.begun[entry.attempt_id] = ""
            if entry.outcome:
                self.ended[entry.attempt_id] = entry.outcome
        release = Release.model_validate(self.body)
        for write in pending_writes(changed(facts, release=release), status):
            try:
                recorded = sent(self.ledger.record(write))
            except Problem:
                return
            entry, current = write.entry, checksum(write.current) if write.current else ""
            said: dict[str, Any] = {"attempt_id": entry.attempt_id, "stage": entry.stage, "outcome": recorded.outcome} if entry else {}
            self.acknowledged = (*self.acknowledged, Acknowledgement(**said, number=recorded.number, current=current))

    def teardown(self) -> None:
        self.ledger.problem, self.ledger.faults = None, []
        self.body["spec"]["suspend"] = self.observe = self.paused = False
        self.passes_are_made(12)
        self.ecs_completes()
        self.passes_are_made(12)
        self.come_to_rest()
        in_audit = {e.attempt_id for e in self.audit}
        for attempt in self.begun.keys() - in_audit:
            stages = self.stages(attempt)
            assert stages.count("start") == 1, (attempt, stages)
            assert stages.count("end") == (1 if attempt in self.ended else 0), (attempt, stages)
            assert stages.count("late") <= 1
        # Of what only our tags could tell the end may be there already, with another outcome: then the later one is an entry of its own.
        told = {e.attempt_id: e.outcome for e in self.status.history or ()}
        last = {e.attempt_id: e.outcome for e in self.ledger.entries.values() if e.stage != "start"}
        assert all(last[a] == outcome for a, outcome in told.items() if outcome and a not in in_audit)
        assert all(e.number for e in self.ledger.entries.values() if e.cause != "Foreign" and e.stage == "start")
        self.check_current()
        self.check_foreign()

    def come_to_rest(self) -> None:
        """Go on until no attempt is open and nothing is left to record: an attempt may end by time alone, in whatever pass that is."""
        for _ in range(REST_PASSES):
            if self.is_at_rest():
                return
            self.ecs_completes()
            self.passes_are_made(1)
        assert self.is_at_rest(), (self.status.rollout, self.facts and pending_entries(self.facts, self.status))

    def is_at_rest(self) -> bool:
        assert self.facts is not None
        facts, status = self.facts, self.status
        return not (attempts.is_open(status.rollout) or pending_entries(facts, status) or is_current_record_pending(facts, status))

    def stages(self, attempt_id: str) -> list[str]:
        return sorted(str(e.stage) for e in self.ledger.of_attempt(attempt_id))

    def check_foreign(self) -> None:
        foreign = [e for e in self.ledger.entries.values() if e.cause == "Foreign"]
        theirs = {d.id for d in self.made} - self.ours
        assert {e.deployment_id for e in foreign} <= theirs
        in_audit = {e.attempt_id for e in self.audit}
        for entry in (e for e in foreign if e.attempt_id not in in_audit):
            assert self.stages(entry.attempt_id) == ["end", "start"], entry
        primary = self.deployments[0]
        adopted = {e.deployment_id for e in self.ledger.entries.values() if e.cause == "Adopted"}
        if primary.id in theirs - adopted and primary.created_at > NOW and not started_by_ecs(primary):
            assert primary.id in {e.deployment_id for e in foreign}, (primary, self.status.foreign, self.status.ledger)

    def check_current(self) -> None:
        (current,) = self.ledger.current_records.values()
        if self.tasks:
            assert current.observed is not None
            assert {i.digest for i in current.observed.images or ()} == {t.digest_of("app") for t in self.tasks}
        rollout = self.status.rollout
        assert (current.deployed.attempt_id if current.deployed else None) == (rollout.attempt_id if rollout else None)
        if rollout is not None and rollout.outcome:
            assert current.deployed is not None and current.deployed.outcome == rollout.outcome


AnyRecord.TestCase.settings = settings(max_examples=50, stateful_step_count=35, deadline=None)
TestAnyRecord = pytest.mark.slow(AnyRecord.TestCase)


def test_what_ends_late_is_recorded_too() -> None:
    """Our deployment is listed no longer, rolled back before it was seen: that ends the attempt once it should have become visible."""
    state = AnyRecord()
    state.the_ledger_changes(how="down")
    state.passes_are_made(times=3)
    state.ecs_rolls_back()
    for times in (1, 1, 4):
        state.passes_are_made(times=times)
    state.teardown()
    assert [(h.outcome, h.record and h.record.state) for h in state.status.history or ()] == [("RolledBack", "End")]
