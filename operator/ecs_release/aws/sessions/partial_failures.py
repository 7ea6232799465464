"""Failures that AWS reports inside a successful response: `failures` of ECS and ECR's BatchGetImage.

A response with status 200 may list objects that could not be read, each with a reason. Only some of these reasons mean that the object
does not exist; the others say nothing about it, and must not be read as "there is none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Blocked, BrokenAnswer, Denied, Problem, Retryable

_ABSENT = frozenset({"MISSING", "ImageNotFound"})
"""ECS API reference, "API failure reasons"; ECR API reference, ImageFailure."""
_PASSING = frozenset({"UpstreamUnavailable", "UpstreamTooManyRequests"})
_DENIED = frozenset({"ACCESS_DENIED", "AccessDenied", "UpstreamAccessDenied", "KmsError"})
_PERMANENT = frozenset({"InvalidImageDigest", "InvalidImageTag", "ImageTagDoesNotMatchDigest", "MissingDigestAndTag"})


def problem_of_failure(failure: Mapping[str, Any], action: str) -> Problem | None:
    """Return what one entry of a list of failures means; None if the object does not exist.

    `action` names the call, such as `ecs:DescribeServices`. A reason that is not documented is a BrokenAnswer: it proves nothing.
    """
    code = str(failure.get("reason") or failure.get("failureCode") or "")
    if code in _ABSENT:
        return None
    detail = str(failure.get("detail") or failure.get("failureReason") or "")
    text = f"{action}: {name_of(failure)} cannot be read: " + (f"{detail} ({code})" if detail else code or "no reason given")
    if code in _DENIED:
        return Denied(f"{text}: see the policies of the role, the repository and its key")
    if code in _PERMANENT:
        return Blocked(Reason.REJECTED_BY_AWS, text)
    return Retryable(text) if code in _PASSING else BrokenAnswer(text)


def raise_unread(failures: Iterable[Mapping[str, Any]] | None, action: str) -> None:
    """Raise the first Problem that a list of failures holds; objects that do not exist are none."""
    for failure in failures or ():
        problem = problem_of_failure(failure, action)
        if problem is not None:
            raise problem


def name_of(failure: Mapping[str, Any]) -> str:
    """Return the name of the object that a failure is about: the last part of its ARN, or an image's digest or tag."""
    image = failure.get("imageId")
    image = image if isinstance(image, Mapping) else {}
    return str(failure.get("arn") or "").rpartition("/")[2] or str(image.get("imageDigest") or image.get("imageTag") or "an object")
