"""Following an attempt by looks that took long: what one was asked for too early to show says nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.conditions import Condition
from ecs_release.api.release_status import Pin, PinnedImage, RolloutProgress
from ecs_release.domain.decision.decision import Update
from ecs_release.domain.decision.facts import Doubt
from ecs_release.domain.ecs.events import Author
from ecs_release.domain.ecs.service import Look, Outage, Service
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import KEY, changed
from tests.builders.objects import environment
from tests.builders.scenarios import PAUSE, attempt_under_way, service_deployment, with_rollout

BEFORE = service(deployment(1, age_s=3600), tasks=(task(1, OLD), task(1, OLD)))


def looked(asked_ago_s: float, **more: Any) -> Look:
    """A look that came just now, and shows the service as it was before the attempt."""
    return Look(KEY, BEFORE, NOW, NOW, asked_time=NOW - timedelta(seconds=asked_ago_s), **more)


@pytest.mark.parametrize(
    ("asked_ago_s", "outcome"),
    [
        pytest.param(100, None, id="asked for before ECS accepted the deployment"),
        pytest.param(89, None, id="asked for a second after"),
        pytest.param(61, None, id="asked for as long as a deployment may be invisible"),
        pytest.param(59, "Superseded", id="asked for when it had to be visible"),
    ],
)
def test_a_look_shows_what_was_so_when_it_was_asked_for(asked_ago_s: float, outcome: str | None) -> None:
    """ECS accepted the deployment 90 s ago; it may be invisible for 30 s."""
    rollout = decide(changed(with_rollout(attempt_under_way(idle_s=90)), look=looked(asked_ago_s))).status.rollout
    assert rollout is not None
    assert rollout.outcome == outcome


@pytest.mark.parametrize(
    ("deployment_id", "ends"), [("ecs-svc/3", " by arn:ada (console)"), ("ecs-svc/2", " before it was seen to be done")]
)
def test_who_superseded_an_attempt_is_named_if_known(deployment_id: str, ends: str) -> None:
    theirs = Look(KEY, service(deployment(3), tasks=(task(3, OTHER), task(3, OTHER))), NOW, NOW)
    author = Author("arn:ada", "console", NOW - timedelta(seconds=60), deployment_id)
    rollout = decide(changed(with_rollout(attempt_under_way(idle_s=90)), look=theirs, authors=(author,))).status.rollout
    assert rollout is not None and rollout.outcome == "Superseded"
    assert (rollout.message or "").endswith(ends), rollout.message


def test_a_look_that_shows_the_deployment_was_not_asked_for_too_early() -> None:
    """The answer of UpdateService came later than that of DescribeServices. No look after it may tell anything new."""
    done = Look(KEY, service(deployment(2), tasks=(task(2), task(2))), NOW, NOW, asked_time=NOW - timedelta(seconds=100))
    rollout = decide(changed(with_rollout(attempt_under_way(idle_s=90)), look=done)).status.rollout
    assert rollout is not None
    assert rollout.outcome == "Succeeded"


@pytest.mark.parametrize(("asked_ago_s", "repeated"), [(41, False), (39, False), (11, False), (9, True)])
def test_a_call_in_doubt_is_repeated_only_after_a_look_that_would_show_it(asked_ago_s: float, repeated: bool) -> None:
    """The answer was lost 40 s ago; reads may lag by 30 s."""
    given = changed(
        with_rollout(attempt_under_way(), intent={"accepted_time": None}, deployment_id=None), look=looked(asked_ago_s),
        doubt=Doubt(NOW - timedelta(seconds=40)),
    )  # fmt: skip
    assert decide(given).act == (Update(revision(2)) if repeated else None)


CRASHES = service(deployment(2, state="IN_PROGRESS", running=1), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD)))
FAILED = service(
    deployment(2, state="FAILED", running=0), deployment(1, status="ACTIVE"), tasks=(task(1, OLD),), rollback=True, circuit_breaker=True
)
BEST = RolloutProgress(new_tasks=1, old_tasks=2, stages=["IN_PROGRESS", "SCALE_UP"])
LONG_AGO, THEN, MINUTE = NOW - timedelta(seconds=9000), NOW - timedelta(seconds=1700), timedelta(minutes=1)
LATE = ("DeadlineExceeded", LONG_AGO + MINUTE)


@pytest.mark.parametrize(
    ("what", "seen", "best", "since", "more", "expected"),
    [
        ("where it was before", CRASHES, BEST, THEN, {}, (None, THEN)),
        ("a new process knows no better", CRASHES, BEST, LONG_AGO, {}, ("DeadlineExceeded", LONG_AGO)),
        ("further than ever", CRASHES, BEST.model_copy(update={"new_tasks": 0}), LONG_AGO, {}, (None, NOW)),
        ("fewer old tasks than ever", CRASHES, BEST.model_copy(update={"old_tasks": 3}), LONG_AGO, {}, (None, NOW)),
        ("a stage that it has been at", CRASHES, BEST, THEN, {"service_deployment": service_deployment(stage="SCALE_UP")}, (None, THEN)),
        ("a new stage", CRASHES, BEST, LONG_AGO, {"service_deployment": service_deployment(stage="CLEAN_UP")}, (None, NOW)),
        ("a status of an older version", CRASHES, None, THEN, {}, (None, THEN)),
        ("it waits on purpose", CRASHES, BEST, LONG_AGO, {"service_deployment": service_deployment(hooks=(PAUSE,))}, (None, None)),
        ("it waited until now", CRASHES, BEST, None, {}, (None, NOW)),
        ("unread since then", CRASHES, BEST, LONG_AGO, {"outage": Outage(LONG_AGO, THEN)}, (None, THEN)),
        ("unread for a while", CRASHES, BEST, THEN, {"outage": Outage(NOW - 2 * MINUTE, NOW - MINUTE)}, (None, THEN + MINUTE)),
        ("unread for a while, and late all the same", CRASHES, BEST, LONG_AGO, {"outage": Outage(NOW - MINUTE, NOW)}, LATE),
        ("unread before it came so far", CRASHES, BEST, THEN, {"outage": Outage(LONG_AGO, THEN - MINUTE)}, (None, THEN)),
        ("unread until now, by another process", CRASHES, BEST, LONG_AGO, {"reason": "ObservationFailed"}, (None, NOW)),
        ("its failure is seen: ECS has a minute to roll back", FAILED, BEST, THEN, {}, (None, NOW)),
        ("and has not done so", FAILED, BEST.model_copy(update={"stages": ["FAILED"]}), THEN, {}, ("RolloutFailed", THEN)),
    ],
)
def test_only_what_was_never_reached_before_is_progress(
    what: str, seen: Service, best: RolloutProgress | None, since: datetime | None, more: dict[str, Any], expected: tuple[Any, Any]
) -> None:
    """The deadline is 1800 s. Whatever a process remembers is in status."""
    reason = more.pop("reason", None)
    given = with_rollout(attempt_under_way(seen, idle_s=10_000, **more), progress=best, last_progress_time=since)
    ready = Condition(type="Ready", status="Unknown", reason=reason, last_transition_time=NOW) if reason else None
    given = changed(given, status=given.status.model_copy(update={"conditions": [ready] if ready else None}))
    rollout = decide(given).status.rollout
    assert rollout is not None
    assert (rollout.outcome, rollout.last_progress_time) == expected, what


def test_one_that_took_over_begins_without_progress() -> None:
    """Never with an empty object: server-side apply makes null of one that loses its last field."""
    taken_over = service(deployment(3, state="IN_PROGRESS"), tasks=(task(3),))
    given = with_rollout(attempt_under_way(taken_over, primary_digests={"app": NEW}), progress=BEST, last_progress_time=THEN)
    rollout = decide(given).status.rollout
    assert rollout is not None
    assert (rollout.deployment_id, rollout.last_progress_time) == ("ecs-svc/3", NOW)
    assert rollout.to_kubernetes()["progress"] == {"newTasks": 0}


def test_a_newer_source_waits_for_one_that_took_over() -> None:
    taken_over = service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE", state="IN_PROGRESS"), tasks=(task(3),))
    given = with_rollout(attempt_under_way(taken_over, primary_digests={"app": NEW}))
    followed = decide(given).status
    pin = Pin(source_hash="newer", resolved_time=NOW, images=[PinnedImage(container="app", digest=OTHER)])
    decision = decide(changed(given, status=followed, pin=pin, running=task_definition(3, NEW), attempt_id="b"))
    ready = find(decision.status.conditions, "Ready")
    assert ready is not None and ready.reason == "AwaitingSteady"
    assert [e.outcome for e in decision.status.history or ()] == [None for _ in decision.status.history or ()]


def test_the_deadline_of_what_is_followed_passes_while_a_newer_source_is_suspended() -> None:
    given = with_rollout(attempt_under_way(CRASHES, environment=environment(suspend={"reason": "audit"})), progress=BEST)
    pin = Pin(source_hash="newer", resolved_time=NOW, images=[PinnedImage(container="app", digest=OTHER)])
    decision = decide(changed(given, pin=pin, running=task_definition(2, NEW), attempt_id="b"))
    ready = find(decision.status.conditions, "Ready")
    assert ready is not None and ready.reason == "Suspended"
    assert decision.again_s == pytest.approx(1740)
