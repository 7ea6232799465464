"""Queries of the ledger, each one Query (in pages), for the kubectl plugin. They block, and write nothing.

Queries by Project, person or time read an index: entries have fewer fields, and those of the last second or so may be missing
(DynamoDB's indexes are eventually consistent). Current records and the history of a service are read consistently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, LedgerRelease
from ecs_release.api.meta import to_microtime
from ecs_release.aws.ledger import items, keys
from ecs_release.aws.sessions.error_codes import problem_of
from ecs_release.domain.model.errors import Blocked

Answer = TypeVar("Answer")


def ledger_client(
    region: str | None = None, profile: str | None = None, user_agent: str | None = None, *, attempts: int = 3, read_s: float = 20
) -> Any:
    """Return a client of DynamoDB with the user's credentials and with timeouts. CloudTrail shows the `user_agent`."""
    config = Config(
        connect_timeout=3,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=user_agent,
    )
    return boto3.Session(profile_name=profile, region_name=region).client("dynamodb", config=config)


class LedgerReader:
    """Reads one ledger. All methods raise Problem only; generators raise while they are iterated."""

    def __init__(self, client: Any, table: str, left_out: Callable[[str], None] = lambda _message: None) -> None:
        """`client` is boto3's for DynamoDB. `left_out` is called with what is wrong with each item that cannot be read."""
        self._client = client
        self._table = table
        self._left_out = left_out

    def deployed_in(self, environment: str) -> Iterator[LedgerCurrent]:
        """Yield the current record of each service in an environment, by namespace, Project and service."""
        query = _Query("pk = :pk", {":pk": keys.environment_key(environment)}, consistent=True)
        return self._ask(query, items.to_current)

    def history_of(
        self, environment: str, namespace: str, project: str, service: str, *, limit: int | None = None
    ) -> Iterator[LedgerEntry]:
        """Yield the complete entries of a service in an environment, latest attempt first."""
        partition = keys.attempts_key(environment, namespace, project, service)
        return self._ask(_Query("pk = :pk", {":pk": partition}, consistent=True, newest_first=True), items.to_entry, limit)

    def history_of_project(
        self, namespace: str, project: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator[LedgerEntry]:
        """Yield the entries of a Project in all environments, newest first; from `since` to before `until`."""
        return self._between(keys.BY_PROJECT, keys.project_key(namespace, project), since, until, limit)

    def by_person(
        self, person: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator[LedgerEntry]:
        """Yield the entries that a person requested, applied, or made without the operator; newest first; one or both of an attempt."""
        return self._between(keys.BY_PERSON, keys.person_key(person), since, until, limit)

    def between(self, start: datetime, end: datetime, *, limit: int | None = None) -> Iterator[LedgerEntry]:
        """Yield all entries from `start` to before `end`, newest first."""
        return self._between(keys.BY_TIME, keys.EVERYTHING, start, end, limit)

    def release(self, namespace: str, project: str, number: int) -> tuple[LedgerRelease | None, list[LedgerEntry]]:
        """Return a numbered release, and its deployments: entries with fewer fields, and the images that were deployed."""
        values = {":pk": keys.numbers_key(namespace, project), ":number": keys.ten_digits(number)}
        query = _Query("pk = :pk AND begins_with(sk, :number)", values, consistent=True)
        found = list(self._ask(query, lambda item: (items.kind_of(item), item)))
        releases, pointers = ([item for known, item in found if known == kind] for kind in (items.Kind.RELEASE, items.Kind.POINTER))
        return next(self._readable(releases, items.to_release), None), list(self._readable(pointers, items.to_entry))

    def _between(
        self, index: str, partition: str, since: datetime | None, until: datetime | None, limit: int | None
    ) -> Iterator[LedgerEntry]:
        if since is not None and until is not None and since >= until:
            return iter(())
        # Sort keys continue after the time, and so sort after it: the interval includes its start and not its end.
        values = {":key": partition}
        condition = f"{keys.INDEX_KEYS[index]} = :key"
        if since is not None:
            values[":since"] = to_microtime(since)
        if until is not None:
            values[":until"] = to_microtime(until)
        if since is not None and until is not None:
            condition += " AND #at BETWEEN :since AND :until"
        elif since is not None or until is not None:
            condition += " AND #at >= :since" if since is not None else " AND #at < :until"
        return self._ask(_Query(condition, values, index=index, newest_first=True), items.to_entry, limit)

    def _ask(self, query: _Query, read: Callable[[Mapping[str, Any]], Answer], limit: int | None = None) -> Iterator[Answer]:
        return islice(self._readable(self._pages(query.parameters(self._table, limit)), read), limit)

    def _readable(self, found: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Answer]) -> Iterator[Answer]:
        """Read items. What somebody has made of one says nothing about the others."""
        for item in found:
            try:
                answer = read(item)
            except Blocked as problem:
                self._left_out(problem.message)
                continue
            yield answer

    def _pages(self, parameters: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
        while True:
            try:
                page, last = items.parse_page(self._client.query(**parameters))
            except Exception as error:
                raise problem_of(error, f"dynamodb:Query on {self._table}", mutating=False) from error
            yield from page
            if not last:
                return
            parameters["ExclusiveStartKey"] = last


class _Query:
    """One Query."""

    def __init__(
        self, condition: str, values: Mapping[str, str], *, index: str = "", consistent: bool = False, newest_first: bool = False
    ) -> None:
        self._condition = condition
        self._values = values
        self._index = index
        self._consistent = consistent
        self._newest_first = newest_first

    def parameters(self, table: str, limit: int | None) -> dict[str, Any]:
        """Return the parameters of the call."""
        made: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": self._condition,
            "ExpressionAttributeValues": items.to_item(self._values),
            "ScanIndexForward": not self._newest_first,
        }
        if self._index:
            made["IndexName"] = self._index
        if "#at" in self._condition:
            made["ExpressionAttributeNames"] = {"#at": keys.AT}
        if self._consistent:
            made["ConsistentRead"] = True
        return made if limit is None else {**made, "Limit": max(1, limit)}
