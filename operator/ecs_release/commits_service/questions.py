"""The questions of the HTTP API: what they must hold, whom they are refused, and the JSON of their answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from ecs_release.commits_service.bindings import Location, UrlError, bound, parse_url
from ecs_release.commits_service.clones import Clones
from ecs_release.commits_service.config import ServiceConfig
from ecs_release.commits_service.git import GitError
from ecs_release.commits_service.names import is_abbreviated_hash, is_branch, is_full_hash
from ecs_release.commits_service.repository import RepositoryGraph
from ecs_release.domain.ports.commits import Commit, CommitRange, FullHash, Membership, Relation, Unknown, UnknownReason

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FIELDS = frozenset({"namespace", "url", "branch"})
Known = Relation | Membership | CommitRange | FullHash
Ask = Callable[[RepositoryGraph, Mapping[str, Any]], Awaitable[Known | Unknown]]


class RequestError(ValueError):
    """A request that no client of ours makes; the message says what is wrong."""


async def _relation(graph: RepositoryGraph, body: Mapping[str, Any]) -> Known | Unknown:
    return await graph.relation(body["branch"], _hash(body, "a"), _hash(body, "b"))


async def _between(graph: RepositoryGraph, body: Mapping[str, Any]) -> Known | Unknown:
    return await graph.between(body["branch"], _hash(body, "a"), _hash(body, "b"))


async def _membership(graph: RepositoryGraph, body: Mapping[str, Any]) -> Known | Unknown:
    return await graph.membership(body["branch"], _hash(body, "a"), _age(body))


async def _full_hash(graph: RepositoryGraph, body: Mapping[str, Any]) -> Known | Unknown:
    abbreviated = body["abbreviated"]
    if not isinstance(abbreviated, str) or not is_abbreviated_hash(abbreviated):
        raise RequestError("abbreviated: 7 to 40 hexadecimal digits in lower case")
    return await graph.full_hash(body["branch"], abbreviated, _age(body))


_QUESTIONS: dict[str, tuple[frozenset[str], Ask]] = {
    "relation": (frozenset({"a", "b"}), _relation),
    "membership": (frozenset({"a", "maxAgeSeconds"}), _membership),
    "between": (frozenset({"a", "b"}), _between),
    "full-hash": (frozenset({"abbreviated", "maxAgeSeconds"}), _full_hash),
}


class Questions:
    """Answers questions by the repositories that the configuration lets a namespace name."""

    names = tuple(_QUESTIONS)

    def __init__(self, config: ServiceConfig, clones: Clones) -> None:
        """`clones` is of the same configuration."""
        self._bindings = config.bindings
        self._clones = clones
        self._deadline_s = config.limits.answer_seconds + 2 * config.limits.query_seconds

    async def answer(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a question of `names`. Raises RequestError."""
        fields, ask = _QUESTIONS[name]
        if body.keys() != _FIELDS | fields:
            raise RequestError(f"the body has the fields {', '.join(sorted(_FIELDS | fields))}, and no others")
        location = self._location(body)
        if isinstance(location, Unknown):
            return _json(location)
        number = bound(self._bindings, body["namespace"], location)
        if number is None:
            return _json(_refused(body["namespace"], location))
        with self._clones.use(number, location) as graph:
            if graph is None:
                return _json(Unknown(UnknownReason.BUSY, "too many repositories are asked about at once: ask again"))
            try:
                async with asyncio.timeout(self._deadline_s):
                    return _json(await ask(graph, body))
            except GitError as error:
                return _json(Unknown(UnknownReason.BUSY, f"{location.url}: {error}"))
            except TimeoutError:
                return _json(Unknown(UnknownReason.BUSY, f"{location.url}: there was no answer within {self._deadline_s:g} s"))

    @staticmethod
    def _location(body: Mapping[str, Any]) -> Location | Unknown:
        namespace, url, branch = body["namespace"], body["url"], body["branch"]
        if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
            raise RequestError("namespace: the name of a namespace")
        if not isinstance(url, str) or not isinstance(branch, str):
            raise RequestError("url, branch: texts")
        # What people have written: it is an answer to them that it is wrong.
        if not is_branch(branch):
            return Unknown(UnknownReason.BRANCH_NOT_FOUND, f"{ascii(branch)[:80]} cannot be the name of a branch")
        try:
            return parse_url(url)
        except UrlError as error:
            return Unknown(UnknownReason.NOT_ALLOWED, str(error))


def _refused(namespace: str, location: Location) -> Unknown:
    return Unknown(
        UnknownReason.NOT_ALLOWED,
        f"namespace {namespace} may not name {location.url}: no binding of the commits service's configuration allows it",
    )


def _hash(body: Mapping[str, Any], field: str) -> str:
    text = body[field]
    if not isinstance(text, str) or not is_full_hash(text):
        raise RequestError(f"{field}: a full hash, 40 hexadecimal digits in lower case")
    return text


def _age(body: Mapping[str, Any]) -> float:
    age = body["maxAgeSeconds"]
    if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age <= 86400:
        raise RequestError("maxAgeSeconds: a number from 0 to 86400")
    return float(age)


def _json(answer: Known | Unknown) -> dict[str, Any]:
    """Return an answer as JSON; docs/reference/commits-service.md describes it, and the operator's `commits` room reads it."""
    match answer:
        case Unknown(reason, message):
            return {"unknown": {"reason": str(reason), "message": message}}
        case Relation(ahead, behind):
            return {"ahead": ahead, "behind": behind}
        case Membership(on_branch, tip, as_of):
            return {"onBranch": on_branch, "tip": tip, "asOf": _seconds(as_of)}
        case FullHash(found, as_of):
            return {"hash": found, "asOf": _seconds(as_of)}
        case CommitRange(total, commits):
            return {"total": total, "commits": [_commit_json(c) for c in commits]}


def _commit_json(commit: Commit) -> dict[str, Any]:
    at = None if commit.committed_at is None else _seconds(commit.committed_at)
    return {"hash": commit.hash, "subject": commit.subject, "author": commit.author, "committedAt": at}


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
