"""Answers of AWS as they were recorded, on a wire that sends others in their place, and what may come of those.

`CALLS` read, `CHANGES` change something; each has its answer, the service that is asked, and a call of an adapter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from ecs_release.aws.clients.ecs import BotoEcs
from ecs_release.aws.clients.sqs import BotoEventQueue
from ecs_release.aws.ledger.dynamodb import BotoLedger
from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.aws.sessions import caller
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.pacing import Pacing
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, Problem
from tests.builders.simulated_time import SimulatedClock

ACCESS = Access("111122223333", "eu-west-1")
ARN = "arn:aws:ecs:eu-west-1:111122223333"
NOW = 1_770_000_000.0
DIGEST = "sha256:" + "a" * 64
LIST = "application/vnd.oci.image.index.v1+json"
DEPLOYMENT = {
    "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": f"{ARN}:task-definition/web:1", "desiredCount": 2, "pendingCount": 0,
    "runningCount": 2, "failedTasks": 0, "createdAt": NOW, "rolloutState": "COMPLETED", "rolloutStateReason": "done",
}  # fmt: skip
SERVICE = {
    "serviceArn": f"{ARN}:service/main/web", "serviceName": "web", "status": "ACTIVE", "createdAt": NOW, "desiredCount": 2,
    "runningCount": 2, "pendingCount": 0, "taskDefinition": f"{ARN}:task-definition/web:1", "deployments": [DEPLOYMENT],
    "deploymentConfiguration": {
        "strategy": "CANARY", "minimumHealthyPercent": 100, "bakeTimeInMinutes": 3, "lifecycleHooks": [{"hookTargetArn": "x"}],
        "deploymentCircuitBreaker": {"enable": True, "rollback": True}, "alarms": {"enable": False, "rollback": False, "alarmNames": []},
        "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10},
    },
    "events": [{"id": "e1", "message": "(deployment ecs-svc/1) deployment failed", "createdAt": NOW}],
}  # fmt: skip
OTHER = {**SERVICE, "serviceName": "api", "serviceArn": f"{ARN}:service/main/api"}
TASK = {
    "taskArn": f"{ARN}:task/main/1", "group": "service:web", "startedBy": "ecs-svc/1", "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
    "taskDefinitionArn": f"{ARN}:task-definition/web:1", "createdAt": NOW, "stoppedReason": "", "stopCode": "",
    "containers": [{"name": "app", "image": "i", "imageDigest": DIGEST, "lastStatus": "RUNNING", "exitCode": 0, "reason": ""}],
}  # fmt: skip
REVISION = {
    "taskDefinition": {
        "taskDefinitionArn": f"{ARN}:task-definition/web:1", "family": "web", "revision": 1, "status": "ACTIVE", "registeredAt": NOW,
        "containerDefinitions": [{"name": "app", "image": "i", "environment": [{"name": "A", "value": "b"}]}],
    },
    "tags": [{"key": "a", "value": "b"}],
}  # fmt: skip
DETAIL = {"imageDigest": DIGEST, "imageTags": ["v1"], "imagePushedAt": NOW, "imageManifestMediaType": LIST, "imageStatus": "ACTIVE"}
MANIFEST = {"manifests": [{"digest": DIGEST, "platform": {"os": "linux"}}]}
IMAGE = {"imageId": {"imageDigest": DIGEST}, "imageManifest": json.dumps(MANIFEST), "imageManifestMediaType": LIST}
MESSAGE = {"Body": "{}", "ReceiptHandle": "h", "Attributes": {"SentTimestamp": "1770000000000"}}
SERVICE_DEPLOYMENT = {
    "serviceDeploymentArn": "arn:sd", "status": "IN_PROGRESS", "statusReason": "", "lifecycleStage": "BAKE_TIME", "rollback": {"reason": ""},
    "alarms": {"triggeredAlarmNames": ["a"]}, "targetServiceRevision": {"requestedProductionTrafficWeight": 5.0},
    "lifecycleHookDetails": [{"hookId": "h", "status": "AWAITING_ACTION", "targetType": "PAUSE", "expiresAt": NOW}],
}  # fmt: skip
ITEM = {"pk": {"S": "CURRENT#prod"}, "sk": {"S": "shop#store#web"}, "kind": {"S": "Current"}, "n": {"N": "3"}, **{name: {"S": "x"} for name in ("installation", "namespace", "project", "service", "environment", "release")},
    "observedTime": {"S": "2026-01-01T00:00:00Z"},
}  # fmt: skip


@dataclass
class Wire:
    """Clients of boto3 whose every request is answered with `body`, as JSON unless it is bytes; it may be a function of the parameters."""

    body: Any = None
    status: int = 200
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, _: Access, service: str, *, mutating: bool = False) -> Any:
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, region_name="eu-west-1")
            made = boto3.client(service, config=config, aws_access_key_id="a", aws_secret_access_key="b")
            made.meta.events.register("before-send", self._answer)
            self._clients[service] = made
        return self._clients[service]

    def forget_credentials(self, _: Access, *, source: bool = False) -> bool:
        return True

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        body = self.body(json.loads(request.body)) if callable(self.body) else self.body
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return AWSResponse(request.url, self.status, {"Content-Type": "application/x-amz-json-1.1"}, _Raw(body))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


Call = Callable[[Any], Awaitable[Any]]
CALLS: dict[str, tuple[Any, str, Call]] = {
    "DescribeServices": (
        {"services": [SERVICE, OTHER], "failures": []},
        "ecs",
        lambda c: BotoEcs(c, ACCESS).describe_services("main", ["web", "api"]),
    ),
    "ListTasks": ({"taskArns": ["a"]}, "ecs", lambda c: BotoEcs(c, ACCESS).list_tasks("main", "web")),
    "DescribeTasks": ({"tasks": [TASK], "failures": []}, "ecs", lambda c: BotoEcs(c, ACCESS).describe_tasks("main", ["a"])),
    "DescribeTaskDefinition": (REVISION, "ecs", lambda c: BotoEcs(c, ACCESS).describe_task_definition("web:1")),
    "ListTaskDefinitions": ({"taskDefinitionArns": ["a"]}, "ecs", lambda c: BotoEcs(c, ACCESS).newest_task_definitions("web", 5)),
    "GetTaskProtection": (
        {"protectedTasks": [{"taskArn": "a", "protectionEnabled": True, "expirationDate": NOW}]},
        "ecs",
        lambda c: BotoEcs(c, ACCESS).protected_tasks("main", ["a"]),
    ),
    "ListServiceDeployments": (
        {"serviceDeployments": [{"serviceDeploymentArn": "arn:sd", "targetServiceRevisionArn": "arn/web/1"}]},
        "ecs",
        lambda c: BotoEcs(c, ACCESS)._service_deployment_arn("main", f"{ARN}:service/main/web", "ecs-svc/1"),
    ),
    "DescribeServiceDeployments": (
        {"serviceDeployments": [SERVICE_DEPLOYMENT]},
        "ecs",
        lambda c: BotoEcs(c, ACCESS)._describe_deployments(["arn:sd"]),
    ),
    "DescribeImages": (
        {"imageDetails": [DETAIL]},
        "ecr",
        lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1").images("shop/web", [DIGEST]),
    ),
    "DescribeImages by tag": (
        {"imageDetails": [DETAIL]},
        "ecr",
        lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1").tag_digest("shop/web", "v1"),
    ),
    "BatchGetImage": (
        {"images": [IMAGE], "failures": []},
        "ecr",
        lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1")._platforms_of("shop/web", DIGEST),
    ),
    "DescribeRepositories": (
        {
            "repositories": [
                {"repositoryName": "shop/web", "imageTagMutability": "MUTABLE", "imageTagMutabilityExclusionFilters": [{"filter": "v*"}]}
            ]
        },
        "ecr",
        lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1").check_movable("shop/web", "v1"),
    ),
    "ReceiveMessage": (
        {"Messages": [MESSAGE]},
        "sqs",
        lambda c: BotoEventQueue(c, ACCESS, "https://sqs.eu-west-1.amazonaws.com/1/q").receive(),
    ),
    "Query": ({"Items": [ITEM]}, "dynamodb", lambda c: _all(BotoLedger(c, ACCESS, "t").currents("prod"))),
    "GetItem": ({"Item": ITEM}, "dynamodb", lambda c: BotoLedger(c, ACCESS, "t").current("prod", "shop", "store", "web")),
}
CHANGES: dict[str, tuple[Any, str, Call]] = {
    "UpdateService": ({"service": SERVICE}, "ecs", lambda c: BotoEcs(c, ACCESS).update_service("main", "web", "web:2")),
    "RegisterTaskDefinition": (
        REVISION,
        "ecs",
        lambda c: BotoEcs(c, ACCESS).register_task_definition({"family": "web", "containerDefinitions": []}, {}),
    ),
}
ODD: tuple[Any, ...] = (None, "x", "", -1, 7, 10**12, 1.5, True, [], {}, [None], ["x"], {"a": "b"}, "\u202e", [[]])
WHOLE = (b"null", b"", b"[]", b"7", b'"x"', b"{", b'{"services": [', b"<html><body>503</body></html>", b"\xff\xfe", b"[" * 5000)


async def _all(found: Any) -> list[Any]:
    return [one async for one in found]


def outcomes(wire: Wire, call: Call, bodies: Iterable[Any]) -> list[Any]:
    """Return what a call returns for each body, or the Problem that it raises; anything else is raised. Retries come at once."""

    async def main() -> list[Any]:
        threads, found = Threads(2), []
        try:
            for wire.body in bodies:
                try:
                    found.append(await call(Caller(wire, threads, Pacing(SimulatedClock()))))  # type: ignore[arg-type]
                except Problem as problem:
                    found.append(problem)
        finally:
            threads.close()
        return found

    with patch.object(caller, "_PAUSES_S", (0.0,) * len(caller._PAUSES_S)):
        return asyncio.run(main())


def check(name: str, found: Any, body: Any) -> None:
    """See to it that an outcome is a Problem that names the call, or a record whose fields have the types that they should have."""
    _, service, _ = (CALLS | CHANGES)[name]
    if isinstance(found, Problem):
        assert not isinstance(found, Ambiguous) or name in CHANGES
        assert service in found.message or "ledger" in found.message
    else:
        assert list(odd_types(found)) == [], body


def odd_types(value: Any, path: str = "") -> Iterator[str]:
    """Name the fields of the domain's records that do not have the type that they are said to have."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            found, said = getattr(value, one.name), str(one.type)
            simple = {"str": str, "int": int, "bool": bool, "datetime": datetime, "float": (int, float)}.get(said.removesuffix(" | None"))
            is_number = said.startswith(("int", "float")) and not isinstance(found, bool)
            fits = isinstance(found, simple) and (is_number or not said.startswith(("int", "float"))) if simple is not None else True
            if not fits and not (found is None and said.endswith("None")):
                yield f"{path}.{one.name} is {found!r}, not {said}"
            yield from odd_types(found, f"{path}.{one.name}")
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from odd_types(below, f"{path}[{key}]")
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            yield from odd_types(below, f"{path}[{number}]")
