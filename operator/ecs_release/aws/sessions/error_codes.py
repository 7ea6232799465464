"""The one table from AWS's error codes to the domain's errors."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's own
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import (
    Ambiguous,
    Blocked,
    BrokenAnswer,
    Denied,
    NotSupported,
    Problem,
    Retryable,
    ServerFault,
    Throttled,
)

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "UnrecognizedClientException", "InvalidClientTokenId",
     "SignatureDoesNotMatch", "OptInRequired", "InvalidSignatureException", "MissingAuthenticationTokenException",
     "AuthorizationError", "KMSAccessDenied", "NotAuthorizedForSourceException"}
)  # fmt: skip
_THROTTLED = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttled",
        "ThrottledException",
        "KMSThrottling",
        "ProvisionedThroughputExceededException",
        # DynamoDB, among the reasons why a transaction was cancelled.
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
"""What is said of an access key that was deleted (IAM, "Troubleshoot": "The security token included in the request is invalid")."""
_NOT_FOUND = {
    "ClusterNotFoundException": (Reason.SERVICE_NOT_FOUND, "create the ECS cluster, or correct it in the Environment or Project"),
    "ServiceNotFoundException": (Reason.SERVICE_NOT_FOUND, "create the ECS service, or correct its name"),
    "ServiceNotActiveException": (Reason.SERVICE_NOT_FOUND, "the ECS service is being deleted"),
    "RepositoryNotFoundException": (Reason.ARTIFACT_NOT_FOUND, "create the ECR repository, or correct it in the Project"),
}
_UNKNOWN_OPERATION = frozenset({"UnknownOperationException", "UnknownOperation", "InvalidAction"})
"""What AWS's JSON and query protocols answer to an operation that an endpoint does not have (smithy.io, "AWS protocols: errors")."""
_PASSING = (
    # Two writers of one family at the same moment: terraform-provider-aws#9777, PrefectHQ/prefect#21351, dagster-io/dagster#11192.
    ("ClientException", "Too many concurrent attempts to create a new revision"),
)
"""Refusals that a repetition overcomes, by code and the beginning of the message: their code is also that of lasting ones.

Nothing was carried out. Those that may pass, or last (a role that was made a moment ago, or lacks a right), are not among them.
"""
_TOO_MANY, _SERVER_ERROR = 429, 500
_LONGEST_CODE, _LONGEST_MESSAGE = 200, 1000
"""Characters of an error: a proxy, or whoever names things in AWS, may have made it longer than a status holds."""
_LONGEST = 500
"""Characters of what was wrong with an answer: parsers quote all of it."""
_TROUBLE = frozenset({"ServerException", "InternalFailure", "ServiceUnavailable", "RequestTimeout"})


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))[:_LONGEST_CODE]


def _message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))[:_LONGEST_MESSAGE] or code_of(error)


def problem_of(error: Exception, action: str, *, mutating: bool) -> Problem:
    """Return the Problem for an error of boto3. `action` names the call and its object, such as `ecs:UpdateService on shop`.

    After a mutating call that may have been sent, a missing or broken answer is Ambiguous: look before repeating it.
    """
    if isinstance(error, ClientError):
        return _of_client_error(error, action, mutating=mutating)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return Denied(f"{action}: the operator has no AWS credentials ({error}): give its pod a role, or set spec.aws.roleARN")
    text = f"{action}: {type(error).__name__}: {str(error)[:_LONGEST_MESSAGE]}"
    if broken(error):
        text = f"{action}: the answer cannot be read: {type(error).__name__}: {str(error)[:_LONGEST]}"
        return Ambiguous(text) if mutating else BrokenAnswer(text)
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError) or not isinstance(error, BotoCoreError | OSError | TimeoutError):
        return Retryable(text)
    return Ambiguous(text) if mutating else Retryable(text)


def broken(error: Exception) -> bool:
    """Return whether AWS answered, and the answer cannot be read. What is no error of boto3's was raised by reading it."""
    if isinstance(error, ParamValidationError):
        return False
    return isinstance(error, ResponseParserError) or not isinstance(error, ClientError | BotoCoreError | OSError | TimeoutError)


def overloaded(error: Exception) -> bool:
    """Return whether an error suggests that AWS is overloaded: 5xx, or no answer in time."""
    if isinstance(error, ClientError):
        return _status_of(error) >= _SERVER_ERROR
    return isinstance(error, TimeoutError | ReadTimeoutError)


def passes(error: Exception) -> bool:
    """Return whether an error is temporary, so that a read should be retried: the errors that the SDK retries by default.

    Errors of AssumeRole are not: the SDK assumes roles within a call, and has retried that itself.
    """
    if isinstance(error, ClientError):
        return error.operation_name != "AssumeRole" and (_throttled(error) or _in_trouble(error))
    return isinstance(error, ConnectionError | ConnectionClosedError | ReadTimeoutError)


def of_source(error: Exception) -> bool:
    """Return whether a call failed because a role could not be assumed: what is said of credentials is said of the default chain's."""
    return isinstance(error, ClientError) and error.operation_name == "AssumeRole"


def stale(error: Exception, *, source: bool) -> bool:
    """Return whether AWS refused a call because its credentials have ended: nothing was done, and there may be others.

    An unknown key of the default chain (`source`) was replaced, perhaps. A role's are known for as long as they last: there it means
    a region that the account has not enabled, say, and other credentials would change nothing.
    """
    return isinstance(error, ClientError) and code_of(error) in (_EXPIRED | _UNKNOWN_KEY if source else _EXPIRED)


def _throttled(error: ClientError) -> bool:
    return code_of(error) in _THROTTLED or _status_of(error) == _TOO_MANY


def _in_trouble(error: ClientError) -> bool:
    return code_of(error) in _TROUBLE or _status_of(error) >= _SERVER_ERROR


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _of_client_error(error: ClientError, action: str, *, mutating: bool) -> Problem:
    code, message = code_of(error), _message_of(error)
    status = _status_of(error)
    if code in _DENIED:
        return Denied(f"{action}: {message}: see the role's policy and its trust policy ({code})")
    if code in _EXPIRED:
        return Retryable(f"{action}: the credentials have expired ({code})")
    if _throttled(error):
        return Throttled(f"{action}: AWS asks to slow down ({code})")
    if code in _NOT_FOUND:
        reason, advice = _NOT_FOUND[code]
        return Blocked(reason, f"{action}: {message}: {advice}")
    if _in_trouble(error):
        text = f"{action}: AWS answers {status} {code}: {message}"
        return Ambiguous(text) if mutating else ServerFault(text)
    return _of_refusal(code, message, f"{action}: {message} ({code})")


def _of_refusal(code: str, message: str, text: str) -> Problem:
    if any(code == known and message.startswith(beginning) for known, beginning in _PASSING):
        return Retryable(text)
    return (NotSupported if code in _UNKNOWN_OPERATION else Blocked)(Reason.REJECTED_BY_AWS, text)
