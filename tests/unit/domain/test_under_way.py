"""An attempt under way: what its status says of stages, hooks and protected tasks, when it is looked at again, and how it is aborted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import Intent, Pin, PinnedImage, ReleaseStatus, Rollout
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.decision import Decision, Draft, Stop
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Hook, Look, ProtectedTask, Service, ServiceDeployment, ServiceKey
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules import protected_tasks as protection
from ecs_release.domain.rules.new_attempt import foreign_deployment
from tests.builders.ecs import NEW, NOW, OLD, deployment, revision, service, task
from tests.unit.domain.environments.test_targets import environment, project

KEY = ServiceKey("111122223333", "eu-west-1", "prod", "web")
PAUSE = Hook("ABC", "AWAITING_ACTION", "PAUSE")
BODY = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "1", "generation": 1, "annotations": {"ecs-release.dev/abort": "1"}},
    "spec": {"projectRef": {"name": "store"}, "service": "web", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "bbbbbbb"}},
}
BOTH = service(
    deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(2), task(1, OLD), task(1, OLD)),
    strategy="BLUE_GREEN",
)  # fmt: skip


def facts(seen: Service = BOTH, *, idle_s: float = 60, intent: str = "UpdateService", abort: bool = False, **more: Any) -> Facts:
    release = Release.model_validate(BODY)
    source = source_hash(release.spec.source)
    then = NOW - timedelta(seconds=idle_s)
    pin = Pin(source_hash=source, resolved_time=then, images=[PinnedImage(container="app", digest=NEW)])
    accepted = None if intent == "StopServiceDeployment" else then
    rollout = Rollout(
        attempt_id="a", source_hash=source, deployment_id="ecs-svc/2", task_definition=revision(2), rollback_target=revision(1),
        start_time=then, last_progress_time=then, intent=Intent(action=intent, accepted_time=accepted),
        images=[{"container": "app", "to_digest": NEW}],
    )  # fmt: skip
    status = ReleaseStatus(observed_generation=1, pin=pin, rollout=rollout, last_handled_abort=None if abort else "1")
    release = release.model_copy(update={"status": status})
    target = resolve_target(environment(), project(), "web")
    return Facts(release=release, now=NOW, environment=environment(), target=target, pin=pin, look=Look(KEY, seen, NOW, NOW), **more)


def ready(decision: Decision) -> tuple[str, str, str]:
    found, reconciling = find(decision.status.conditions, "Ready"), find(decision.status.conditions, "Reconciling")
    assert found is not None and reconciling is not None
    return found.status, found.reason, reconciling.status


def told(**more: Any) -> ServiceDeployment:
    return ServiceDeployment("arn:sd", **{"status": "IN_PROGRESS", "stage": "POST_SCALE_UP"} | more)


def test_a_paused_hook_is_waited_for_and_named() -> None:
    decision = decide(facts(explained=told(hooks=(PAUSE,), traffic=0.0), idle_s=100_000))
    assert ready(decision) == ("False", "AwaitingHook", "True")
    assert decision.status.phase == "Waiting"
    rollout, deployed = decision.status.rollout, find(decision.status.conditions, "Deployed")
    assert rollout is not None and deployed is not None
    assert (rollout.stage, rollout.traffic_percent, rollout.awaiting) == ("POST_SCALE_UP", 0, "hook ABC at POST_SCALE_UP")
    assert (deployed.status, deployed.reason) == ("Unknown", "AwaitingHook")
    assert "continue or roll back in the ECS console" in (find(decision.status.conditions, "Ready") or deployed).message
    assert (decision.waits, decision.fast) == (True, True)


def test_baking_is_rolling_out_and_no_lack_of_progress() -> None:
    decision = decide(facts(explained=told(stage="BAKE_TIME", traffic=100.0), idle_s=100_000))
    assert ready(decision) == ("Unknown", "RollingOut", "True")
    assert decision.status.rollout is not None
    assert (decision.status.rollout.traffic_percent, decision.waits) == (100, True)


def test_without_the_api_nothing_is_said_of_stages() -> None:
    rollout = decide(facts()).status.rollout
    assert rollout is not None
    assert (rollout.stage, rollout.traffic_percent, rollout.awaiting) == ("IN_PROGRESS", None, None)


def test_what_is_over_awaits_nothing() -> None:
    done = service(deployment(2), tasks=(task(2), task(2)), strategy="BLUE_GREEN")
    rollout = decide(facts(done, explained=told(hooks=(PAUSE,), traffic=50.0))).status.rollout
    assert rollout is not None
    assert (rollout.outcome, rollout.traffic_percent, rollout.awaiting) == ("Succeeded", None, None)


def test_protected_tasks_are_named() -> None:
    names = tuple(ProtectedTask(f"{KEY}/task/t{n}", NOW + timedelta(hours=n) if n else None) for n in range(7))
    decision = decide(facts(protected=names, idle_s=300))
    assert decision.status.rollout is not None
    message = decision.status.rollout.message or ""
    assert "old tasks are protected from scale-in: t0, t1 until 2026-05-04 13:00 UTC, t2" in message
    assert "t4 until 2026-05-04 16:00 UTC and 2 more" in message
    assert "protected" in str(decide(facts(protected=names[:1], idle_s=2000)).status.rollout)
    assert "protected" not in str(decide(facts(service(deployment(2), tasks=(task(2),)), protected=names)).status.rollout)


@pytest.mark.parametrize(
    ("seen", "idle_s", "due_s", "again_s"),
    [
        (BOTH, 0, 120, 120),
        (BOTH, 100, 20, 20),
        (BOTH, 130, -10, 60),
        (BOTH, 1790, -1670, 10),
        (service(deployment(2, state="IN_PROGRESS"), tasks=(task(2),)), 100, None, 1700),
    ],
)
def test_it_is_asked_of_after_a_while_and_looked_at_again_in_time(
    seen: Service, idle_s: float, due_s: float | None, again_s: float
) -> None:
    given = facts(seen, idle_s=idle_s)
    assert given.status.rollout is not None
    assert protection.due_in_s(given, given.status.rollout) == due_s
    assert decide(given).again_s == again_s


def test_suspects_are_running_tasks_of_other_deployments() -> None:
    assert protection.suspects(BOTH, "ecs-svc/2") == (task(1, OLD).arn, task(1, OLD).arn)


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"])
def test_an_abort_stops_the_deployment_in_any_stage(stage: str) -> None:
    hooks = (PAUSE,) if stage == "POST_SCALE_UP" else ()
    first = decide(facts(explained=told(stage=stage, hooks=hooks), abort=True))
    assert first.status.rollout is not None and first.status.rollout.intent is not None
    assert first.status.rollout.intent.action == "StopServiceDeployment"
    then = decide(facts(explained=told(stage=stage, hooks=hooks), intent="StopServiceDeployment"))
    assert then.act == Stop("arn:sd")


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"])
def test_an_abort_leaves_a_rollback_alone(status: str) -> None:
    decision = decide(facts(explained=told(status=status), intent="StopServiceDeployment"))
    assert decision.act is None
    assert ready(decision) == ("False", "Aborted", "False")


def test_a_daemon_without_instances_proves_nothing() -> None:
    seen = service(deployment(2, desired=0, running=0), desired=0, scheduling="DAEMON")
    decision = decide(facts(seen))
    assert decision.status.rollout is not None
    assert decision.status.rollout.outcome == "NothingRunning"
    assert "no container instance" in (decision.status.rollout.message or "")
    assert ready(decision)[:2] == ("True", "NothingRunning")
    assert "no container instance" in (find(decision.status.conditions, "Ready") or decision).message


@pytest.mark.parametrize(
    ("age_s", "more", "waited_for"),
    [
        (1000, {}, True),
        (2000, {}, True),
        (2200, {}, False),
        (100_000, {"foreign": told(hooks=(PAUSE,))}, True),
        (100_000, {"foreign": told()}, False),
        (100_000, {"foreign": told(), "patient_from": NOW - timedelta(seconds=2000)}, True),
    ],
)
def test_somebody_elses_deployment_may_bake_and_pause(age_s: float, more: dict[str, Any], waited_for: bool) -> None:
    """The deadline is 1800 s, and the service bakes for 300. A pause that has just ended moved `patient_from` on."""
    seen = service(deployment(3, state="IN_PROGRESS", age_s=age_s), tasks=(task(3, OLD),), strategy="BLUE_GREEN", bake_s=300)
    given = facts(seen, **more)
    assert (foreign_deployment(given, Draft.of(given.status), seen) is not None) is waited_for


def test_what_holds_somebody_elses_deployment_is_said() -> None:
    seen = service(deployment(3, state="IN_PROGRESS", age_s=100_000), tasks=(task(3, OLD),), strategy="BLUE_GREEN")
    given = facts(seen, foreign=told(hooks=(PAUSE,)))
    status = given.status.model_copy(update={"rollout": None})
    decision = decide(replace(given, release=given.release.model_copy(update={"status": status})))
    assert ready(decision) == ("False", "AwaitingSteady", "True")
    assert "hook ABC at POST_SCALE_UP awaits action" in str(decision.status.summary)
    assert (decision.waits, decision.fast) == (True, True)
