"""Models without texts read the same answers; only a service's events stay the JSON that they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from ecs_release.aws.clients.ecs_responses import parse_service
from ecs_release.aws.sessions.fields import Fields
from ecs_release.aws.sessions.sdk_models import LeanFileLoader, read_time
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.domain.ecs.service import Access

LEAN = Loader(file_loader=LeanFileLoader(), include_default_search_paths=True)
WHOLE = Loader(include_default_search_paths=True)
SERVICE = {
    "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/main/web",
    "serviceName": "web",
    "status": "ACTIVE",
    "createdAt": 1_700_000_000.5,
    "desiredCount": 2,
    "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "createdAt": 1_700_000_001, "rolloutState": "COMPLETED"}],
    "deploymentConfiguration": {"maximumPercent": 200, "canaryConfiguration": {"canaryPercent": 0.5}},
    "events": [{"id": "e2", "createdAt": 1_700_000_002, "message": "(service web) (deployment ecs-svc/1) deployment failed"}, {"id": "e1"}],
}


def read(loader: Loader, service: str, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    model = ServiceModel(loader.load_service_model(service, "service-2"), service)
    response = {"status_code": 200, "headers": {}, "body": json.dumps(answer).encode(), "context": {}}
    return dict(create_parser(model.resolved_protocol).parse(response, model.operation_model(operation).output_shape))


def test_only_events_are_read_otherwise() -> None:
    answer = {"services": [SERVICE], "failures": []}
    lean, whole = (read(loader, "ecs", "DescribeServices", answer) for loader in (LEAN, WHOLE))

    assert lean["services"][0].pop("events") == SERVICE["events"]
    assert [e["id"] for e in whole["services"][0].pop("events")] == ["e2", "e1"]
    assert lean == whole


def test_what_is_taken_out_of_events_is_the_same() -> None:
    answer = {"services": [SERVICE]}
    lean, whole = (parse_service(Fields(read(loader, "ecs", "DescribeServices", answer)["services"][0])) for loader in (LEAN, WHOLE))

    assert lean == whole
    assert (lean.newest_event, lean.failed_deployments) == ("e2", frozenset({"ecs-svc/1"}))


@pytest.mark.parametrize("service", ["ecs", "ecr", "sts", "sqs", "sns", "events", "dynamodb"])
def test_models_lose_their_texts_and_what_is_never_called(service: str) -> None:
    lean, whole = (loader.load_service_model(service, "service-2") for loader in (LEAN, WHOLE))

    assert lean["operations"].keys() <= whole["operations"].keys()
    assert (lean["operations"].keys() == whole["operations"].keys()) == (service == "sts"), "that is left whole"
    for operation in lean["operations"].values():
        assert {operation[side]["shape"] for side in ("input", "output") if side in operation} <= lean["shapes"].keys()
    changed = {"ServiceEvents"} if service == "ecs" else set()
    for name in lean["shapes"].keys() - changed:
        assert lean["shapes"][name].get("members", {}).keys() == whole["shapes"][name].get("members", {}).keys()
    assert not any(isinstance(shape.get("documentation"), str) for shape in lean["shapes"].values())


@pytest.mark.parametrize("value", [1_700_000_000.5, "2023-11-14T22:13:20.5Z", "2023-11-14T23:13:20.5+01:00", "1700000000.5"])
def test_times_are_utc_however_they_come(value: object) -> None:
    assert read_time(value) == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)
    assert read_time(value).tzinfo is UTC


def test_clients_read_times_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    client = Sessions("test", "test").client(Access("111122223333", "eu-west-1"), "ecs")
    response = {"status_code": 200, "headers": {}, "body": json.dumps({"services": [SERVICE]}).encode(), "context": {}}
    parser = client._endpoint._response_parser_factory.create_parser(client.meta.service_model.resolved_protocol)
    answer = parser.parse(response, client.meta.service_model.operation_model("DescribeServices").output_shape)

    assert answer["services"][0]["createdAt"].tzinfo is UTC


@pytest.mark.parametrize("service", ["ecs", "ecr", "sts", "sqs", "sns", "events", "dynamodb"])
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1"])
def test_services_are_found_where_the_whole_list_has_them(service: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    lean = Sessions("test", "test").client(Access("111122223333", region), service)
    whole = boto3.Session().client(service, region_name=region)
    assert (lean.meta.endpoint_url, lean.meta.partition) == (whole.meta.endpoint_url, whole.meta.partition)
    assert lean.meta.config.signature_version == whole.meta.config.signature_version
