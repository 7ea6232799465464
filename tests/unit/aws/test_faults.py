"""What each error of boto3 becomes. The difference between Retryable and Ambiguous decides whether a call may be repeated unseen."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from ecs_release.aws.faults import is_overload, is_unavailable, problem_of
from ecs_release.domain.errors import Ambiguous, Blocked, Denied, Problem, Retryable, Throttled

URL = "https://ecs.eu-west-1.amazonaws.com/"


def refused(code: str, message: str = "so", status: int = 400, operation: str = "UpdateService") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


@pytest.mark.parametrize(
    ("error", "reading", "changing", "reason"),
    [
        (refused("AccessDenied", status=403), Denied, Denied, "AccessDenied"),
        (refused("AccessDeniedException"), Denied, Denied, "AccessDenied"),
        (refused("UnauthorizedOperation"), Denied, Denied, "AccessDenied"),
        (refused("UnrecognizedClientException"), Denied, Denied, "AccessDenied"),
        (refused("InvalidIdentityToken"), Denied, Denied, "AccessDenied"),
        (refused("ExpiredTokenException"), Denied, Denied, "AccessDenied"),
        (refused("ExpiredToken", status=403), Denied, Denied, "AccessDenied"),
        (refused("ThrottlingException"), Throttled, Throttled, "ProgressingWithRetry"),
        (refused("TooManyRequestsException", status=429), Throttled, Throttled, "ProgressingWithRetry"),
        (refused("ServerException", status=500), Retryable, Ambiguous, "ProgressingWithRetry"),
        (refused("ServiceUnavailable", status=503), Retryable, Ambiguous, "ProgressingWithRetry"),
        (refused("RequestTimeout"), Retryable, Ambiguous, "ProgressingWithRetry"),
        (refused("ClusterNotFoundException"), Blocked, Blocked, "ServiceNotFound"),
        (refused("ServiceNotFoundException"), Blocked, Blocked, "ServiceNotFound"),
        (refused("ServiceNotActiveException"), Blocked, Blocked, "ServiceNotFound"),
        (refused("RepositoryNotFoundException"), Blocked, Blocked, "ArtifactNotFound"),
        (refused("InvalidParameterException"), Blocked, Blocked, "RejectedByAWS"),
        (refused("ClientException"), Blocked, Blocked, "RejectedByAWS"),
        (boto.NoCredentialsError(), Denied, Denied, "AccessDenied"),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), Denied, Denied, "AccessDenied"),
        (boto.CredentialRetrievalError(provider="container-role", error_msg="no"), Denied, Denied, "AccessDenied"),
        (boto.ProfileNotFound(profile="x"), Denied, Denied, "AccessDenied"),
        # Never sent: the same again would not be sent either.
        (boto.ParamValidationError(report="Invalid length"), Blocked, Blocked, "InvalidSpec"),
        (boto.InvalidRegionError(region_name="eu_west"), Blocked, Blocked, "InvalidSpec"),
        # Never sent: nothing can have happened.
        (boto.EndpointConnectionError(endpoint_url=URL), Retryable, Retryable, "ProgressingWithRetry"),
        (boto.ConnectTimeoutError(endpoint_url=URL), Retryable, Retryable, "ProgressingWithRetry"),
        # Sent, as far as anybody knows.
        (boto.ReadTimeoutError(endpoint_url=URL), Retryable, Ambiguous, "ProgressingWithRetry"),
        (boto.ConnectionClosedError(endpoint_url=URL), Retryable, Ambiguous, "ProgressingWithRetry"),
        (boto.SSLError(endpoint_url=URL, error="broken"), Retryable, Ambiguous, "ProgressingWithRetry"),
        (boto.ResponseStreamingError(error="broken"), Retryable, Ambiguous, "ProgressingWithRetry"),
        (ConnectionResetError("reset"), Retryable, Ambiguous, "ProgressingWithRetry"),
        (TimeoutError(), Retryable, Ambiguous, "ProgressingWithRetry"),
    ],
    ids=str,
)
def test_the_table(error: Exception, reading: type[Problem], changing: type[Problem], reason: str) -> None:
    for mutating, kind in ((False, reading), (True, changing)):
        problem = problem_of(error, "ecs:UpdateService on shop in main", mutating=mutating)
        assert type(problem) is kind
        assert problem.reason == reason
        assert problem.message.startswith("ecs:UpdateService on shop in main: ")
        assert not problem.message.endswith(": "), "says what happened"


@pytest.mark.parametrize("error", [boto.EndpointConnectionError(endpoint_url=URL), boto.SSLError(endpoint_url=URL, error="x")])
def test_the_endpoint_is_named(error: Exception) -> None:
    assert URL in problem_of(error, "ecs:DescribeServices", mutating=False).message


def test_awss_own_words_are_passed_on() -> None:
    words = "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: ecs:UpdateService"
    assert words in problem_of(refused("AccessDeniedException", words), "ecs:UpdateService", mutating=True).message


def test_messages_stay_readable_and_bounded() -> None:
    html = problem_of(refused("502", "<html>\n<title>Bad gateway</title>", 502), "ecs:DescribeServices", mutating=False)
    assert "<" not in html.message
    assert "502" in html.message
    assert len(problem_of(refused("ClientException", "long " * 10_000), "ecs:X", mutating=True).message) < 1200
    assert "\n" not in problem_of(refused("ClientException", "two\nlines"), "ecs:X", mutating=True).message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("ThrottlingException"), True),
        (refused("ServiceUnavailable", status=503), True),
        (refused("AccessDeniedException"), False),
        (boto.ReadTimeoutError(endpoint_url=URL), False),
    ],
)
def test_what_slows_down(error: Exception, expected: bool) -> None:
    assert is_overload(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("UnknownOperationException", operation="List"), True),
        (refused("500", "<!doctype html>", 500, "List"), True),
        (refused("AccessDeniedException", operation="List"), True),
        (refused("AccessDenied", operation="AssumeRole"), False),
        (refused("ServerException", status=500, operation="List"), False),
        (refused("503", "<html>", 503, "List"), False),
        (refused("ServiceNotFoundException", operation="List"), False),
        (boto.ReadTimeoutError(endpoint_url=URL), False),
        (None, False),
    ],
)
def test_what_means_that_an_operation_is_not_there(error: Exception | None, expected: bool) -> None:
    assert is_unavailable(error, frozenset({"List"})) is expected
