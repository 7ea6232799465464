"""What has happened between two accepted statuses: each thing once."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from ecs_release.api.conditions import Condition
from ecs_release.api.release_status import HistoryEntry, ImageChange, LastReady, Pin, PinnedImage, ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry
from ecs_release.domain.notifications.outcome_measures import DEPLOYED, FAILED, NEITHER, measure
from ecs_release.domain.notifications.transitions import Transition, TransitionKind, set_transitions, transitions
from tests.builders.ecs import NEW, NOW, OLD, OTHER
from tests.builders.history import history_entry

MINUTE = timedelta(minutes=1)


def status(*history: HistoryEntry, ready: str = "Unknown RollingOut", pushed: float | None = 600, **more: Any) -> ReleaseStatus:
    its_status, reason = ready.split()
    image = PinnedImage(container="app", digest=NEW, pushed_time=NOW - timedelta(seconds=pushed) if pushed is not None else None)
    condition = Condition(type="Ready", status=its_status, reason=reason, last_transition_time=NOW)
    return ReleaseStatus(history=list(history), conditions=[condition], pin=Pin(images=[image]), **more)


def kinds(before: ReleaseStatus | None, after: ReleaseStatus) -> list[TransitionKind]:
    return [h.kind for h in transitions(before, after, NOW)]


@pytest.mark.parametrize(
    ("outcome", "ready", "counts", "lead_s"),
    [
        ("Succeeded", "True Succeeded", DEPLOYED, 600),
        ("SucceededLate", "True Succeeded", DEPLOYED, 600),
        ("OvertakenSameDigests", "True Succeeded", DEPLOYED, 600),
        ("NothingRunning", "True NothingRunning", NEITHER, None),
        ("RolledBack", "False RolledBack", FAILED, None),
        ("RolloutFailed", "False RolloutFailed", FAILED, None),
        ("DeadlineExceeded", "False DeadlineExceeded", FAILED, None),
        ("TagMoved", "False TagMoved", FAILED, None),
        ("Aborted", "False Aborted", FAILED, None),
        ("Superseded", "Unknown RollingOut", NEITHER, None),
        ("Abandoned", "Unknown RollingOut", NEITHER, None),
        ("OfAnotherVersion", "Unknown RollingOut", NEITHER, None),
    ],
)
def test_an_attempt_ends_once(outcome: str, ready: str, counts: Any, lead_s: float | None) -> None:
    under_way, ended = status(history_entry()), status(history_entry(outcome=outcome), ready=ready)
    assert transitions(under_way, ended, NOW) == (Transition(TransitionKind.ENDED, 90, "a", "Requested", outcome, counts, lead_s),)
    assert kinds(ended, ended) == [], "a later write, or one after a restart, tells nothing of it"


@pytest.mark.parametrize("before", [None, status(), status(history_entry("old", "Succeeded", ago=9000))])
@pytest.mark.parametrize(
    ("cause", "outcome"),
    [("Adopted", "Succeeded"), ("Rollback", "Succeeded"), ("Requested", "ReappearedOlder"), ("Requested", "RolledBack")],
)
def test_what_was_found_is_no_rollout(before: ReleaseStatus | None, cause: str, outcome: str) -> None:
    """Adopted, or recovered in a restored cluster: it appears ended."""
    found = transitions(before, status(history_entry(outcome=outcome, cause=cause, took=0), ready="True Succeeded"), NOW)
    assert [h for h in found if h.kind is not TransitionKind.RESTORED] == []


def test_what_never_reached_ecs_failed_nowhere() -> None:
    ended = status(history_entry(outcome="Aborted", deployment_id=None))
    assert [h.counts for h in transitions(status(history_entry()), ended, NOW)] == [NEITHER]
    assert measure("Aborted") == FAILED


@pytest.mark.parametrize("cause", ["Rollback", "DriftCorrection", "Adopted", None])
def test_what_takes_a_change_back_is_none(cause: str | None) -> None:
    found = transitions(status(history_entry(cause=cause)), status(history_entry(cause=cause, outcome="Succeeded")), NOW)
    assert [(h.kind, h.counts, h.lead_s) for h in found] == [(TransitionKind.ENDED, NEITHER, None)]


def test_late_success_is_a_deployment_and_no_second_change() -> None:
    late, came = status(history_entry(outcome="DeadlineExceeded")), status(history_entry(outcome="SucceededLate"), ready="True Succeeded")
    refined, restored = transitions(late, came, NOW + MINUTE)
    assert (refined.kind, refined.counts, refined.lead_s) == (TransitionKind.REFINED, DEPLOYED, 600)
    assert (restored.kind, restored.seconds) == (TransitionKind.RESTORED, 60)


def test_a_late_rollback_is_no_second_failure() -> None:
    (refined,) = transitions(status(history_entry(outcome="DeadlineExceeded")), status(history_entry(outcome="RolledBack")), NOW)
    assert (refined.kind, refined.outcome, refined.counts) == (TransitionKind.REFINED, "RolledBack", NEITHER)


def test_an_attempt_that_gives_way_to_the_next_has_ended() -> None:
    after = status(history_entry("b"), history_entry(outcome="Superseded"))
    assert [(h.kind, h.id) for h in transitions(status(history_entry()), after, NOW)] == [(TransitionKind.ENDED, "a")]


# Lead time.


@pytest.mark.parametrize(
    ("past", "image", "pushed", "lead_s"),
    [
        (None, {}, 600, 600),
        (None, {}, None, None),
        ({"outcome": "RolledBack"}, {}, 600, 600),
        ({"outcome": "Succeeded"}, {}, 600, None),
        ({"outcome": "Succeeded", "cause": "Adopted"}, {}, 600, None),
        ({"outcome": "Succeeded", "images": [ImageChange(container="app", to_digest=OTHER)]}, {}, 600, 600),
        (None, {"from_digest": NEW}, 600, None),
        (None, {"unlisted": True}, 600, None),
    ],
    ids=["new", "push unknown", "retried", "ran before", "was adopted", "another ran", "same image", "sidecar"],
)  # fmt: skip
def test_lead_time_is_of_images_that_are_new_here(
    past: dict[str, Any] | None, image: dict[str, Any], pushed: float | None, lead_s: float | None
) -> None:
    images = [ImageChange(container="app", **{"from_digest": OLD, "to_digest": NEW} | image)]
    old = [history_entry("old", **past)] if past else []
    before, after = (
        status(history_entry(images=images), *old),
        status(history_entry(images=images, outcome="Succeeded"), *old, pushed=pushed),
    )
    (ended,) = [h for h in transitions(before, after, NOW) if h.kind is TransitionKind.ENDED]
    assert ended.lead_s == lead_s


def test_lead_time_from_the_commit_is_told_of_what_was_deployed() -> None:
    def found(before: str | None, outcome: str, **more: Any) -> list[float | None]:
        after = status(history_entry(outcome=outcome, lead_time_seconds=86400, **more))
        return [t.commit_lead_s for t in transitions(status(history_entry(outcome=before, **more)), after, NOW)]

    assert found(None, "Succeeded") == [86400] == found("DeadlineExceeded", "SucceededLate")
    assert found(None, "RolledBack") == [None] == found(None, "Succeeded", cause="Rollback")


# Restoration.


def test_restored_after_the_first_of_several_failures() -> None:
    failures = (
        history_entry("f2", "RolledBack", ago=300),
        history_entry("f1", "RolloutFailed", ago=1200),
        history_entry("g", "Succeeded", ago=9000),
    )
    before, after = status(history_entry("b"), *failures), status(history_entry("b", "Succeeded"), *failures, ready="True Succeeded")
    assert [(h.kind, h.seconds) for h in transitions(before, after, NOW)] == [(TransitionKind.ENDED, 90), (TransitionKind.RESTORED, 1200)]


@pytest.mark.parametrize(
    ("history", "was", "is_now", "last_ready"),
    [
        ([history_entry("g", "Succeeded", ago=100)], "False Drifted", "True Succeeded", None),
        ([history_entry("f", "RolledBack", ago=100)], "False RolledBack", "Unknown RollingOut", None),
        ([history_entry("f", "RolledBack", ago=100)], "True Succeeded", "True Succeeded", None),
        ([history_entry("f", "RolledBack", ago=100)], "False Drifted", "True Succeeded", 50),
        ([history_entry("f", "Superseded", ago=100)], "False Superseded", "True Succeeded", None),
        ([], "Unknown Verifying", "True Succeeded", None),
    ],
    ids=["drift", "not yet", "was ready", "was ready since", "superseded", "first"],
)  # fmt: skip
def test_no_outage_no_restoration(history: list[HistoryEntry], was: str, is_now: str, last_ready: float | None) -> None:
    ready = LastReady(time=NOW - timedelta(seconds=last_ready)) if last_ready else None
    assert TransitionKind.RESTORED not in kinds(status(*history, ready=was, last_ready=ready), status(*history, ready=is_now))


def test_restored_by_what_runs_already() -> None:
    """Rolled back, and then the source is set to what runs: adopted."""
    failed = history_entry("f", "RolledBack", ago=300)
    before = status(failed, ready="False RolledBack")
    after = status(history_entry("b", "Succeeded", cause="Adopted"), failed, ready="True Succeeded")
    assert [(h.kind, h.seconds) for h in transitions(before, after, NOW)] == [(TransitionKind.RESTORED, 300)]


def test_a_failure_in_the_second_in_which_it_was_ready_is_an_outage() -> None:
    """The history has whole seconds, and lastReady has fractions of one."""
    failed = history_entry("f", "RolledBack", ago=300)
    assert failed.completion_time is not None
    last_ready = LastReady(time=failed.completion_time + timedelta(seconds=0.4))
    before = status(history_entry("b"), failed, last_ready=last_ready)
    after = status(history_entry("b", "Succeeded"), failed, ready="True Succeeded")
    assert [(h.kind, h.seconds) for h in transitions(before, after, NOW)][1:] == [(TransitionKind.RESTORED, 300)]


# A whole life, write by write.


def test_a_life_is_counted_once() -> None:
    fail, good = history_entry("f", "RolledBack", ago=300), history_entry("g", "Succeeded")
    life = [
        None, status(), status(history_entry("f")), status(history_entry("f")), status(fail, ready="False RolledBack"), status(fail, ready="False RolledBack"),
        status(history_entry("g"), fail), status(good, fail, ready="True Succeeded"), status(good, fail, ready="False Drifted"),
        status(good, fail, ready="False Drifted"), status(good, fail, ready="True Succeeded"),
    ]  # fmt: skip
    found = [h.kind for before, after in pairwise(life) if after is not None for h in transitions(before, after, NOW)]
    assert found == [TransitionKind.ENDED, TransitionKind.ENDED, TransitionKind.RESTORED, TransitionKind.DRIFTED]


def test_deployment_sets_end_without_their_waiting() -> None:
    def its(outcome: str | None, **more: Any) -> ReleaseSetStatus:
        end = NOW if outcome else None
        return ReleaseSetStatus(
            history=[SetHistoryEntry(id="s", cause="Requested", outcome=outcome, start_time=NOW - 10 * MINUTE, completion_time=end, **more)]
        )

    ended = its("Failed", waited_seconds=240)
    assert set_transitions(None, its(None)) == ()
    assert set_transitions(None, ended) == (), "of another life"
    assert set_transitions(its(None), ended) == (Transition(TransitionKind.ENDED, 360, "s", "Requested", "Failed"),)
    assert set_transitions(ended, ended) == ()
    assert [h.kind for h in set_transitions(ended, its("SucceededLate"))] == [TransitionKind.REFINED]
