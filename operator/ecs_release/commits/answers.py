"""The JSON of the commits service as answers of the port. Whatever has another form is malformed: it is never taken for an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ecs_release.domain.ports.commits import (
    MOST_LISTED,
    Commit,
    CommitRange,
    FullHash,
    Membership,
    Relation,
    Unknown,
    UnknownReason,
)

_HASH = re.compile(r"[0-9a-f]{40}")
_LONGEST = 2048
_MOST = 2**53
_LAST_SECOND = 253402300799


class MalformedError(ValueError):
    """An answer that the service does not give; the message says what is wrong with it."""


def unknown(body: Any) -> Unknown | None:
    """Return why there is no answer; None if the body holds one. Raises MalformedError."""
    if not isinstance(body, dict) or "unknown" not in body:
        return None
    its = _fields(_fields(body, {"unknown"})["unknown"], {"reason", "message"})
    try:
        reason = UnknownReason(_text(its["reason"]))
    except ValueError as error:
        raise MalformedError("an unknown reason") from error
    return Unknown(reason, _text(its["message"]))


def relation(body: Any) -> Relation:
    """Return a relation. Raises MalformedError."""
    its = _fields(body, {"ahead", "behind"})
    return Relation(_count(its["ahead"]), _count(its["behind"]))


def membership(body: Any) -> Membership:
    """Return a membership. Raises MalformedError."""
    its = _fields(body, {"onBranch", "tip", "asOf"})
    if not isinstance(its["onBranch"], bool):
        raise MalformedError("onBranch is neither true nor false")
    return Membership(its["onBranch"], _hash(its["tip"]), _time(its["asOf"]))


def full_hash(body: Any, abbreviated: str) -> FullHash:
    """Return the full hash of an abbreviated one. Raises MalformedError, also if it does not begin so."""
    its = _fields(body, {"hash", "asOf"})
    if not _hash(its["hash"]).startswith(abbreviated):
        raise MalformedError("the hash does not begin with what was asked for")
    return FullHash(its["hash"], _time(its["asOf"]))


def commit_range(body: Any) -> CommitRange:
    """Return a range of commits. Raises MalformedError, also if fewer or more are listed than there are."""
    its = _fields(body, {"total", "commits"})
    total, listed = _count(its["total"]), its["commits"]
    if not isinstance(listed, list) or len(listed) != min(total, MOST_LISTED):
        raise MalformedError("another number of commits is listed than there are")
    return CommitRange(total, tuple(_commit(one) for one in listed))


def _commit(body: Any) -> Commit:
    its = _fields(body, {"hash", "subject", "author", "committedAt"})
    at = None if its["committedAt"] is None else _time(its["committedAt"], first=-_LAST_SECOND)
    return Commit(_hash(its["hash"]), _text(its["subject"]), _text(its["author"]), at)


def _fields(body: Any, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(body, dict) or body.keys() != names:
        raise MalformedError(f"an object of {', '.join(sorted(names))} is expected")
    return body


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise MalformedError("a text is too long, or none")
    return value


def _hash(value: Any) -> str:
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise MalformedError("a hash has another form")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise MalformedError("a number is none")
    return value


def _time(value: Any, first: int = 0) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int) or not first <= value <= _LAST_SECOND:
        raise MalformedError("a time is none")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError("a time is none") from error
