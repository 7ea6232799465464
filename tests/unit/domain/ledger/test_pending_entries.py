"""Entries of the ledger, made from a status: what means the same has the same name in both, and an end waits for CloudTrail alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.api.meta import shared_fields
from ecs_release.api.record_status import AttemptRecord, ForeignDeployment
from ecs_release.api.release_status import HistoryEntry, ImageChange, ReleaseStatus
from ecs_release.domain.ledger.pending_entries import entry_of, pending_entries, unnamed_due_in_s
from tests.builders.ecs import NOW
from tests.builders.facts import changed
from tests.builders.objects import environment
from tests.builders.scenarios import attempt_under_way

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


def test_the_last_that_has_a_field_says_what_it_is() -> None:
    record = AttemptRecord(outcome="of the record", request_id="r")
    entry = HistoryEntry(attempt_id="a", outcome="of the entry", pin_id="not in the ledger")
    found = shared_fields(LedgerEntry, record, None, entry)
    assert (found["outcome"], found["request_id"], found["attempt_id"], found["ticket"]) == ("of the entry", "r", "a", None)
    assert "pin_id" not in found and "state" not in found


def test_an_end_says_all_and_a_start_nothing_of_the_end() -> None:
    facts = attempt_under_way()
    entry = HistoryEntry(
        attempt_id="20260504t110000-aaaa", number=3, cause="Requested", ticket="T-1", window="passed", outcome="Succeeded",
        message="it runs", lead_time_seconds=60, start_time=NOW, completion_time=NOW,
        images=[ImageChange(container="app", to_hash="v1", unlisted=True)], record=AttemptRecord(release_set="shop", request_id="r"),
    )  # fmt: skip
    status = ReleaseStatus(history=[entry])
    start, end = (entry_of(facts, status, one) for one in pending_entries(facts, status))
    assert (start.stage, end.stage) == (Stage.START, Stage.END)
    common = ("attempt_id", "number", "cause", "ticket", "window", "start_time", "release_set", "request_id", "images")
    assert all(getattr(start, name) == getattr(end, name) is not None for name in common)
    assert (start.outcome, start.message, start.lead_time_seconds, start.completion_time) == (None, None, None, None)
    assert (end.outcome, end.message, end.lead_time_seconds, end.completion_time) == (
        "Succeeded",
        "it runs",
        60,
        NOW.replace(microsecond=0),
    )
    assert end.images is not None and (end.images[0].to_hash, end.images[0].unlisted) == ("v1", True)


def test_what_waits_for_its_name_is_due_by_its_own_end() -> None:
    """One whose caller is known waits for the ledger alone, and asks for no pass."""
    facts = changed(attempt_under_way(), environment=environment(observation={"eventQueueURL": QUEUE}))

    def deployment(number: int, ago_s: int, by: str | None) -> ForeignDeployment:
        at = NOW - timedelta(seconds=ago_s)
        return ForeignDeployment(
            deployment_id=f"ecs-svc/{number}", start_time=at, completion_time=at, outcome="Completed", state="Start", changed_by=by
        )

    named, waits = deployment(1, 1200, "arn:ada"), deployment(2, 60, None)
    status = ReleaseStatus(foreign=[waits, named])
    assert [one.of for one in pending_entries(facts, status)] == [named]
    assert [one.of for one in pending_entries(facts, status, unnamed=True)] == [named, waits]
    assert unnamed_due_in_s(facts, status) == pytest.approx(14 * 60)
    assert unnamed_due_in_s(facts, ReleaseStatus(foreign=[named])) is None
