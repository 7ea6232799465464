"""Reads the ledger with the caller's own AWS credentials: finds its table, and chooses the narrowest query."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.api.names import ENVIRONMENT
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied
from ecs_release.domain.model.errors import Problem

SETTING = "ECS_RELEASE_LEDGER_TABLE"
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_PROJECTS = 20
_WARNINGS = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A query for entries; empty fields do not restrict it."""

    namespace: str = ""
    project: str = ""
    service: str = ""
    environment: str = ""
    person: str = ""
    number: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class Ledger:
    """A table of the ledger."""

    def __init__(self, reader: Any) -> None:
        """`reader` is `ecs_release.aws.ledger_queries.LedgerReader`."""
        self._reader = reader

    def query(self, query: Query) -> list[LedgerEntry]:
        """Return the entries of a query; what DynamoDB does not filter is filtered here. Raises CommandError."""
        with as_command_errors():
            found = [entry for entry in self._narrowest(query) if matches(entry, query)]
            return found + self._missing_ends(found) if query.person else found

    def _narrowest(self, query: Query) -> Iterable[LedgerEntry]:
        """Run the narrowest of the ledger's queries."""
        q, reader = query, self._reader
        if q.number is not None:
            return list(reader.release(q.namespace, q.project, q.number)[1])
        if q.service and q.environment:
            return list(reader.history_of(q.environment, q.namespace, q.project, q.service))
        if q.person:
            return list(reader.by_person(q.person, since=q.since, until=q.until))
        if q.project and q.namespace:
            return list(reader.history_of_project(q.namespace, q.project, since=q.since, until=q.until))
        return list(reader.between(q.since or _EARLIEST, q.until or datetime.now(UTC) + timedelta(days=1)))

    def _missing_ends(self, found: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        """Read the ends of attempts that only started under a person's name: the end may be under another's."""
        ended = {e.attempt_id for e in found if e.stage != Stage.START}
        open_ = [e for e in found if e.attempt_id not in ended]
        ends: list[LedgerEntry] = []
        for namespace, project in sorted({(e.namespace, e.project) for e in open_})[:_PROJECTS]:
            ours = {e.attempt_id: e.start_time for e in open_ if (e.namespace, e.project) == (namespace, project)}
            entries = self._reader.history_of_project(namespace, project, since=min(ours.values()))
            ends += [e for e in entries if e.attempt_id in ours and e.stage != Stage.START]
        return ends


def matches(entry: LedgerEntry, query: Query) -> bool:
    """Return whether an entry matches a query."""
    q = query
    return (
        (not q.namespace or entry.namespace == q.namespace)
        and (not q.project or entry.project == q.project)
        and (not q.service or entry.service == q.service)
        and (not q.environment or entry.environment == q.environment)
        and (not q.person or q.person in (entry.requested_by, entry.applied_by, entry.changed_by))
        and (q.number is None or entry.number == q.number)
        and (q.since is None or entry.start_time >= q.since)
        and (q.until is None or entry.start_time <= q.until)
    )


def open_ledger(session: Session, named: str | None, environment: str = "") -> Ledger:
    """Open the table: as named, else as in the setting, else as in an Environment's status. Raises CommandError."""
    table = named or session.environment.get(SETTING) or _table_of_environments(session, environment)
    if not table:
        raise CommandError(f"no ledger is known: name its table with --ledger-table or {SETTING}, or let the operator keep one")
    # arn:aws:dynamodb:<region>:<account>:table/<name>: an ARN contains the region.
    parts = table.split(":")
    region = (
        parts[3] if table.startswith("arn:") else session.environment.get("AWS_REGION") or session.environment.get("AWS_DEFAULT_REGION")
    )
    if not region:
        raise CommandError(f"the region of table {table!r} is not known: give its ARN, or set AWS_REGION")
    with as_command_errors():
        return Ledger(_reader(region, table, f"kubectl-ecs-release/{session.version}", warnings_of_items(session.out.note)))


def warnings_of_items(note: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that warns of items that cannot be read: of the first few by what is wrong with them."""
    numbers = itertools.count()

    def left_out(message: str) -> None:
        number = next(numbers)
        if number < _WARNINGS:
            note(f"warning: left out: {message}")
        elif number == _WARNINGS:
            note("warning: more items of the ledger cannot be read, and are left out")

    return left_out


@contextmanager
def as_command_errors() -> Iterator[None]:
    """Raise a Problem as a CommandError."""
    try:
        yield
    except Problem as problem:
        raise CommandError(problem.message) from problem


def _table_of_environments(session: Session, environment: str) -> str:
    try:
        listed = session.api.list(ENVIRONMENT)
    except Denied:
        return ""
    tables = {
        str(e["status"]["ledgerTable"])
        for e in listed
        if (e.get("status") or {}).get("ledgerTable") and environment in ("", e["metadata"]["name"])
    }
    if len(tables) > 1:
        raise CommandError(f"there are several ledgers: choose one with --ledger-table: {', '.join(sorted(tables))}")
    return tables.pop() if tables else ""


def _reader(region: str, table: str, user_agent: str, left_out: Callable[[str], None]) -> Any:
    """Import lazily: boto3 is slow to load, and most commands do not need it. Raises Problem."""
    from ecs_release.aws.command_reader import check_credentials, translated_errors
    from ecs_release.aws.ledger import queries

    check_credentials(f"dynamodb:Query on {table}")
    with translated_errors(f"dynamodb in {region}"):
        return queries.LedgerReader(queries.ledger_client(region, user_agent=user_agent), table, left_out)
