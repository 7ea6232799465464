"""The laws, one by one."""

from __future__ import annotations

import json
import time

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import STALLED, Place, condition, triple


def test_law_1_only_status_is_written(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", annotations={"argocd.argoproj.io/tracking-id": "x"})
    before = shop.get()
    shop.wait("Succeeded")
    after = shop.get()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert "finalizers" not in after["metadata"]
    managers = {(m["manager"], m.get("subresource", "")) for m in after["metadata"].get("managedFields") or ()}
    assert not [m for m in managers if m[0].startswith(("kopf", "ecs-release")) and m[1] != "status"]


def test_law_2_only_a_new_source_deploys(shop: Place) -> None:
    first = shop.push("latest", content="one")
    shop.release({"tag": "latest"})
    shop.wait("Succeeded")
    deployed = len(shop.updates())
    shop.push("latest", content="two")
    shop.release({"tag": "latest"}, change={"description": "a better reason"})
    shop.release({"tag": "latest"}, suspend=True)
    shop.wait("Suspended")
    shop.release({"tag": "latest"}, suspend=False)
    shop.wait("Succeeded")
    shop.stays("Succeeded", seconds=6)
    assert len(shop.updates()) == deployed
    assert shop.running()["app"] == {first}


def test_law_2_refresh_resolves_again(shop: Place) -> None:
    shop.push("latest", content="one")
    shop.release({"tag": "latest"})
    shop.wait("Succeeded")
    second = shop.push("latest", content="two")
    shop.annotate("web", refresh="one")
    status = shop.wait("Succeeded", lastHandledRefresh="one")
    shop.until(lambda: shop.status()["pin"]["images"][0]["digest"] == second, "the new digest to be pinned")
    status = shop.wait("Succeeded")
    assert shop.running()["app"] == {second}
    deployed = len(shop.updates())
    shop.annotate("web", refresh="two")
    shop.until(lambda: shop.status().get("lastHandledRefresh") == "two", "the refresh to be acknowledged")
    shop.stays("Succeeded")
    assert len(shop.updates()) == deployed
    assert status["pin"]["images"][0]["digest"] == second


def test_law_3_success_is_bound_to_digests(shop: Place) -> None:
    """A task definition with the right tag proves nothing: the tag has moved since."""
    old = shop.push("stable.tag", content="one")
    new = shop.push("v2")
    shop.deploy(containers={"app": image_name(shop.repository(), "stable.tag")})
    shop.aws.wait_steady("web", cluster=shop.name)
    assert shop.running()["app"] == {old}
    shop.aws.client("ecr").put_image(
        repositoryName=shop.repository(),
        imageTag="stable.tag",
        imageManifest=shop.aws.client("ecr").batch_get_image(repositoryName=shop.repository(), imageIds=[{"imageDigest": new}])["images"][
            0
        ]["imageManifest"],
    )
    shop.release({"tag": "stable.tag"})
    shop.wait("Succeeded")
    assert len(shop.updates()) == 1
    assert shop.running()["app"] == {new}


@pytest.mark.parametrize("kind", ["crash", "pullfail"])
def test_law_4_rolled_back_is_never_succeeded(shop: Place, kind: str) -> None:
    seen: set[str] = set()
    shop.push(f"{kind}.v2", "v2")
    shop.release("v2")
    end = time.monotonic() + 8
    while time.monotonic() < end:
        status = shop.status()
        ready = condition(status, "Ready")
        if status.get("summary", {}).get("hash") == "v2":
            seen.add(ready.get("reason", ""))
            assert ready.get("status") != "True"
        time.sleep(0.03)
    assert "RolledBack" in seen


def test_law_5_a_failure_is_held_until_a_new_source_or_a_retry(shop: Place) -> None:
    digest = shop.push("crash.v2", "v2")
    shop.push("v3")
    shop.release("v2")
    shop.wait("RolledBack")
    shop.release("v2", change={"description": "please"})
    shop.bed.restart_operator()
    shop.stays("RolledBack", seconds=7)
    assert len(shop.updates()) == 1
    shop.aws.control("behave", digest=digest, kind="healthy")
    shop.annotate("web", retry="again")
    status = shop.wait("Succeeded", lastHandledRetry="again")
    assert status["history"][0]["cause"] == "Retry"
    assert len(shop.updates()) == 2
    shop.annotate("web", retry="once more")
    shop.until(lambda: shop.status().get("lastHandledRetry") == "once more", "the retry to be acknowledged")
    shop.stays("Succeeded")
    assert len(shop.updates()) == 2


@pytest.mark.parametrize("action", ["RegisterTaskDefinition", "UpdateService"])
def test_law_6_a_lost_answer_does_not_deploy_twice(shop: Place, action: str) -> None:
    shop.push("v2")
    shop.aws.fault(action, kind="lost", match=shop.name)
    shop.release("v2")
    shop.wait("Succeeded")
    assert len(shop.updates()) == 1
    service = shop.ecs_service()
    assert service["taskDefinition"].endswith(":2")
    assert len([c for c in shop.mutations() if c["action"] == "RegisterTaskDefinition"]) == 1


def test_law_6_a_call_that_never_arrived_is_repeated(shop: Place) -> None:
    shop.push("v2")
    shop.aws.fault("UpdateService", kind="drop", match=shop.name)
    shop.release("v2")
    shop.wait("Succeeded")
    assert [c["error"] for c in shop.updates()] == ["dropped", ""]


def test_law_6_the_sdk_never_repeats_a_mutating_call(shop: Place) -> None:
    shop.push("v2")
    shop.aws.fault("UpdateService", status=503, times=1, match=shop.name)
    shop.release("v2")
    shop.until(shop.updates, "the first call")
    first = shop.updates()
    assert len(first) == 1
    shop.wait("Succeeded")
    times = [c["time"] for c in shop.updates()]
    assert times[1] - times[0] >= 1.0


def test_law_7_digests_that_run_already_are_adopted(shop: Place) -> None:
    shop.release("v1")
    status = shop.wait("Succeeded")
    assert not shop.mutations() or not [c for c in shop.mutations() if c["service"] == "ecs"]
    assert (status["history"][0]["cause"], status["history"][0]["outcome"]) == ("Adopted", "Succeeded")
    assert status["running"]["hash"] == "v1"


def test_law_7_a_recreated_release_holds_a_recovered_failure(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")
    shop.wait("RolledBack")
    shop.aws.wait_steady("web", cluster=shop.name)
    shop.delete("release", "web")
    shop.release("v2", annotations={"ecs-release.dev/retry": "from before"})
    status = shop.wait("RolledBack")
    assert triple(status) == STALLED
    assert status["lastHandledRetry"] == "from before"
    shop.stays("RolledBack")
    assert len(shop.updates()) == 1


def test_law_8_only_the_image_changes(place: Place) -> None:
    place.push("v1")
    sidecar = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable"
    app = image_name(place.repository(), "ref.v1")
    place.service("v1", push=False, containers={"app": app, "log": sidecar})
    place.environment()
    place.project()
    digest = place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    before, after = (place.ecs().describe_task_definition(taskDefinition=f"{place.name}-web:{n}", include=["TAGS"]) for n in (1, 2))
    old, new = before["taskDefinition"], after["taskDefinition"]
    expected = json.loads(json.dumps(old, default=str))
    expected["containerDefinitions"][0]["image"] = f"{app.rpartition(':')[0]}@{digest}"
    own = ("taskDefinitionArn", "revision", "registeredAt", "registeredBy")
    assert {k: v for k, v in json.loads(json.dumps(new, default=str)).items() if k not in own} == {
        k: v for k, v in expected.items() if k not in own
    }
    tags = {t["key"]: t["value"] for t in after["tags"]}
    assert tags.pop("team") == "storage"
    assert {k: tags[k] for k in ("ecs-release.dev/installation", "ecs-release.dev/release")} == {
        "ecs-release.dev/installation": "default",
        "ecs-release.dev/release": f"{place.name}/web",
    }
    assert set(tags) == {f"ecs-release.dev/{k}" for k in ("installation", "release", "source", "attempt", "base", "content")}
    parameters = place.updates()[0]["parameters"]
    assert set(parameters) == {"cluster", "service", "taskDefinition"}


def test_law_8_a_field_that_the_sdk_does_not_know_is_refused(shop: Place) -> None:
    shop.push("v2")
    shop.aws.configure(switches={"unknown_task_definition_field": "quantumNetworking"})
    try:
        shop.release("v2")
        status = shop.wait("UnsupportedTaskDefinition")
    finally:
        shop.aws.configure(switches={"unknown_task_definition_field": ""})
    assert triple(status) == STALLED
    assert "quantumNetworking" in condition(status, "Ready")["message"]
    assert not [c for c in shop.mutations() if c["service"] == "ecs"]


def test_law_8_a_sidecar_that_changed_by_itself_is_told(place: Place) -> None:
    """ECS resolves the tag of a container that we leave alone with each deployment."""
    place.push("v1")
    place.aws.push_image(f"{place.name}/sidecar", ["stable.tag"], content="one")
    containers = {"app": image_name(place.repository(), "ref.v1"), "side": image_name(f"{place.name}/sidecar", "stable.tag")}
    place.service("v1", push=False, containers=containers)
    second = place.aws.push_image(f"{place.name}/sidecar", ["stable.tag"], content="two")
    place.push("v2")
    place.environment()
    place.project()
    place.release("v2")
    status = place.wait("Succeeded")
    side = next(i for i in status["history"][0]["images"] if i["container"] == "side")
    assert side["toDigest"] == second != side["fromDigest"]
    place.until(lambda: [e for e in place.events() if e["reason"] == "UnlistedImageChanged"], "an Event that says so")


def test_law_9_deleting_touches_nothing_and_never_hangs(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release("v2")
    shop.deployed()
    mutations = len(shop.mutations())
    for kind, name in (("release", "web"), ("project", "shop"), ("environment", shop.name)):
        shop.delete(kind, name)
    time.sleep(2)
    assert len(shop.mutations()) == mutations


def test_law_12_nobody_gains_rights_by_writing_a_project(shop: Place) -> None:
    shop.aws.client("ecs").create_cluster(clusterName=f"{shop.name}-secret")
    shop.project("web", targets=[{"environment": shop.name, "cluster": f"{shop.name}-secret", "serviceName": "crown-jewels"}])
    shop.release("v1")
    status = shop.wait("TargetNotAllowed")
    assert triple(status) == STALLED
    assert "crown-jewels" in condition(status, "Ready")["message"]
    assert not [c for c in shop.aws.calls(since=shop.begun) if c["parameters"].get("cluster") == f"{shop.name}-secret"]


def test_law_12_a_namespace_that_is_not_allowed_reaches_nothing(shop: Place) -> None:
    shop.environment(allowedNamespaces={"names": ["somebody-else"]})
    shop.release("v1")
    status = shop.wait("TargetNotAllowed")
    assert f"does not allow namespace '{shop.name}'" in condition(status, "Ready")["message"]
    shop.environment(allowedNamespaces={"selector": {"matchLabels": {"kubernetes.io/metadata.name": shop.name}}})
    shop.wait("Succeeded")


def test_law_13_a_steady_release_is_not_written(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    time.sleep(3)
    before = shop.get()["metadata"]["resourceVersion"]
    sweeps = len([c for c in shop.aws.calls(action="DescribeServices", since=shop.begun) if c["parameters"].get("cluster") == shop.name])
    time.sleep(12)
    again = len([c for c in shop.aws.calls(action="DescribeServices", since=shop.begun) if c["parameters"].get("cluster") == shop.name])
    assert again - sweeps >= 2
    assert shop.get()["metadata"]["resourceVersion"] == before


def test_law_13_a_restart_writes_nothing(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    time.sleep(3)
    before = shop.get()["metadata"]["resourceVersion"]
    shop.bed.restart_operator()
    time.sleep(7)
    assert shop.get()["metadata"]["resourceVersion"] == before
    assert not [c for c in shop.mutations() if c["service"] == "ecs"]


def test_law_14_one_call_reads_ten_services(place: Place) -> None:
    names = [f"s{n}" for n in range(10)]
    for name in names:
        place.push("v1", service=name)
    for name in names:
        place.service("v1", name, push=False, wait=False)
    for name in names:
        place.aws.wait_steady(name, cluster=place.name)
    place.environment()
    place.project(*names)
    for name in names:
        place.release("v1", name)
    for name in names:
        place.wait("Succeeded", name)
    time.sleep(6)
    since, begun = place.aws.mark(), time.monotonic()
    time.sleep(11)
    calls = [c for c in place.aws.calls(action="DescribeServices", since=since) if c["parameters"].get("cluster") == place.name]
    assert len(calls) <= (time.monotonic() - begun) / 5 + 1
    assert all(len(c["parameters"]["services"]) == 10 for c in calls)


def test_law_15_editing_a_project_never_deploys(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.push("v1", service="api")
    shop.service("v1", "api")
    shop.environment(
        target={
            "cluster": shop.name,
            "serviceName": "{service}",
            "allowed": [{"namespaces": [shop.name], "clusters": ["*"], "serviceNames": ["*"]}],
        }
    )
    shop.project("web", targets=[{"environment": shop.name, "serviceName": "api"}])
    status = shop.wait("TargetChanged")
    assert triple(status) == STALLED
    shop.stays("TargetChanged")
    assert len(shop.updates()) == 1
    shop.project("web")
    shop.wait("Succeeded")
    assert len(shop.updates()) == 1


def test_law_15_what_runs_at_the_new_target_is_adopted(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    image = image_name(shop.repository(), "ref.v2")
    shop.service("v2", "other", push=False, containers={"app": image})
    shop.environment(
        target={
            "cluster": shop.name,
            "serviceName": "{service}",
            "allowed": [{"namespaces": [shop.name], "clusters": ["*"], "serviceNames": ["*"]}],
        }
    )
    shop.project("web", targets=[{"environment": shop.name, "serviceName": "other"}])
    status = shop.until(lambda: (s := shop.status())["target"]["serviceARN"].endswith("/other") and s, "the new target")
    assert condition(status, "Ready")["reason"] == "Succeeded"
    assert status["history"][0]["cause"] == "Adopted"
    assert len(shop.updates()) == 1


def test_law_15_a_container_that_is_added_waits_for_a_retry(shop: Place) -> None:
    log = shop.push("v2", service="log")
    shop.push("v2")
    both = {"app": image_name(shop.repository(), "ref.v1"), "log": image_name(shop.repository("log"), "ref.v1")}
    shop.push("v1", service="log")
    shop.deploy(containers=both)
    shop.aws.wait_steady("web", cluster=shop.name)
    shop.release("v2")
    shop.wait("Succeeded")
    deployed = len(shop.updates())
    shop.project(containers={"app": "", "log": shop.repository("log")})
    assert triple(shop.wait("TargetChanged")) == STALLED
    shop.stays("TargetChanged")
    assert len(shop.updates()) == deployed
    freeze = {"name": "freeze", "kind": "Deny", "startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z"}
    shop.environment(windows=[freeze | {"reason": "stocktaking"}])
    shop.annotate("web", retry="no")
    assert "log: " in shop.wait("AwaitingWindow")["plan"]["message"]
    shop.kubectl("annotate", "release", "web", "ecs-release.dev/retry-")
    shop.wait("TargetChanged")
    shop.environment(windows=None)
    shop.stays("TargetChanged")
    assert len(shop.updates()) == deployed, "a retry that had to wait was withdrawn"
    shop.annotate("web", retry="yes")
    status = shop.wait("Succeeded")
    assert [i["digest"] for i in status["pin"]["images"] if i["container"] == "log"] == [log]
    assert len(shop.updates()) == deployed + 1
    assert shop.running()["log"] == {log}


def test_law_15_a_service_created_again_is_another_one(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.ecs().delete_service(cluster=shop.name, service="web", force=True)
    assert triple(shop.wait("ServiceNotFound")) == STALLED
    shop.service("v1", push=False, family="fresh")
    shop.wait("TargetChanged")
    assert len(shop.updates()) == 1
    shop.annotate("web", retry="yes")
    shop.wait("Succeeded")


def test_law_16_another_installation_holds_the_service(shop: Place) -> None:
    shop.push("v2")
    revision = shop.ecs().describe_task_definition(taskDefinition=f"{shop.name}-web:1")["taskDefinition"]
    theirs = shop.ecs().register_task_definition(
        family=f"{shop.name}-web",
        containerDefinitions=revision["containerDefinitions"],
        tags=[{"key": "ecs-release.dev/installation", "value": "blue"}, {"key": "ecs-release.dev/release", "value": "team/web"}],
    )["taskDefinition"]["taskDefinitionArn"]
    shop.deploy(taskDefinition=theirs)
    shop.aws.wait_steady("web", cluster=shop.name)
    shop.release("v2")
    status = shop.wait("TargetConflict")
    assert "team/web of installation 'blue'" in condition(status, "Ready")["message"]
    assert not shop.updates()
    shop.environment(takesOverFrom=["blue"])
    shop.wait("Succeeded")
    assert len(shop.updates()) == 1


def test_terraform_deploying_our_digests_during_our_rollout_ends_well(shop: Place) -> None:
    digest = shop.push("v2")
    shop.release("v2")
    ours = shop.deployed()
    repository = image_name(shop.repository(), "x").rpartition(":")[0]
    theirs = shop.deploy(containers={"app": f"{repository}@{digest}"})
    status = shop.wait("Succeeded")
    assert theirs != ours
    assert status["history"][0]["outcome"] in ("OvertakenSameDigests", "Succeeded")
    shop.aws.wait_steady("web", cluster=shop.name)
    shop.stays("Succeeded")
    assert len(shop.updates()) == 1


def test_a_new_source_takes_over_a_rollout_under_way(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.push("v3")
    shop.release("v2")
    shop.deployed()
    shop.release("v3")
    status = shop.wait("Succeeded")
    assert [h["outcome"] for h in status["history"]] == ["Succeeded", "Superseded"]
    assert "newer source" in status["history"][1]["message"]


def test_a_fix_during_a_rollback_waits_for_it(place: Place) -> None:
    place.service("v1", desired=4)
    place.environment()
    place.project()
    place.push("crash.v2", "v2")
    place.push("v3")
    place.release("v2")
    place.wait("RolledBack")
    place.release("v3")
    status = place.wait("Succeeded")
    assert [h["outcome"] for h in status["history"]] == ["Succeeded", "RolledBack"]
    assert len(place.updates()) == 2


def test_law_7_a_deployment_of_the_wanted_images_that_is_under_way_is_followed(shop: Place) -> None:
    digest = shop.push("slow.v2", "v2")
    image = image_name(shop.repository(), "v2", account=shop.account, region=shop.region).replace(":v2", f"@{digest}")
    shop.deploy(containers={"app": image})
    shop.release("v2")
    status = shop.until(lambda: (s := shop.status()).get("rollout") and s, "the attempt")
    assert (status["rollout"]["cause"], status["rollout"].get("outcome")) == ("Adopted", None)
    status = shop.wait("Succeeded")
    assert [(h["cause"], h["outcome"]) for h in status["history"]] == [("Adopted", "Succeeded")]
    assert not shop.updates()
