"""The simulated ECS as its callers see it: limits, pages, errors, updates, read lag, switches."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name, task_definition
from tests.unit.aws_simulator.calls import OTHER, refused


@pytest.fixture
def web(sim: Simulator) -> Any:
    """ECS with a steady service `web`."""
    sim.push_image("app", ["v1"])
    sim.push_image("app", ["v2"])
    sim.create_service("web", {"app": image_name("app", "v1")})
    return sim.client("ecs")


def test_batch_limits(web: Any) -> None:
    for call, name, most, more in (
        (web.describe_services, "services", 10, {"cluster": "main"}),
        (web.describe_tasks, "tasks", 100, {"cluster": "main"}),
        (web.describe_service_deployments, "serviceDeploymentArns", 20, {}),
        (web.describe_service_revisions, "serviceRevisionArns", 20, {}),
    ):
        answer = call(**{name: [f"x{n}" for n in range(most)]}, **more)
        assert [f["reason"] for f in answer["failures"]] == ["MISSING"] * most
        code, message, status = refused(call, **{name: [f"x{n}" for n in range(most + 1)]}, **more)
        assert (code, status) == ("InvalidParameterException", 400)
        assert str(most) in message
        assert refused(call, **{name: []}, **more)[0] == "InvalidParameterException"


def test_failures_carry_whole_arns(web: Any) -> None:
    failures = web.describe_services(cluster="main", services=["none"])["failures"]
    assert failures == [{"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/main/none", "reason": "MISSING"}]


def test_lists_have_pages_and_say_when_a_token_is_bad(sim: Simulator, web: Any) -> None:
    for number in range(12):
        sim.create_service(f"s{number}", {"app": image_name("app", "v1")}, desired=0, wait=False)
    first = web.list_services(cluster="main")
    assert len(first["serviceArns"]) == 10, "ListServices has 10 by default"
    rest = web.list_services(cluster="main", nextToken=first["nextToken"])
    assert len(set(first["serviceArns"]) | set(rest["serviceArns"])) == 13
    assert "nextToken" not in rest
    assert refused(web.list_services, cluster="main", nextToken="§")[0] == "InvalidParameterException"
    assert refused(web.list_services, cluster="main", maxResults=101)[0] == "InvalidParameterException"
    for _ in range(21):
        web.update_service(cluster="main", service="s0", forceNewDeployment=True)
    pages, token = [], {}
    while True:
        answer = web.list_service_deployments(cluster="main", service="s0", **token)
        pages.append(len(answer["serviceDeployments"]))
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert pages == [20, 2]


def test_what_is_missing_or_deleted(sim: Simulator, web: Any) -> None:
    assert refused(web.describe_services, cluster="none", services=["web"])[:2] == ("ClusterNotFoundException", "Cluster not found.")
    assert refused(web.update_service, cluster="main", service="none")[0] == "ServiceNotFoundException"
    assert refused(web.update_service, cluster="main", service="web", taskDefinition="web:9")[:2] == (
        "ClientException",
        "TaskDefinition not found.",
    )
    assert refused(web.describe_task_definition, taskDefinition="web:9")[:2] == ("ClientException", "Unable to describe task definition.")
    web.delete_service(cluster="main", service="web", force=True)
    assert refused(web.update_service, cluster="main", service="web")[0] == "ServiceNotActiveException"
    assert web.describe_services(cluster="main", services=["web"])["services"][0]["status"] in ("DRAINING", "INACTIVE")
    sim.create_service("web", {"app": image_name("app", "v1")})
    assert web.describe_services(cluster="main", services=["web"])["services"][0]["status"] == "ACTIVE"


def test_an_inactive_revision_runs_on_but_is_not_deployed(sim: Simulator, web: Any) -> None:
    second = web.register_task_definition(family="web", **task_definition({"app": image_name("app", "v2")}))["taskDefinition"]
    web.deregister_task_definition(taskDefinition=second["taskDefinitionArn"])
    assert refused(web.update_service, cluster="main", service="web", taskDefinition=second["taskDefinitionArn"])[:2] == (
        "ClientException",
        "TaskDefinition is inactive",
    )
    web.deregister_task_definition(taskDefinition="web:1")
    assert sim.service("web")["runningCount"] == 2
    third = web.register_task_definition(family="web", **task_definition({"app": image_name("app", "v2")}))["taskDefinition"]
    assert third["revision"] == 3, "numbers are never used again"
    assert web.list_task_definitions(familyPrefix="web", status="INACTIVE")["taskDefinitionArns"] == [
        f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:{n}" for n in (1, 2)
    ]


def test_the_revision_that_is_primary_already_starts_nothing_without_force(sim: Simulator, web: Any) -> None:
    before = sim.service("web")["deployments"][0]["id"]
    web.update_service(cluster="main", service="web", taskDefinition="web:1")
    web.update_service(cluster="main", service="web", desiredCount=3)
    web.update_service(cluster="main", service="web", deploymentConfiguration={"maximumPercent": 150})
    assert [d["id"] for d in sim.service("web")["deployments"]] == [before]
    assert sim.deploy("web", forceNewDeployment=True) != before
    networked = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    forced = sim.service("web")["deployments"][0]["id"]
    assert sim.deploy("web", networkConfiguration=networked) != forced
    configuration = sim.service("web")["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["deploymentCircuitBreaker"]["enable"]) == (150, True)


def test_competing_updates_leave_one_primary(sim: Simulator, web: Any) -> None:
    ids = [sim.deploy("web", {"app": image_name("app", v)}) for v in ("v2", "v1", "v2")]
    shown = sim.service("web")["deployments"]
    assert shown[0]["id"] == ids[-1]
    assert [d["status"] for d in shown].count("PRIMARY") == 1
    assert sim.wait_steady("web")["deployments"][0]["id"] == ids[-1]
    statuses = [d["status"] for d in web.list_service_deployments(cluster="main", service="web")["serviceDeployments"]]
    assert statuses[0] == "SUCCESSFUL"
    # On a slow machine one may be done before the next begins.
    assert set(statuses[1:3]) <= {"STOPPED", "STOP_REQUESTED", "SUCCESSFUL"}


@pytest.mark.parametrize(
    ("controller", "message"),
    [
        (
            "CODE_DEPLOY",
            "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.",
        ),
        ("EXTERNAL", "Unable to update task definition on services with an EXTERNAL deployment controller."),
    ],
)
def test_foreign_controllers_refuse(sim: Simulator, web: Any, controller: str, message: str) -> None:
    sim.create_service("theirs", {"app": image_name("app", "v1")}, deploymentController={"type": controller}, wait=False)
    service = sim.service("theirs")
    assert (service["deployments"], service["deploymentController"]) == ([], {"type": controller})
    assert refused(web.update_service, cluster="main", service="theirs", taskDefinition="web:1")[:2] == (
        "InvalidParameterException",
        message,
    )
    assert refused(web.update_service, cluster="main", service="theirs", forceNewDeployment=True)[0] == "InvalidParameterException"
    web.update_service(cluster="main", service="theirs", desiredCount=0)


def test_daemons_follow_their_instances(sim: Simulator, web: Any) -> None:
    sim.create_service("agent", {"app": image_name("app", "v1")}, schedulingStrategy="DAEMON")
    assert sim.service("agent")["desiredCount"] == 2
    assert refused(web.update_service, cluster="main", service="agent", desiredCount=3)[0] == "InvalidParameterException"
    sim.deploy("agent", {"app": image_name("app", "v2")})
    sim.wait_steady("agent")


def test_a_new_deployment_is_seen_late(sim: Simulator, web: Any) -> None:
    before = sim.service("web")
    sim.configure(switches={"visibility_lag_s": 0.6})
    answered = sim.deploy("web", {"app": image_name("app", "v2")})
    seen = sim.service("web")
    assert [d["id"] for d in seen["deployments"]] == [d["id"] for d in before["deployments"]]
    assert seen["taskDefinition"] == before["taskDefinition"]
    assert len(web.list_service_deployments(cluster="main", service="web")["serviceDeployments"]) == 1
    until = time.monotonic() + 10
    while sim.service("web")["deployments"][0]["id"] != answered:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_switches_make_an_older_aws(sim: Simulator, web: Any) -> None:
    sim.configure(switches={"rollout_state": False, "hide_events": True, "accounts_without_service_deployments": [ACCOUNT]})
    service = sim.service("web")
    assert "rolloutState" not in service["deployments"][0]
    assert service["events"] == []
    assert refused(web.list_service_deployments, cluster="main", service="web")[::2] == ("UnknownOperationException", 400)
    sim.create_service("web", {"app": "nginx:1"}, account=OTHER, wait=False)
    other = sim.client("ecs", OTHER)
    assert other.list_service_deployments(cluster="main", service="web")["serviceDeployments"]


def test_tasks_by_service_family_status_and_deployment(sim: Simulator, web: Any) -> None:
    sim.create_service("other", {"app": "nginx:1"}, desired=1)
    deployment = sim.service("web")["deployments"][0]["id"]
    assert len(web.list_tasks(cluster="main")["taskArns"]) == 3
    for filters, count in (
        ({"serviceName": "web"}, 2),
        ({"family": "other"}, 1),
        ({"startedBy": deployment}, 2),
        ({"serviceName": "web", "desiredStatus": "STOPPED"}, 0),
    ):
        assert len(web.list_tasks(cluster="main", **filters)["taskArns"]) == count, filters
    assert refused(web.list_tasks, cluster="main", serviceName="none")[0] == "ServiceNotFoundException"
    lost = sim.lose_task("web")
    task = web.describe_tasks(cluster="main", tasks=[lost])["tasks"][0]
    assert (task["desiredStatus"], task["stopCode"]) == ("STOPPED", "SpotInterruption")


def test_containers_show_what_runs(sim: Simulator, web: Any) -> None:
    listed = sim.push_image("multi", ["v1"], platforms=["linux/arm64", "linux/amd64"])
    sidecar = "public.ecr.aws/firelens/router:2"
    sim.create_service("both", {"app": image_name("multi", "v1"), "log": sidecar})
    first = sim.running_digests("both")
    assert first["app"] == {listed}
    assert first["log"] == sim.running_digests("both")["log"] != first["app"]
    sim.configure(switches={"platform_digests": True, "guardduty_sidecar": True})
    assert sim.running_digests("both")["app"].isdisjoint({listed, ""})
    arns = web.list_tasks(cluster="main", serviceName="both")["taskArns"]
    containers = web.describe_tasks(cluster="main", tasks=arns)["tasks"][0]["containers"]
    assert [c.get("image") for c in containers] == [image_name("multi", "v1"), sidecar, None]


@pytest.mark.parametrize(
    ("tag", "code", "reason", "exit_code"),
    [
        ("crash", "EssentialContainerExited", "Essential container in task exited", 1),
        ("pullfail", "TaskFailedToStart", "CannotPullContainerError", None),
    ],
)
def test_behaviour_is_the_digest_s_however_it_is_named(
    sim: Simulator, web: Any, tag: str, code: str, reason: str, exit_code: int | None
) -> None:
    digest = sim.push_image("app", [tag])
    sim.deploy("web", {"app": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app@{digest}"})
    until = time.monotonic() + 10
    while not (arns := web.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"]):
        assert time.monotonic() < until
        time.sleep(0.02)
    task = next(t for t in web.describe_tasks(cluster="main", tasks=arns)["tasks"] if t["stopCode"] != "ServiceSchedulerInitiated")
    assert task["stopCode"] == code
    assert task["stoppedReason"].startswith(reason)
    assert task["containers"][0].get("exitCode") == exit_code


def test_sweeping_a_big_cluster_is_fast(sim: Simulator, web: Any) -> None:
    web.register_task_definition(family="idle", **task_definition({"app": "nginx:1"}))
    for number in range(300):
        web.create_service(cluster="main", serviceName=f"b{number}", taskDefinition="idle", desiredCount=0)
    begun = time.perf_counter()
    for _ in range(20):
        web.describe_services(cluster="main", services=[f"b{n}" for n in range(10)])
    assert time.perf_counter() - begun < 5
