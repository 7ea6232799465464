"""What AWS's errors mean here: the one table from error codes to the domain's errors."""

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
    PartialCredentialsError,
    ReadTimeoutError,
)

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable, Throttled

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
_NOT_FOUND = {
    "ClusterNotFoundException": (Reason.SERVICE_NOT_FOUND, "create the ECS cluster, or correct it in the Environment or Project"),
    "ServiceNotFoundException": (Reason.SERVICE_NOT_FOUND, "create the ECS service, or correct its name"),
    "ServiceNotActiveException": (Reason.SERVICE_NOT_FOUND, "the ECS service is being deleted"),
    "RepositoryNotFoundException": (Reason.ARTIFACT_NOT_FOUND, "create the ECR repository, or correct it in the Project"),
}
_TOO_MANY, _SERVER_ERROR = 429, 500
_TROUBLE = frozenset({"ServerException", "InternalFailure", "ServiceUnavailable", "RequestTimeout"})


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) or code_of(error)


def problem_of(error: Exception, action: str, *, mutating: bool) -> Problem:
    """Say what an error of boto3 means. `action` names the call and its object, such as `ecs:UpdateService on shop`.

    After a mutating call that may have been sent, a missing or broken answer is Ambiguous: look before repeating it.
    """
    if isinstance(error, ClientError):
        return _of_client_error(error, action, mutating=mutating)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return Denied(f"{action}: the operator has no AWS credentials ({error}): give its pod a role, or set spec.aws.roleARN")
    text = f"{action}: {type(error).__name__}: {error}"
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError) or not isinstance(error, BotoCoreError | OSError | TimeoutError):
        return Retryable(text)
    return Ambiguous(text) if mutating else Retryable(text)


def overloaded(error: Exception) -> bool:
    """Tell whether an error says that AWS cannot keep up, without saying so: 5xx, or no answer in time."""
    if isinstance(error, ClientError):
        return _status_of(error) >= _SERVER_ERROR
    return isinstance(error, TimeoutError | ReadTimeoutError)


def passes(error: Exception) -> bool:
    """Tell whether an error may be gone in a moment, so that a read is worth sending again: the faults that the SDK repeats by default.

    Not what went wrong while a role was assumed: the SDK does that within a call, and has tried it three times.
    """
    if isinstance(error, ClientError):
        return error.operation_name != "AssumeRole" and (_throttled(error) or _in_trouble(error))
    return isinstance(error, ConnectionError | ConnectionClosedError | ReadTimeoutError)


def expired(error: Exception) -> bool:
    """Tell whether AWS refused a call because its credentials have expired: nothing was done then, and new ones may be had."""
    return isinstance(error, ClientError) and code_of(error) in _EXPIRED


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
        return Ambiguous(text) if mutating else Retryable(text)
    return Blocked(Reason.REJECTED_BY_AWS, f"{action}: {message} ({code})")
