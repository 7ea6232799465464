"""The simulator's registries, roles, throttling, faults and events."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import ContainerProvider
from botocore.exceptions import BotoCoreError, ClientError

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name, task_definition
from tests.unit.aws_simulator.calls import OTHER, refused

ROLE = f"arn:aws:iam::{OTHER}:role/releases"


# ECR.


def test_a_digest_is_the_manifest_s_and_moving_a_tag_keeps_the_old_image(sim: Simulator) -> None:
    ecr = sim.client("ecr")
    first = sim.push_image("app", ["latest"], content="one")
    second = sim.push_image("app", ["latest"], content="two")
    found = ecr.describe_images(repositoryName="app", imageIds=[{"imageDigest": first}, {"imageDigest": second}])["imageDetails"]
    assert [d.get("imageTags") for d in found] == [None, ["latest"]]
    sim.push_image("app", ["v2"], content="two")
    asked = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "latest"}, {"imageDigest": second}])["images"]
    assert [i["imageId"] for i in asked] == [{"imageDigest": second, "imageTag": "latest"}, {"imageDigest": second}]
    wrong = {"repositoryName": "app", "imageManifest": asked[0]["imageManifest"], "imageTag": "x", "imageDigest": first}
    assert refused(ecr.put_image, **wrong)[0] == "ImageDigestDoesNotMatchException"
    again = {"repositoryName": "app", "imageManifest": asked[0]["imageManifest"], "imageTag": "v2"}
    assert refused(ecr.put_image, **again)[0] == "ImageAlreadyExistsException"
    unstated = {"repositoryName": "app", "imageManifest": "{}", "imageTag": "x"}
    assert refused(ecr.put_image, **unstated)[0] == "InvalidParameterException"


def test_what_is_archived_is_shown_only_where_it_is_asked_for_and_cannot_be_pulled(sim: Simulator) -> None:
    ecr, ecs = sim.client("ecr"), sim.client("ecs")
    digest = sim.push_image("app", ["v1"])
    sim.create_service("app", {"app": image_name("app", "v1")}, desired=1)
    answer = ecr.update_image_storage_class(repositoryName="app", imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE")
    assert answer["imageStatus"] == "ARCHIVED"
    wanted = {"repositoryName": "app", "imageIds": [{"imageDigest": digest}]}
    assert refused(ecr.describe_images, **wanted)[0] == "ImageNotFoundException"
    (detail,) = ecr.describe_images(**wanted, filter={"imageStatus": "ANY"})["imageDetails"]
    assert (detail["imageStatus"], detail["imageTags"]) == ("ARCHIVED", ["v1"])
    assert ecr.describe_images(repositoryName="app")["imageDetails"] == []
    sim.lose_task("app")
    until = time.monotonic() + 10
    while not [t for t in stopped(ecs) if "CannotPull" in t.get("stoppedReason", "")]:
        assert time.monotonic() < until, stopped(ecs)
        time.sleep(0.05)


def stopped(ecs: Any) -> list[Any]:
    arns = ecs.list_tasks(cluster="main", serviceName="app", desiredStatus="STOPPED")["taskArns"]
    return list(ecs.describe_tasks(cluster="main", tasks=arns)["tasks"]) if arns else []


@pytest.mark.parametrize(
    ("mutability", "filters", "tag", "moves"),
    [
        ("MUTABLE", [], "v1", True),
        ("IMMUTABLE", [], "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", ["env.*"], "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", ["env.*"], "env.prod", True),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], "v1", False),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], "latest", True),
    ],
)
def test_immutable_tags(sim: Simulator, mutability: str, filters: list[str], tag: str, moves: bool) -> None:
    ecr = sim.client("ecr")
    more = {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": f} for f in filters]} if filters else {}
    ecr.create_repository(repositoryName="app", imageTagMutability=mutability, **more)
    sim.push_image("app", [tag], content="one")
    if moves:
        sim.push_image("app", [tag], content="two")
    else:
        with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
            sim.push_image("app", [tag], content="two")


def test_images_of_another_account_and_what_is_missing(sim: Simulator) -> None:
    digest = sim.push_image("app", ["v1"], account=OTHER)
    ecr = sim.client("ecr")
    assert (
        ecr.describe_images(registryId=OTHER, repositoryName="app", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]["imageDigest"]
        == digest
    )
    assert refused(ecr.describe_images, repositoryName="app")[0] == "RepositoryNotFoundException"
    code, message, status = refused(
        ecr.describe_images, registryId=OTHER, repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}]
    )
    assert (code, status) == ("ImageNotFoundException", 400)
    assert "imageTag:'v2'" in message
    assert refused(ecr.describe_images, registryId=OTHER, repositoryName="app", imageIds=[{"imageTag": str(n)} for n in range(101)])[0] == (
        "InvalidParameterException"
    )


def test_describe_images_has_pages(sim: Simulator) -> None:
    digests = {sim.push_image("app", [f"v{n}"]) for n in range(5)}
    pages = [
        p["imageDetails"]
        for p in sim.client("ecr").get_paginator("describe_images").paginate(repositoryName="app", PaginationConfig={"PageSize": 2})
    ]
    assert [len(p) for p in pages] == [2, 2, 1]
    assert {d["imageDigest"] for p in pages for d in p} == digests


def test_deleting_images(sim: Simulator) -> None:
    ecr = sim.client("ecr")
    sim.push_image("app", ["v1"], platforms=["linux/arm64"])
    images = ecr.list_images(repositoryName="app", filter={"tagStatus": "UNTAGGED"})["imageIds"]
    failures = ecr.batch_delete_image(repositoryName="app", imageIds=images)["failures"]
    assert [f["failureCode"] for f in failures] == ["ImageReferencedByManifestList"]
    ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    assert ecr.batch_delete_image(repositoryName="app", imageIds=images)["imageIds"] == images
    assert ecr.list_images(repositoryName="app")["imageIds"] == []


# Roles.


def _sts(sim: Simulator) -> Any:
    return sim.client("sts")


def test_a_role_expects_its_external_id(sim: Simulator) -> None:
    sim.control("external-id", role=ROLE, id="right")
    sts = _sts(sim)
    asked = {"RoleArn": ROLE, "RoleSessionName": "tester"}
    code, message, status = refused(sts.assume_role, **asked)
    assert (code, status) == ("AccessDenied", 403)
    assert message.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {ROLE}")
    assert refused(sts.assume_role, ExternalId="wrong", **asked)[0] == "AccessDenied"
    assert sts.assume_role(ExternalId="right", **asked)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/releases/tester"
    sim.control("roles", arns=[])
    assert refused(sts.assume_role, ExternalId="right", **asked)[0] == "AccessDenied"


def _as_role(sim: Simulator, service: str, *, web_identity: bool = False) -> Any:
    sts = _sts(sim)
    more = {"WebIdentityToken": "token"} if web_identity else {}
    role = (sts.assume_role_with_web_identity if web_identity else sts.assume_role)(RoleArn=ROLE, RoleSessionName="tester", **more)[
        "Credentials"
    ]
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(
        service, region_name=REGION, endpoint_url=sim.endpoint, config=config, aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"],
    )  # fmt: skip


@pytest.mark.parametrize("web_identity", [False, True])
def test_a_role_reaches_its_own_account(sim: Simulator, web_identity: bool) -> None:
    _as_role(sim, "ecs", web_identity=web_identity).create_cluster(clusterName="theirs")
    assert sim.client("ecs", OTHER).list_clusters()["clusterArns"] == [f"arn:aws:ecs:{REGION}:{OTHER}:cluster/theirs"]
    assert sim.client("ecs").list_clusters()["clusterArns"] == []
    assert sim.control("calls", action="CreateCluster")[-1]["caller"] == f"arn:aws:sts::{OTHER}:assumed-role/releases/tester"


def test_a_pod_is_given_credentials(sim: Simulator) -> None:
    uri = f"{sim.endpoint}/simulator/container-credentials?role={ROLE}"
    given = ContainerProvider(environ={"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri}).load().get_frozen_credentials()
    sts = boto3.client(
        "sts", region_name=REGION, endpoint_url=sim.endpoint, aws_access_key_id=given.access_key,
        aws_secret_access_key=given.secret_key, aws_session_token=given.token,
    )  # fmt: skip
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/releases/pod"


def test_credentials_expire(sim: Simulator) -> None:
    sim.configure(faults={"credentials_s": 0.0})
    ecs = _as_role(sim, "ecs")
    ecs.list_clusters()
    assert refused(ecs.list_clusters)[::2] == ("ExpiredTokenException", 400)
    sim.configure(faults={"credentials_s": None, "credentials_duration_s": 900.0})
    expires = _sts_expiry(sim)
    assert 800 < expires - time.time() < 901


def _sts_expiry(sim: Simulator) -> float:
    return float(_sts(sim).assume_role(RoleArn=ROLE, RoleSessionName="tester")["Credentials"]["Expiration"].timestamp())


def test_access_is_denied_in_aws_s_words(sim: Simulator) -> None:
    sim.deny(action="UpdateService", role="/releases/")
    ecs = _as_role(sim, "ecs")
    code, message, status = refused(ecs.update_service, cluster="main", service="web")
    assert (code, status) == ("AccessDeniedException", 400)
    assert message == (
        f"User: arn:aws:sts::{OTHER}:assumed-role/releases/tester is not authorized to perform: ecs:UpdateService on resource:"
        f" arn:aws:ecs:{REGION}:{OTHER}:service/main/web because no identity-based policy allows the ecs:UpdateService action"
    )
    assert refused(sim.client("ecs", OTHER).update_service, cluster="main", service="web")[0] == "ClusterNotFoundException"


# Throttling and faults.


def test_throttling_by_row_account_and_region(sim: Simulator) -> None:
    ecs = sim.client("ecs")
    other = sim.client("ecs", OTHER)
    sim.configure(throttling={"enabled": True})
    definition = {"family": "web", "containerDefinitions": [{"name": "app", "image": "nginx", "memory": 1}]}
    codes = []
    for _ in range(23):
        try:
            ecs.register_task_definition(**definition)
        except ClientError as error:
            codes.append(
                (error.response["Error"]["Code"], error.response["Error"]["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"])
            )
    assert codes
    assert set(codes) == {("ThrottlingException", "Rate exceeded", 400)}
    other.register_task_definition(**definition)
    ecs.list_clusters()


def test_faults_hit_the_calls_they_are_meant_for(sim: Simulator) -> None:
    sim.create_service("web", {"app": "nginx:1"})
    ecs = sim.client("ecs")
    sim.fault("DescribeServices", code="ServerException", status=500, times=2, match="'web'")
    look = {"cluster": "main", "services": ["web"]}
    assert [refused(ecs.describe_services, **look)[::2] for _ in range(2)] == [("ServerException", 500)] * 2
    ecs.describe_services(**look)
    sim.fault("DescribeServices", times=None, fraction=0.5)
    failed = 0
    for _ in range(40):
        try:
            ecs.describe_services(**look)
        except ClientError:
            failed += 1
    assert 5 < failed < 35
    sim.clear_faults()
    ecs.describe_services(**look)
    with pytest.raises(ValueError, match="no fault of kind"):
        sim.fault("DescribeServices", kind="odd")


@pytest.mark.parametrize(("kind", "performed"), [("lost", True), ("lost-error", True), ("drop", False), ("error", False)])
def test_a_lost_answer_leaves_its_call_done_or_not(sim: Simulator, kind: str, performed: bool) -> None:
    sim.create_service("web", {"app": "nginx:1"})
    before = sim.service("web")["deployments"][0]["id"]
    sim.fault("UpdateService", kind=kind)
    with pytest.raises((ClientError, BotoCoreError)):
        sim.deploy("web", forceNewDeployment=True)
    assert (sim.service("web")["deployments"][0]["id"] != before) == performed
    call = sim.control("calls", action="UpdateService")[-1]
    assert call["error"]
    assert call["parameters"]["service"] == "web"


def test_calls_are_counted_the_test_s_own_left_out(sim: Simulator) -> None:
    sim.create_service("web", {"app": "nginx:1"})
    mark = sim.mark()
    assert sim.count_mutating() == 0
    _as_role(sim, "ecs").create_cluster(clusterName="theirs")
    assert sim.count_mutating(service="ecs") == 1
    assert sim.control("count-calls", mutating=True, since=mark, service="ecs") == {"count": 1}


def test_an_operation_that_is_not_there_is_unknown_not_a_page_of_html(sim: Simulator) -> None:
    assert refused(sim.client("ecs").list_daemons)[::2] == ("UnknownOperationException", 400)


def test_a_field_newer_than_botocore_is_in_the_raw_answer(sim: Simulator) -> None:
    sim.configure(switches={"unknown_task_definition_field": "newField"})
    ecs = sim.client("ecs")
    ecs.register_task_definition(family="web", **task_definition({"app": "nginx:1"}))
    raw: list[bytes] = []
    ecs.meta.events.register("before-parse.ecs.DescribeTaskDefinition", lambda response_dict, **_: raw.append(response_dict["body"]))
    ecs.describe_task_definition(taskDefinition="web")
    assert json.loads(raw[0])["taskDefinition"]["newField"]


# Events.


def _queue(sim: Simulator, pattern: dict[str, Any]) -> Any:
    """Make a rule to a queue; returns a way to take what has arrived."""
    sqs, events = sim.client("sqs"), sim.client("events")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])

    def take(enough: Any, deadline_s: float = 10) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        until = time.monotonic() + deadline_s
        while not enough(found) and time.monotonic() < until:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", ()):
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    return take


def _named(name: str) -> Any:
    return lambda found: any(e["detail"].get("eventName") == name for e in found)


def test_events_of_a_rollout_arrive_though_nobody_looks(sim: Simulator) -> None:
    take = _queue(sim, {"source": ["aws.ecs"], "detail-type": [{"prefix": "ECS "}]})
    sim.create_service("web", {"app": "nginx:1"}, wait=False)
    found = take(_named("SERVICE_STEADY_STATE"))
    assert {e["detail-type"] for e in found} == {"ECS Deployment State Change", "ECS Task State Change", "ECS Service Action"}
    assert {(e["account"], e["region"], e["source"]) for e in found} == {(ACCOUNT, REGION, "aws.ecs")}
    service = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/main/web"
    deployment = next(e for e in found if e["detail"].get("eventName") == "SERVICE_DEPLOYMENT_COMPLETED")
    assert deployment["resources"] == [service]
    assert set(deployment["detail"]) == {"eventType", "eventName", "deploymentId", "updatedAt", "reason"}
    task = next(e for e in found if e["detail"].get("lastStatus") == "RUNNING")
    assert task["detail"]["group"] == "service:web"
    assert task["detail"]["containers"][0]["imageDigest"]
    assert "healthStatus" not in task["detail"]


def test_events_of_images(sim: Simulator) -> None:
    take = _queue(sim, {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"]})
    digest = sim.push_image("app", ["v1"])
    sim.client("ecr").batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    found = take(lambda found: len(found) == 2)
    assert {(e["detail"]["action-type"], e["detail"]["image-digest"], e["detail"]["image-tag"]) for e in found} == {
        ("PUSH", digest, "v1"),
        ("DELETE", digest, "v1"),
    }


def test_calls_that_change_anything_are_told_by_cloudtrail(sim: Simulator) -> None:
    take = _queue(sim, {"detail-type": ["AWS API Call via CloudTrail"]})
    sim.create_service("web", {"app": "nginx:1"})
    sim.client("ecs").update_service(cluster="main", service="web", forceNewDeployment=True)
    with pytest.raises(ClientError):
        sim.client("ecs").update_service(cluster="main", service="nobody", desiredCount=1)
    found = take(lambda found: sum(e["detail"]["eventName"] == "UpdateService" for e in found) == 2)

    assert "DescribeServices" not in {e["detail"]["eventName"] for e in found}
    good, bad = (next(e["detail"] for e in found if e["detail"]["requestParameters"].get("service") == s) for s in ("web", "nobody"))
    assert good["responseElements"]["service"]["deployments"][0]["status"] == "PRIMARY"
    assert "errorCode" not in good and bad["errorCode"] == "ServiceNotFoundException"
    assert good["userIdentity"]["arn"].endswith("assumed-role/test/test") and good["userAgent"]


@pytest.mark.parametrize(("switch", "value", "count"), [("double_events", True, 4), ("lose_events", 1.0, 0), ("reorder_events", True, 2)])
def test_events_are_lost_doubled_and_reordered(sim: Simulator, switch: str, value: Any, count: int) -> None:
    take = _queue(sim, {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"]})
    sim.configure(switches={switch: value})
    sim.push_image("app", ["v1"])
    sim.push_image("app", ["v2"])
    sim.control("flush-events")
    found = take(lambda found: count and len(found) == count, deadline_s=60 if count else 0.5)
    assert len(found) == count
    if switch == "double_events":
        assert len({e["id"] for e in found}) == 2


def test_lagging_protection_and_odd_commands(sim: Simulator) -> None:
    sim.push_image("app", ["v1"])
    sim.create_service("web", {"app": image_name("app", "v1")})
    sim.control("protect", account=ACCOUNT, region=REGION, cluster="main", service="web")
    tasks = sim.client("ecs").list_tasks(cluster="main")["taskArns"]
    shown = sim.client("ecs").get_task_protection(cluster="main", tasks=tasks)["protectedTasks"]
    assert [t["protectionEnabled"] for t in shown] == [True, True]
    for command, arguments in (("behave", {"digest": "x", "kind": "odd"}), ("configure", {"switches": {"odd": 1}}), ("calls", {"odd": 1})):
        with pytest.raises(ValueError, match="odd"):
            sim.control(command, **arguments)


def test_what_has_ended_goes_on_no_more(sim: Simulator) -> None:
    _queue(sim, {"source": ["aws.ecs"]})
    sim.client("events").put_rule(Name="main", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    sim.create_service("web", {"app": "nginx:1"})
    sim.create_service("api", {"app": "nginx:1"}, cluster="other")
    sim.control("end", name="main")
    assert sim.client("ecs").list_services(cluster="main")["serviceArns"] == []
    assert sim.client("ecs").list_tasks(cluster="main")["taskArns"] == []
    assert [r["Name"] for r in sim.client("events").list_rules()["Rules"]] == ["all"]
    assert len(sim.client("ecs").list_tasks(cluster="other")["taskArns"]) > 0
    sim.create_service("web", {"app": "nginx:1"})


def test_a_queue_s_attributes_and_deduplication(sim: Simulator) -> None:
    sqs = sim.client("sqs")
    url = sqs.create_queue(QueueName="a.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="one", MessageGroupId="g")
    sqs.send_message(QueueUrl=url, MessageBody="two", MessageGroupId="g")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "2"
    assert found["ContentBasedDeduplication"] == "true"
    plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
    sqs.send_message(QueueUrl=plain, MessageBody="one")
    assert sqs.get_queue_attributes(QueueUrl=plain, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"] == {
        "ApproximateNumberOfMessages": "1"
    }
