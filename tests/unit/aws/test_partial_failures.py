"""Failures that AWS reports inside a successful response, and refusals that concern one object: what is not read is not "there is none".

Through the real SDK, to a server that answers each operation with what the test says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.sessions.partial_failures import problem_of_failure
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Blocked, BrokenAnswer, Denied, Problem, Retryable

ACCESS = Access("111122223333", "eu-west-1")
ARN = "arn:aws:ecs:eu-west-1:111122223333"
INDEX = "sha256:" + "1" * 64
LIST = "application/vnd.oci.image.index.v1+json"


class Server:
    """AWS's JSON protocol: `answers` by operation, each a body or an error code, or a function of the request that returns one."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: Counter[str] = Counter()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                server.calls[operation] += 1
                answer = server.answers[operation]
                answer = answer(request) if callable(answer) else answer
                answer = {"__type": answer} if isinstance(answer, str) else answer
                body = json.dumps(answer).encode()
                self.send_response(400 if "__type" in answer else 200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server()
    thread = Thread(target=found.http.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{found.http.server_address[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join()


@pytest.fixture
def aws(server: Server) -> Iterator[BotoAws]:
    found = BotoAws(SystemClock(), version="1", session_name="test")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ({"arn": f"{ARN}:service/main/web", "reason": "MISSING"}, None),
        ({"imageId": {"imageDigest": INDEX}, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}, None),
        ({"arn": f"{ARN}:service/main/web", "reason": "ACCESS_DENIED"}, Denied),
        ({"imageId": {"imageDigest": INDEX}, "failureCode": "KmsError"}, Denied),
        ({"imageId": {"imageTag": "v1"}, "failureCode": "ImageTagDoesNotMatchDigest"}, Blocked),
        ({"imageId": {"imageTag": "v1"}, "failureCode": "UpstreamUnavailable"}, Retryable),
        ({"arn": f"{ARN}:task/main/1", "reason": "SOMETHING_NEW", "detail": "try again"}, BrokenAnswer),
        ({}, BrokenAnswer),
    ],
)
def test_only_a_documented_absence_means_that_there_is_none(failure: dict[str, Any], kind: type[Problem] | None) -> None:
    problem = problem_of_failure(failure, "ecs:DescribeServices")
    assert type(problem) is (kind or type(None))


async def test_a_service_that_cannot_be_described_is_unread_and_not_missing(server: Server, aws: BotoAws) -> None:
    server.answers["DescribeServices"] = {
        "services": [],
        "failures": [
            {"arn": f"{ARN}:service/main/gone", "reason": "MISSING"},
            {"arn": f"{ARN}:service/main/web", "reason": "INTERNAL", "detail": "try later"},
        ],
    }
    answer = await aws.ecs(ACCESS).describe_services("main", ["gone", "web"])
    assert answer.services == {}
    assert {name: type(problem) for name, problem in answer.unread.items()} == {"web": BrokenAnswer}
    assert "web cannot be read: try later (INTERNAL)" in answer.unread["web"].message


async def test_a_task_that_cannot_be_described_is_not_gone(server: Server, aws: BotoAws) -> None:
    server.answers["DescribeTasks"] = {"tasks": [], "failures": [{"arn": f"{ARN}:task/main/1", "reason": "MISSING"}]}
    assert await aws.ecs(ACCESS).describe_tasks("main", ["1"]) == []
    server.answers["DescribeTasks"] = {"tasks": [], "failures": [{"arn": f"{ARN}:task/main/1", "reason": "INTERNAL"}]}
    with pytest.raises(Retryable, match="ecs:DescribeTasks: 1 cannot be read"):
        await aws.ecs(ACCESS).describe_tasks("main", ["1"])


async def test_platforms_that_cannot_be_read_are_not_remembered_as_none(server: Server, aws: BotoAws) -> None:
    server.answers["DescribeImages"] = {"imageDetails": [{"imageDigest": INDEX, "imageTags": ["v1"], "imageManifestMediaType": LIST}]}
    registry = aws.registry(ACCESS, "111122223333", "eu-west-1")
    for failures in ([{"imageId": {"imageDigest": INDEX}, "failureCode": "UpstreamUnavailable"}], []):
        server.answers["BatchGetImage"] = {"images": [], "failures": failures}
        with pytest.raises(Retryable):
            await registry.image("shop/web", tag="v1")
    manifest = json.dumps({"manifests": [{"digest": "sha256:" + "2" * 64, "platform": {"os": "linux"}}]})
    server.answers["BatchGetImage"] = {"images": [{"imageId": {"imageDigest": INDEX}, "imageManifest": manifest}], "failures": []}
    found = await registry.image("shop/web", tag="v1")
    assert found is not None
    assert found.platform_digests == ("sha256:" + "2" * 64,)


async def test_one_service_that_is_refused_leaves_the_others_their_service_deployments(server: Server, aws: BotoAws) -> None:
    def listed(request: dict[str, Any]) -> Any:
        if "denied" in request["service"]:
            return "AccessDeniedException"
        if "gone" in request["service"]:
            return "ServiceNotFoundException"
        if "/" not in request["service"].partition(":service/")[2]:
            return "InvalidParameterException"
        revision = request["service"].replace(":service/", ":service-revision/") + "/7"
        deployment = request["service"].replace(":service/", ":service-deployment/") + "/d"
        return {"serviceDeployments": [{"serviceDeploymentArn": deployment, "targetServiceRevisionArn": revision}]}

    server.answers["ListServiceDeployments"] = listed
    server.answers["DescribeServiceDeployments"] = lambda request: {
        "serviceDeployments": [{"serviceDeploymentArn": arn, "status": "IN_PROGRESS"} for arn in request["serviceDeploymentArns"]]
    }
    ecs = aws.ecs(ACCESS)
    for name in ("main/denied", "main/gone", "short"):
        for _ in range(2):
            assert await ecs.service_deployment("main", f"{ARN}:service/{name}", "ecs-svc/7") is None
    assert server.calls["ListServiceDeployments"] == 3, "what was refused is not asked again at once"
    found = await ecs.service_deployment("main", f"{ARN}:service/main/web", "ecs-svc/7")
    assert found is not None
    assert found.status == "IN_PROGRESS"


async def test_a_service_whose_arn_names_no_cluster_is_looked_for_in_its_own(server: Server, aws: BotoAws) -> None:
    """Two services of one name, in two clusters, may have the same ARN of the old format."""
    short = f"{ARN}:service/web"

    def listed(request: dict[str, Any]) -> Any:
        if request.get("cluster") != "shop":
            return "ServiceNotFoundException"
        deployment, revision = f"{ARN}:service-deployment/shop/web/d", f"{ARN}:service-revision/shop/web/7"
        return {"serviceDeployments": [{"serviceDeploymentArn": deployment, "targetServiceRevisionArn": revision}]}

    server.answers["ListServiceDeployments"] = listed
    server.answers["DescribeServiceDeployments"] = lambda request: {
        "serviceDeployments": [{"serviceDeploymentArn": arn, "status": "IN_PROGRESS"} for arn in request["serviceDeploymentArns"]]
    }
    ecs = aws.ecs(ACCESS)
    assert await ecs.service_deployment("main", short, "ecs-svc/7") is None
    assert await ecs.service_deployment("shop", short, "ecs-svc/7") is not None


async def test_an_endpoint_without_the_operation_is_asked_once_for_all(server: Server, aws: BotoAws) -> None:
    server.answers["ListServiceDeployments"] = "UnknownOperationException"
    ecs = aws.ecs(ACCESS)
    for name in ("web", "worker"):
        assert await ecs.service_deployment("main", f"{ARN}:service/main/{name}", "ecs-svc/7") is None
    assert server.calls["ListServiceDeployments"] == 1


async def test_protection_that_may_not_be_read_in_one_cluster_is_read_in_another(server: Server, aws: BotoAws) -> None:
    server.answers["GetTaskProtection"] = lambda request: (
        "AccessDeniedException"
        if request["cluster"] == "denied"
        else {"protectedTasks": [{"taskArn": "t", "protectionEnabled": True}], "failures": []}
    )
    ecs = aws.ecs(ACCESS)
    assert await ecs.protected_tasks("denied", ["t"]) == []
    assert [task.arn for task in await ecs.protected_tasks("main", ["t"])] == ["t"]


async def test_a_refusal_that_passes_is_tried_again(server: Server, aws: BotoAws) -> None:
    text = "Too many concurrent attempts to create a new revision of the specified family."
    server.answers["RegisterTaskDefinition"] = lambda _: {"__type": "ClientException", "message": text}
    with pytest.raises(Problem) as caught:
        await aws.ecs(ACCESS).register_task_definition({"family": "web", "containerDefinitions": []}, {})
    assert type(caught.value) is Retryable
