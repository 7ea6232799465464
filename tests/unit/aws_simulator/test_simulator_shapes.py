"""The simulator's answers have the shapes of botocore's model; task definitions keep every field that there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aws_simulator.client import Simulator, image_name
from tests.aws_simulator.ecs.responses import SimulatedEcsResponse
from tests.unit.aws_simulator.shapes import differences

_MOTO_S = {"CreateCluster", "DescribeClusters", "DeleteCluster"}


@pytest.fixture
def checked(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A way to get clients whose every raw answer is compared with its shape; the operations that were called."""
    seen: set[str] = set()

    def client(service: str) -> Any:
        made = sim.client(service)

        def check(http_response: Any, operation_name: str, **_: Any) -> None:
            if http_response.status_code >= 300:
                return
            seen.add(operation_name)
            shape = made.meta.service_model.operation_model(operation_name).output_shape
            found = list(differences(json.loads(http_response.content or b"{}"), shape, operation_name)) if shape else []
            assert not found, "\n".join(found)

        monkeypatch.setattr(made._endpoint, "_send", _spied(made._endpoint._send, check, made))
        return made

    def _spied(send: Any, check: Any, made: Any) -> Any:
        def sent(request: Any) -> Any:
            answer = send(request)
            name = request.headers["X-Amz-Target"]
            check(answer, (name.decode() if isinstance(name, bytes) else name).rpartition(".")[2])
            return answer

        return sent

    client.seen = seen  # type: ignore[attr-defined]
    return client


def test_every_answer_of_ecs_has_its_model_s_shape(sim: Simulator, checked: Any) -> None:
    ecs = checked("ecs")
    ecs.create_cluster(clusterName="main")
    sim.push_image("app", ["v1"])
    sim.push_image("app", ["crash"])
    sim.configure(switches={"guardduty_sidecar": True, "inactive_lingers_s": 0.05})
    sim.create_service(
        "web", {"app": image_name("app", "v1"), "log": "public.ecr.aws/x/y:1"},
        tags=[{"key": "a", "value": "b"}], launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}, loadBalancers=[],
    )  # fmt: skip
    sim.deploy("web", {"app": image_name("app", "crash")})
    _look_at_everything(ecs)
    sim.wait_steady("web")
    _look_at_everything(ecs)
    arn = sim.service("web")["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": "d"}]
    task = ecs.list_tasks(cluster="main")["taskArns"][0]
    ecs.update_task_protection(cluster="main", tasks=[task], protectionEnabled=True)
    assert ecs.get_task_protection(cluster="main", tasks=[task])["protectedTasks"][0]["protectionEnabled"]
    ecs.stop_task(cluster="main", task=task)
    sim.push_image("app", ["slow"])
    sim.deploy("web", {"app": image_name("app", "slow")})
    running = ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"][0]
    ecs.stop_service_deployment(serviceDeploymentArn=running["serviceDeploymentArn"], stopType="ROLLBACK")
    _look_at_everything(ecs)
    ecs.delete_service(cluster="main", service="web", force=True)
    ecs.deregister_task_definition(taskDefinition="web:1")
    ecs.delete_task_definitions(taskDefinitions=["web:1", "web:2"])
    ours = {
        name
        for base in SimulatedEcsResponse.__mro__
        if base.__module__.startswith("tests.")
        for name in vars(base)
        if not name.startswith("_")
    }
    served = {n for n in ecs.meta.service_model.operation_names if _snake(ecs, n) in ours}
    assert served - checked.seen - {"ContinueServiceDeployment", "DeleteCluster"} == set(), "each operation that is ours was compared"


def _snake(ecs: Any, operation: str) -> str:
    return next(python for python, name in ecs.meta.method_to_api_mapping.items() if name == operation)


def _look_at_everything(ecs: Any) -> None:
    ecs.describe_clusters(clusters=["main"])
    ecs.list_services(cluster="main")
    ecs.describe_services(cluster="main", services=["web", "missing"], include=["TAGS"])
    tasks = [a for s in ("RUNNING", "STOPPED") for a in ecs.list_tasks(cluster="main", desiredStatus=s)["taskArns"]]
    ecs.describe_tasks(cluster="main", tasks=[*tasks[:99], "missing"])
    deployments = ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"]
    ecs.describe_service_deployments(serviceDeploymentArns=[d["serviceDeploymentArn"] for d in deployments])
    ecs.describe_service_revisions(serviceRevisionArns=[d["targetServiceRevisionArn"] for d in deployments])
    ecs.list_task_definitions()
    ecs.list_task_definition_families()
    ecs.describe_task_definition(taskDefinition="web", include=["TAGS"])


def test_every_answer_of_ecr_has_its_model_s_shape(sim: Simulator, checked: Any) -> None:
    ecr = checked("ecr")
    digest = sim.push_image("app", ["v1", "v2"], platforms=["linux/arm64", "linux/amd64"])
    ecr.describe_repositories(repositoryNames=["app"])
    assert ecr.describe_images(repositoryName="app", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]["imageDigest"] == digest
    ecr.describe_images(repositoryName="app")
    ecr.list_images(repositoryName="app")
    ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    assert {"DescribeImages", "BatchGetImage", "BatchDeleteImage", "ListImages", "DescribeRepositories", "PutImage"} <= checked.seen


def test_a_task_definition_keeps_every_field_of_the_model(sim: Simulator) -> None:
    """Every field that RegisterTaskDefinition can hold comes back from DescribeTaskDefinition."""
    ecs = sim.client("ecs")
    given = _filled(ecs.meta.service_model.shape_for("RegisterTaskDefinitionRequest"))
    given["family"] = "everything"
    given["tags"] = [{"key": "a", "value": "b"}]
    registered = ecs.register_task_definition(**given)
    described = ecs.describe_task_definition(taskDefinition="everything", include=["TAGS"])
    for answer in (registered, described):
        assert answer["tags"] == given["tags"]
        kept = answer["taskDefinition"]
        assert {k: kept.get(k) for k in given if k != "tags"} == {k: v for k, v in given.items() if k != "tags"}
        for field in ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"):
            assert kept[field], field
    assert "tags" not in ecs.describe_task_definition(taskDefinition="everything")


def _filled(shape: Any, seen: tuple[str, ...] = ()) -> Any:
    """Fill a shape wholly."""
    if shape.type_name == "structure":
        return {k: _filled(m, (*seen, shape.name)) for k, m in shape.members.items() if m.name not in seen}
    if shape.type_name == "list":
        return [_filled(shape.member, seen)]
    if shape.type_name == "map":
        return {"key": _filled(shape.value, seen)}
    if shape.type_name == "boolean":
        return True
    if shape.type_name in ("integer", "long", "double", "float"):
        return 1
    return shape.enum[0] if getattr(shape, "enum", None) else "some"


def test_the_comparison_finds_what_is_wrong(sim: Simulator) -> None:
    shape = sim.client("ecs").meta.service_model.operation_model("DescribeServices").output_shape
    wrong = {"services": [{"serviceName": 1, "desiredCount": "2", "new": 1, "deployments": [{"rolloutState": "DONE"}]}], "failures": {}}
    assert len(list(differences(wrong, shape))) == 5
    assert not list(differences({"services": [{"serviceName": "web"}]}, shape))


def test_it_serves_mock_aws_in_a_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, for what is installed stays installed."""
    import subprocess
    import sys

    program = (
        "import boto3\nfrom moto import mock_aws\nfrom tests.aws_simulator.install import install\n"
        "from tests.aws_simulator.clock import VirtualClock\nfrom tests.aws_simulator.world import reset\n"
        "clock = VirtualClock()\nreset(clock)\ninstall()\n"
        "with mock_aws():\n"
        " ecs = boto3.client('ecs', region_name='eu-west-1')\n ecs.create_cluster(clusterName='main')\n"
        " ecs.register_task_definition(family='web', containerDefinitions=[{'name': 'app', 'image': 'nginx:1', 'memory': 1}])\n"
        " ecs.create_service(cluster='main', serviceName='web', taskDefinition='web', desiredCount=2)\n"
        " look = lambda: ecs.describe_services(cluster='main', services=['web'])['services'][0]['deployments'][0]['rolloutState']\n"
        " before = look()\n clock.advance(46)\n print(before, look())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
    )  # fmt: skip
    assert done.stdout.split() == ["IN_PROGRESS", "COMPLETED"], done.stderr
