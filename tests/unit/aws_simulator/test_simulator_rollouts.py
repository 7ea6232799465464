"""The simulator's services in virtual time: how deployments complete, fail, are rolled back and replaced."""

from __future__ import annotations

import pytest

from tests.aws_simulator.behaviour import made_up_digest
from tests.unit.aws_simulator.virtual_service import START, Bench

_BREAKER = {"enable": True, "rollback": True}
_STAGES = ["PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_a_rollout_takes_aws_s_time_and_completes() -> None:
    bench = Bench()
    assert [d.state for d in bench.service.deployments] == ["IN_PROGRESS"]
    bench.advance(45)
    assert bench.service.primary.state == "IN_PROGRESS", "running, but not yet healthy"
    bench.advance(1)
    assert bench.service.primary.state == "COMPLETED"
    assert bench.names("ECS Deployment State Change") == ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"]
    assert bench.names("ECS Service Action") == ["SERVICE_STEADY_STATE"]
    assert bench.service.next_at() is None


def test_a_task_goes_through_all_stages_in_order() -> None:
    bench = Bench(desired=1)
    bench.settle()
    task = bench.service.tasks[0]
    bench.deploy("healthy:2")
    bench.settle()
    seen = [d["lastStatus"] for k, d in bench.sent if k == "ECS Task State Change" and d["taskArn"] == task.arn]
    assert list(dict.fromkeys(seen)) == _STAGES
    versions = [d["version"] for k, d in bench.sent if k == "ECS Task State Change" and d["taskArn"] == task.arn]
    assert versions == sorted(set(versions)), "each event has a later version"


def test_a_new_deployment_is_primary_and_the_old_one_active_until_drained() -> None:
    bench = Bench()
    first = bench.settle()
    second = bench.deploy("healthy:2")
    assert [(d.id, d.status) for d in bench.service.deployments] == [(second.id, "PRIMARY"), (first.id, "ACTIVE")]
    bench.settle()
    assert [(d.id, d.status) for d in bench.service.deployments] == [(second.id, "PRIMARY")]


def test_inactive_deployments_can_linger() -> None:
    bench = Bench()
    first = bench.settle()
    bench.lingers = 3000
    bench.deploy("healthy:2")
    bench.settle()
    assert [d.status for d in bench.service.deployments] == ["PRIMARY", "INACTIVE"]
    bench.advance(3000)
    assert first not in bench.service.deployments


@pytest.mark.parametrize("kind", ["crash", "pullfail", "missing", "failcheck"])
def test_the_circuit_breaker_rolls_back_to_the_last_completed_deployment(kind: str) -> None:
    bench = Bench(breaker=_BREAKER)
    good = bench.settle()
    bad = bench.deploy(f"{kind}:2")
    bench.settle(1200)
    assert bench.service.primary is good
    assert good.state == "COMPLETED"
    assert (bad.state, bad.reason) == ("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    newest, first = bench.service.records.all
    assert (newest.deployment, newest.status, newest.rollback_to, newest.breaker) == (
        bad.number,
        "ROLLBACK_SUCCESSFUL",
        good.number,
        "TRIGGERED",
    )
    assert first.status == "SUCCESSFUL"
    assert "SERVICE_DEPLOYMENT_FAILED" in bench.names("ECS Deployment State Change")
    assert bench.digests() == {made_up_digest("healthy:1")}


def test_a_rollback_relaunches_what_was_drained_with_its_own_digest() -> None:
    bench = Bench(breaker=_BREAKER, minimumHealthyPercent=0, maximumPercent=100)
    good = bench.settle()
    bench.images.content["healthy:1"] = "sha256:moved"
    bench.deploy("crash:2")
    bench.until(lambda: bench.service.primary is good)
    assert good.reason == f"ECS deployment circuit breaker: rolling back to deploymentId {good.id}."
    bench.settle()
    assert bench.digests() == {made_up_digest("healthy:1")}


def test_without_rollback_a_failed_deployment_stays_and_the_old_tasks_too() -> None:
    bench = Bench(breaker={"enable": True, "rollback": False})
    bench.settle()
    bad = bench.deploy("crash:2")
    bench.settle()
    assert (bad.status, bad.state) == ("PRIMARY", "FAILED")
    assert bench.service.records.all[0].status_at(bench.now) == "STOPPED"
    assert bench.service.records.all[0].breaker == "TRIGGERED"
    assert bench.digests() == {made_up_digest("healthy:1")}


def test_without_a_breaker_a_crash_loop_goes_on_for_ever() -> None:
    bench = Bench()
    bench.settle()
    bad = bench.deploy("crash:2")
    bench.settle(7200)
    assert (bad.status, bad.state) == ("PRIMARY", "IN_PROGRESS")
    assert bench.service.next_at() is not None
    assert len(bench.service.tasks) <= 1100


def test_tasks_that_never_run_are_tried_ever_more_slowly() -> None:
    bench = Bench(desired=1, image="pullfail:1")
    bench.settle(3600)
    created = [t.created for t in bench.service.tasks][-2:]
    assert created[1] - created[0] > 60
    assert bench.service.primary.failed_tasks > 3


def test_two_bad_deployments_in_a_row_stall_without_rollback() -> None:
    bench = Bench(breaker=_BREAKER, minimumHealthyPercent=0, maximumPercent=100)
    good = bench.settle()
    bench.deploy("crash:2")
    bench.until(lambda: bench.service.primary is good)
    worse = bench.deploy("crash:3")
    bench.settle()
    assert (worse.status, worse.state) == ("PRIMARY", "FAILED")
    assert [r.status for r in bench.service.records.all][:2] == ["STOPPED", "ROLLBACK_FAILED"]


def test_an_overtaken_deployment_is_stopped_not_failed() -> None:
    bench = Bench(breaker=_BREAKER)
    bench.settle()
    bench.deploy("slow:2")
    bench.advance(10)
    bench.deploy("healthy:3")
    overtaken = bench.service.records.all[1]
    assert overtaken.status_at(bench.now) == "STOP_REQUESTED"
    bench.settle()
    assert overtaken.status_at(bench.now) == "STOPPED"
    assert (overtaken.breaker, "newer deployment" in overtaken.reason) == ("MONITORING_COMPLETE", True)


def test_stopping_a_deployment_rolls_it_back_by_request() -> None:
    bench = Bench()
    good = bench.settle()
    bench.deploy("slow:2")
    bench.advance(10)
    record = bench.service.records.all[0]
    assert bench.service.stop_deployment(record, bench.now, abort=False)
    assert record.status_at(bench.now) == "ROLLBACK_REQUESTED"
    bench.settle()
    assert (record.status_at(bench.now), bench.service.primary) == ("ROLLBACK_SUCCESSFUL", good)
    assert not bench.service.stop_deployment(record, bench.now, abort=False), "it is over"


def test_a_first_deployment_has_nothing_to_return_to() -> None:
    bench = Bench(image="slow:1")
    assert not bench.service.stop_deployment(bench.service.records.all[0], bench.now, abort=False)
    assert bench.service.stop_deployment(bench.service.records.all[0], bench.now, abort=True)


def test_a_service_deployment_is_pending_at_first() -> None:
    bench = Bench()
    record = bench.service.records.all[0]
    assert record.status_at(START) == "PENDING"
    assert record.status_at(START + 1) == "IN_PROGRESS"


def test_desired_0_completes_without_a_task() -> None:
    bench = Bench(desired=0)
    assert bench.service.primary.state == "COMPLETED"
    assert bench.service.primary.digests == {}
    bench.service.desired = 2
    bench.service.touch(bench.now)
    assert bench.settle().digests == {"healthy:1": made_up_digest("healthy:1")}


def test_a_tag_is_resolved_once_a_deployment() -> None:
    bench = Bench()
    bench.settle()
    bench.images.content["healthy:1"] = "sha256:moved"
    bench.service.desired = 4
    bench.service.touch(bench.now)
    bench.settle()
    assert bench.digests() == {made_up_digest("healthy:1")}
    bench.deploy("healthy:1")
    bench.settle()
    assert bench.digests() == {"sha256:moved"}


def test_a_digest_that_was_deleted_breaks_replacements_though_the_tag_is_fine() -> None:
    bench = Bench()
    bench.settle()
    bench.images.content["healthy:1"] = "sha256:moved"
    bench.images.gone.add(made_up_digest("healthy:1"))
    bench.service.stop_task(bench.running[0], "Spot", "SpotInterruption", bench.now)
    bench.settle(60)
    assert len(bench.running) == 1
    assert any(t.stop_code == "TaskFailedToStart" for t in bench.service.tasks)
    assert bench.service.primary.state == "COMPLETED", "a lost task is not a deployment's failure"


def test_a_deadlock_is_said_in_a_service_event() -> None:
    bench = Bench(desired=3, minimumHealthyPercent=100, maximumPercent=125)
    bench.settle()
    stuck = bench.deploy("healthy:2")
    bench.settle(7200)
    assert stuck.state == "IN_PROGRESS"
    bench.service.touch(bench.now)
    bench.settle()
    assert bench.messages().count("unable to stop or start tasks") == 1


def test_unhealthy_tasks_run_and_never_complete() -> None:
    bench = Bench(image="unhealthy:1")
    bench.settle(7200)
    assert (len(bench.running), bench.service.primary.state) == (2, "IN_PROGRESS")


@pytest.mark.parametrize(("resets", "failures"), [(True, 0), (False, 2)])
def test_a_healthy_task_resets_the_breaker_unless_told_not_to(resets: bool, failures: int) -> None:
    bench = Bench(desired=3, breaker={"enable": True, "resetOnHealthyTask": resets})
    bench.service.primary.breaker_failures = 2
    bench.settle()
    assert bench.service.primary.breaker_failures == failures


def test_a_healthy_task_that_dies_later_is_no_failure_of_the_deployment() -> None:
    bench = Bench(image="mortal:1", breaker=_BREAKER)
    bench.until(lambda: any(t.stop_code == "EssentialContainerExited" for t in bench.service.tasks))
    primary = bench.service.primary
    assert (primary.state, primary.failed_tasks, primary.breaker_failures) == ("COMPLETED", 0, 0)


def test_a_deleted_service_drains() -> None:
    bench = Bench()
    bench.settle()
    bench.service.drain(bench.now)
    bench.service.catch_up(bench.now)
    assert bench.service.status == "DRAINING"
    bench.advance(5)
    assert (bench.service.status, bench.service.deployments, bench.service.next_at()) == ("INACTIVE", [], None)


def test_the_same_seed_tells_the_same_story_however_often_one_looks() -> None:
    def story(step: float) -> list[tuple[object, ...]]:
        bench = Bench(breaker=_BREAKER)
        for image in ("crash:2", "slow:3", "healthy:4"):
            bench.deploy(image)
            for _ in range(int(300 / step)):
                bench.advance(step)
        return [(e["id"], e["createdAt"], e["message"]) for e in bench.service.voice.events]

    assert story(300) == story(3)


def test_stopped_tasks_are_kept_an_hour() -> None:
    bench = Bench()
    bench.settle()
    bench.deploy("healthy:2")
    bench.settle(3000)
    assert len(bench.service.tasks) == 4
    bench.advance(3600)
    assert len(bench.service.tasks) == 2


def test_at_most_100_events_newest_first() -> None:
    bench = Bench(image="crash:1")
    bench.settle(7200)
    times = [e["createdAt"] for e in bench.service.voice.events]
    assert len(times) == 100
    assert times == sorted(times, reverse=True)
