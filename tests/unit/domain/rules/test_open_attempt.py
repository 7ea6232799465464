"""An attempt under way: what its status says of stages, hooks and protected tasks, when it is looked at again, and how it is aborted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.names import OVERRIDE_ANNOTATION
from ecs_release.api.release_status import Pin, PinnedImage, PlatformDigests, Running
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Register, Stop, Update
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready_and_reconciling
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment
from tests.builders.release_history import CLOSED
from tests.builders.scenarios import PAUSE, attempt_due, attempt_under_way, service_deployment, with_rollout


def test_a_paused_hook_is_waited_for_and_named() -> None:
    decision = decide(attempt_under_way(service_deployment=service_deployment(hooks=(PAUSE,), traffic=0.0), idle_s=100_000))
    assert ready_and_reconciling(decision) == ("False", "AwaitingHook", "True")
    assert decision.status.phase == "Waiting"
    rollout, deployed = decision.status.rollout, find(decision.status.conditions, "Deployed")
    assert rollout is not None and deployed is not None
    assert (rollout.stage, rollout.traffic_percent, rollout.awaiting) == ("POST_SCALE_UP", 0, "hook ABC at POST_SCALE_UP")
    assert (deployed.status, deployed.reason) == ("Unknown", "AwaitingHook")
    assert "continue or roll back in the ECS console" in (find(decision.status.conditions, "Ready") or deployed).message
    assert (rollout.last_progress_time, decision.fast) == (None, True)


def test_baking_is_rolling_out_and_no_lack_of_progress() -> None:
    decision = decide(attempt_under_way(service_deployment=service_deployment(stage="BAKE_TIME", traffic=100.0), idle_s=100_000))
    assert ready_and_reconciling(decision) == ("Unknown", "RollingOut", "True")
    assert decision.status.rollout is not None
    assert (decision.status.rollout.traffic_percent, decision.status.rollout.last_progress_time) == (100, None)


def test_without_the_api_nothing_is_said_of_stages() -> None:
    rollout = decide(attempt_under_way()).status.rollout
    assert rollout is not None
    assert (rollout.stage, rollout.traffic_percent, rollout.awaiting) == ("IN_PROGRESS", None, None)


def test_what_is_over_awaits_nothing() -> None:
    done = service(deployment(2), tasks=(task(2), task(2)), strategy="BLUE_GREEN")
    rollout = decide(attempt_under_way(done, service_deployment=service_deployment(hooks=(PAUSE,), traffic=50.0))).status.rollout
    assert rollout is not None
    assert (rollout.outcome, rollout.traffic_percent, rollout.awaiting) == ("Succeeded", None, None)


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"])
def test_an_abort_stops_the_deployment_in_any_stage(stage: str) -> None:
    hooks = (PAUSE,) if stage == "POST_SCALE_UP" else ()
    first = decide(attempt_under_way(service_deployment=service_deployment(stage=stage, hooks=hooks), abort=True))
    assert first.status.rollout is not None and first.status.rollout.intent is not None
    assert first.status.rollout.intent.action == "StopServiceDeployment"
    then = decide(attempt_under_way(service_deployment=service_deployment(stage=stage, hooks=hooks), intent="StopServiceDeployment"))
    assert then.act == Stop("arn:sd")


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"])
def test_an_abort_leaves_a_rollback_alone(status: str) -> None:
    decision = decide(attempt_under_way(service_deployment=service_deployment(status=status), intent="StopServiceDeployment"))
    assert decision.act is None
    assert ready_and_reconciling(decision) == ("False", "Aborted", "False")


SOMEBODYS = service(
    deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE", state="IN_PROGRESS"), tasks=(task(2), task(2)), strategy="BLUE_GREEN"
)
"""Somebody else has deployed, and no task of that runs yet."""


@pytest.mark.parametrize("intent", ["StopServiceDeployment", "RollBack"])
def test_an_abort_leaves_what_somebody_else_has_deployed_alone(intent: str) -> None:
    given = with_rollout(attempt_under_way(SOMEBODYS, intent=intent), stage="IN_PROGRESS", intent={"accepted_time": None})
    decision = decide(given)
    assert (decision.act, ready_and_reconciling(decision)) == (None, ("Unknown", "RollingOut", "True"))
    theirs = replace(SOMEBODYS, tasks=(task(3, OTHER), task(2)))
    assert ready_and_reconciling(decide(changed(given, seen=theirs)))[:2] == ("False", "Superseded")


BACK = service(
    deployment(3, task_definition=revision(1), state="IN_PROGRESS"),
    deployment(2, status="ACTIVE", state="IN_PROGRESS"),
    tasks=(task(2), task(2)),
)
"""The former revision is deployed again, and no task of that runs yet."""
ROLLED_BACK = service(deployment(1), deployment(2, status="ACTIVE", state="FAILED"), tasks=(task(1, OLD), task(1, OLD)))
OTHERS = replace(SOMEBODYS, tasks=(task(3, OTHER), task(2)))


@pytest.mark.parametrize(
    ("intent", "seen", "in_doubt", "outcome", "words"),
    [
        ("RollBack", BACK, True, "Aborted", "went back to web:1 by deployment ecs-svc/3"),
        (
            "RollBack",
            replace(BACK, tasks=(replace(task(3, OLD), task_definition=revision(1)), task(2))),
            True,
            "Aborted",
            "went back to web:1",
        ),
        ("RollBack", BACK, False, None, "took over; none of its tasks runs yet"),
        ("RollBack", ROLLED_BACK, True, "Aborted", "ECS rolled back to web:1"),
        ("RollBack", OTHERS, True, "Superseded", "replaced ours"),
        ("StopServiceDeployment", ROLLED_BACK, True, "Aborted", "ECS rolled back to web:1"),
        ("StopServiceDeployment", ROLLED_BACK, False, "RolledBack", "ECS rolled back to web:1"),
        ("StopServiceDeployment", BACK, True, None, "took over; none of its tasks runs yet"),
        ("UpdateService", ROLLED_BACK, True, "RolledBack", "ECS rolled back to web:1"),
    ],
)
def test_an_abort_whose_answer_was_lost_is_no_deployment_of_somebody_else(
    intent: str, seen: Service, in_doubt: bool, outcome: str | None, words: str
) -> None:
    accepted = {"accepted_time": NOW - timedelta(seconds=60)} if intent == "UpdateService" else {"accepted_time": None}
    given = with_rollout(
        attempt_under_way(seen, intent=intent), stage="IN_PROGRESS", intent={"deployments": ["ecs-svc/1"], **accepted},
        last_progress_time=NOW - timedelta(seconds=60),
    )  # fmt: skip
    doubt = Doubt(NOW - timedelta(seconds=5)) if in_doubt and intent != "UpdateService" else None
    rollout = decide(changed(given, doubt=doubt)).status.rollout
    assert rollout is not None
    assert (rollout.outcome, words in (rollout.message or "")) == (outcome, True), rollout.message


def test_what_an_abort_announces_keeps_what_was_listed_before_the_attempt() -> None:
    """Somebody's deployment that is listed when the abort is requested is newer than ours: ECS has not rolled back to it."""
    given = with_rollout(attempt_under_way(SOMEBODYS, abort=True), stage="IN_PROGRESS")
    rollout = decide(given).status.rollout
    assert rollout is not None and rollout.intent is not None
    assert (rollout.intent.action, rollout.intent.deployments) == ("StopServiceDeployment", ["ecs-svc/1"])


def test_an_abort_keeps_when_the_deployment_was_accepted() -> None:
    """Looks may be older than that for as long as reads lag; how long ago the attempt began says nothing of it."""
    accepted, begun = NOW - timedelta(seconds=5), NOW - timedelta(minutes=9)
    given = with_rollout(attempt_under_way(abort=True), start_time=begun, last_progress_time=accepted, stage="IN_PROGRESS")
    rollout = decide(given).status.rollout
    assert rollout is not None and rollout.intent is not None and rollout.intent.action == "StopServiceDeployment"
    assert rollout.intent.accepted_time is None and attempts.accepted_time(rollout) == rollout.last_progress_time != begun
    assert attempts.accepted_time(rollout.model_copy(update={"deployment_id": None})) is None


def test_a_daemon_without_instances_proves_nothing() -> None:
    seen = service(deployment(2, desired=0, running=0), desired=0, scheduling="DAEMON")
    decision = decide(attempt_under_way(seen))
    assert decision.status.rollout is not None
    assert decision.status.rollout.outcome == "NothingRunning"
    assert "no container instance" in (decision.status.rollout.message or "")
    assert ready_and_reconciling(decision)[:2] == ("True", "NothingRunning")
    assert "no container instance" in (find(decision.status.conditions, "Ready") or decision).message


def with_newer_source(given: Facts, digest: str = OTHER, **more: Any) -> Facts:
    """The same attempt, and a newer source that has just been resolved to another digest."""
    pin = Pin(source_hash="newer", resolved_time=NOW, images=[PinnedImage(container="app", digest=digest)])
    attempt = with_rollout(given)
    return changed(attempt, pin=pin, running=task_definition(2, NEW), attempt_id="b", **more)


PLATFORM = "sha256:" + "e" * 64
COMES_UP = service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD)))
HAS_COME_UP = service(deployment(2), tasks=(task(2), task(2)))
SHOWS_PLATFORMS = service(deployment(2), tasks=(task(2, PLATFORM), task(2, PLATFORM)))
HAS_FAILED = service(deployment(2, state="FAILED"), tasks=(task(1, OLD), task(1, OLD)))


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        pytest.param(COMES_UP, None, id="it rolls out"),
        pytest.param(HAS_COME_UP, "Succeeded", id="it came up"),
        pytest.param(SHOWS_PLATFORMS, "Succeeded", id="its tasks show the digest of their platform"),
        pytest.param(HAS_FAILED, "RolloutFailed", id="it failed"),
    ],
)
def test_an_attempt_is_followed_while_a_newer_source_waits(seen: Service, outcome: str | None) -> None:
    given = with_newer_source(attempt_under_way(seen, environment=environment(windows=CLOSED)))
    own = PlatformDigests(container="app", digests=[PLATFORM])
    decision = decide(with_rollout(given, platform_digests=[own]))
    assert ready_and_reconciling(decision)[1] == "AwaitingWindow"
    assert decision.status.rollout is not None
    assert (decision.status.rollout.attempt_id, decision.status.rollout.outcome) == ("a", outcome)


def test_an_attempt_is_looked_at_by_its_deadline_while_a_newer_source_waits() -> None:
    """Nothing else changes then: no watch event comes, and ECS shows the same."""
    given = with_newer_source(attempt_under_way(COMES_UP, idle_s=600), environment=environment(suspend={"reason": "audit"}))
    decision = decide(given)
    assert ready_and_reconciling(decision)[1] == "Suspended"
    assert decision.again_s == given.place.deadline.total_seconds() - 600


def test_an_attempt_ends_when_that_at_a_newer_source_begins() -> None:
    decision = decide(with_newer_source(attempt_under_way(COMES_UP)))
    assert [(e.attempt_id, e.outcome) for e in decision.status.history or ()] == [("b", None), ("a", "Superseded")]


def test_a_newer_source_waits_for_a_look_that_shows_the_attempt() -> None:
    before = service(deployment(1), tasks=(task(1, OLD),))
    decision = decide(with_rollout(with_newer_source(attempt_under_way(before)), stage="IN_PROGRESS"))
    assert (decision.act, [e.outcome for e in decision.status.history or ()]) == (None, [])
    assert decision.status.rollout is not None and (decision.status.rollout.attempt_id, decision.status.rollout.outcome) == ("a", None)


def test_a_newer_source_of_the_same_images_waits_for_their_attempt() -> None:
    decision = decide(with_newer_source(attempt_under_way(COMES_UP), digest=NEW))
    assert decision.status.rollout is not None and decision.status.rollout.attempt_id == "a"
    assert ready_and_reconciling(decision)[1] == "RollingOut"


def begun(action: str, *, windows: Any = (), method: str = "TaskDefinition", annotations: Any = None, **more: Any) -> Facts:
    """An attempt that has announced an action, and then something hindered it. The method is that of today."""
    by_tag = {"rollout": {"method": method}, "artifacts": {"environmentTag": "env.prod"}} if method == "EnvironmentTag" else {}
    given = attempt_due(environment=environment(windows=list(windows or (CLOSED if by_tag else ())), **by_tag))
    started = decide(attempt_due()).status
    rollout = started.rollout
    assert rollout is not None and rollout.intent is not None
    intent = rollout.intent.model_copy(update={"action": action})
    revision_ = task_definition(2, NEW).arn
    status = started.model_copy(update={"rollout": rollout.model_copy(update={"intent": intent, "task_definition": revision_, **more})})
    web = given.release.model_copy(update={"metadata": given.release.metadata.model_copy(update={"annotations": annotations})})
    return changed(given, release=web.model_copy(update={"status": status}), pin=started.pin)


@pytest.mark.parametrize(
    ("what", "given", "acts", "reason"),
    [
        ("no window", begun("UpdateService"), Update, "RollingOut"),
        ("a window has closed since", begun("UpdateService", windows=CLOSED), None, "AwaitingWindow"),
        ("it may pass this window", begun("UpdateService", windows=CLOSED, window="freeze: a rollback may pass"), Update, "RollingOut"),
        ("its tag has moved already", begun("UpdateService", method="EnvironmentTag", environment_tag="Moved"), Update, "RollingOut"),
        ("registering changes nothing that runs", begun("RegisterTaskDefinition", windows=CLOSED), Register, "RollingOut"),
    ],
)
def test_windows_are_asked_again_before_what_runs_is_changed(what: str, given: Facts, acts: type | None, reason: str) -> None:
    decision = decide(given)
    assert isinstance(decision.act, acts) if acts else decision.act is None, what
    assert ready_and_reconciling(decision)[1] == reason
    rollout = decision.status.rollout
    assert rollout is not None and rollout.intent is not None and not rollout.outcome, "the intent stands"


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("the tag was about to move", begun("PutImage")),
        ("the tag has moved", begun("UpdateService", environment_tag="Moved")),
        ("a revision was about to be registered", begun("RegisterTaskDefinition", method="EnvironmentTag")),
        ("a revision was registered", begun("UpdateService", method="EnvironmentTag")),
    ],
)
def test_an_attempt_ends_if_the_rollout_method_becomes_another_one(what: str, given: Facts) -> None:
    decision = decide(changed(given, attempt_id="c"))
    assert decision.act is None, what
    assert [e.outcome for e in decision.status.history or ()][-1] == "Abandoned", what


def test_an_override_lets_an_attempt_go_on_and_stays_with_it() -> None:
    given = begun("UpdateService", windows=CLOSED, annotations={OVERRIDE_ANNOTATION: "1/the customer asked for it"})
    decision = decide(given)
    assert decision.act is None, "the right is in status before it is used"
    rollout = decision.status.rollout
    assert rollout is not None and "the customer asked for it" in (rollout.window or "")
    assert decision.status.last_handled_override == "1/the customer asked for it"
    assert isinstance(decide(changed(given, status=decision.status)).act, Update)


AT_REST = service(deployment(1, age_s=9000), tasks=(task(1, OLD), task(1, OLD)))
GOES_BACK = service(
    deployment(1, state="IN_PROGRESS", age_s=9000), deployment(5, status="ACTIVE", state="FAILED"), tasks=(task(1, OLD), task(1, OLD))
)


@pytest.mark.parametrize(
    ("what", "seen", "intent", "under_way_s", "expected"),
    [
        ("nothing has changed", AT_REST, {"primary_id": "ecs-svc/1"}, None, (Update(revision(2)), None, "RollingOut")),
        ("an intent of an older version", AT_REST, {}, None, (Update(revision(2)), None, "RollingOut")),
        (
            "ECS went back to one that was listed before, from one that somebody else had begun",
            GOES_BACK,
            {"primary_id": "ecs-svc/5", "deployments": ["ecs-svc/5", "ecs-svc/1"]},
            5,
            (None, "Abandoned", "AwaitingSteady"),
        ),
        ("somebody deployed, and ECS goes back to what ran", GOES_BACK, {"primary_id": "ecs-svc/1"}, 5, (None, None, "AwaitingSteady")),
        ("it was under way when the attempt began", GOES_BACK, {"primary_id": "ecs-svc/1"}, 90, (Update(revision(2)), None, "RollingOut")),
        ("it has been under way for longer than anybody waits", GOES_BACK, {}, 1801, (Update(revision(2)), None, "RollingOut")),
    ],
)
def test_no_rollback_is_deployed_over(what: str, seen: Service, intent: dict[str, Any], under_way_s: float | None, expected: Any) -> None:
    """The attempt began a minute ago, and UpdateService is announced. ECS goes back by a deployment's old id and time."""
    attempt = attempt_under_way(seen, running=task_definition(1, OLD), attempt_id="b", idle_s=60 if under_way_s != 1801 else 3600)
    given = with_rollout(attempt, intent={"accepted_time": None, **intent}, deployment_id=None)
    since = NOW - timedelta(seconds=under_way_s) if under_way_s is not None else None
    status = given.status.model_copy(update={"running": Running(deployment_id="ecs-svc/1", under_way_since_time=since)})
    decision = decide(changed(given, status=status))
    history = {e.attempt_id: e.outcome for e in decision.status.history or ()}
    assert (decision.act, history.get("a"), ready_and_reconciling(decision)[1]) == expected, what
