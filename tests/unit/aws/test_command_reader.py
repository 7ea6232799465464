"""Reads for people: what they are told where AWS cannot be asked."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from ecs_release.aws.command_reader import check_credentials, translated_errors
from ecs_release.domain.model.errors import Denied, Problem


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoCredentialsError(), "ecr:DescribeImages on web: there are no AWS credentials to use"),
        (ProfileNotFound(profile="x"), "set AWS_PROFILE, or log in to AWS first"),
        (EndpointConnectionError(endpoint_url="https://ecr"), "EndpointConnectionError"),
        (ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeImages"), "ecr:DescribeImages on web: no"),
        (OSError("cut"), "OSError: cut"),
    ],
)
def test_every_error_becomes_a_problem_for_people(error: Exception, message: str) -> None:
    with pytest.raises(Problem, match=message), translated_errors("ecr:DescribeImages on web"):
        raise error


def test_nobody_is_asked_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Denied, match="there are no AWS credentials to use"):
        check_credentials("dynamodb:Query on t")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    check_credentials("dynamodb:Query on t")
