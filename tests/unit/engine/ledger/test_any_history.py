"""Any history, and the real recorder beside it: however the ledger and the operator fail, and whoever takes over, all is recorded once."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.builders.recorded_history import AnyRecorder
from tests.builders.release_history import HASHES

AnyRecorder.TestCase.settings = settings(max_examples=60, stateful_step_count=35, deadline=None)
TestAnyRecorder = pytest.mark.slow(AnyRecorder.TestCase)


def test_what_was_deployed_is_followed_though_its_release_is_made_again() -> None:
    """With another source at once: the ledger knows the attempt but not its deployment, which the revision's tags tell."""
    state = AnyRecorder()
    state.passes_are_made(times=3)
    (deployed,) = state.updates
    state.the_release_is_deleted(seen=False)
    state.it_is_made_again(wanted=HASHES[0])
    state.passes_are_made(times=1)
    assert {h.attempt_id: h.outcome for h in state.status.history or ()}[deployed] == "Superseded"
    state.teardown()


def test_what_ends_late_is_recorded_too() -> None:
    """Our deployment is listed no longer, rolled back before it was seen: that ends the attempt once it should have become visible."""
    state = AnyRecorder()
    state.the_ledger_is(how="cut off")
    state.passes_are_made(times=3)
    state.ecs_rolls_back()
    for times in (1, 1, 4):
        state.passes_are_made(times=times)
    state.teardown()
    assert [(h.outcome, h.record and h.record.state) for h in state.status.history or ()] == [("RolledBack", "End")]
