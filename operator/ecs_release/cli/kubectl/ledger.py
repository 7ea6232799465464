"""The ledger, for the plugin: where its table is, and what is asked of it, with the caller's own AWS credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.names import ENVIRONMENT
from ecs_release.cli.kubectl.problems import CommandError, Denied
from ecs_release.cli.kubectl.session import Session
from ecs_release.domain.errors import Problem
from ecs_release.domain.observation import Access

SETTING = "ECS_RELEASE_LEDGER_TABLE"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. A service is meant where `service` is given, else a release number, a person, or all of a time."""

    namespace: str = ""
    project: str = ""
    service: str = ""
    environment: str = ""
    person: str = ""
    number: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class Ledger:
    """One table."""

    def __init__(self, client: Any, table: str) -> None:
        """`table` is its name or ARN."""
        self._client, self._table = client, table

    def ask(self, question: Question) -> list[LedgerEntry]:
        """Return the entries that answer a question; what the query itself does not narrow down is left out here. Raises CommandError."""
        from ecs_release.aws.personal import told

        with told_to_people(), told(f"dynamodb:Query on {self._table}"):
            return [entry for entry in self._query(question) if fits(entry, question)]

    def _query(self, question: Question) -> Iterable[LedgerEntry]:
        """Choose the narrowest of the ledger's queries."""
        q, queries = question, _queries()
        if q.service and q.environment:
            found = queries.history_of(self._client, self._table, q.environment, q.namespace, q.project, q.service)
        elif q.number is not None:
            found = queries.release(self._client, self._table, q.namespace, q.project, q.number)
        elif q.person:
            found = queries.by_person(self._client, self._table, q.person, since=q.since, until=q.until)
        else:
            found = queries.between(self._client, self._table, q.since, q.until)
        return list(found)


def fits(entry: LedgerEntry, question: Question) -> bool:
    """Tell whether an entry is part of the answer."""
    q = question
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
    """Find the table: as named, else as the setting names it, else as an Environment's status does. Raises CommandError."""
    table = named or session.environment.get(SETTING) or _table_of_environments(session, environment)
    if not table:
        raise CommandError(f"no ledger is known: name its table with --ledger-table or {SETTING}, or let the operator keep one")
    # arn:aws:dynamodb:<region>:<account>:table/<name>: an ARN tells the region, too.
    parts = table.split(":")
    region = (
        parts[3] if table.startswith("arn:") else session.environment.get("AWS_REGION") or session.environment.get("AWS_DEFAULT_REGION")
    )
    if not region:
        raise CommandError(f"the region of table {table!r} is not known: give its ARN, or set AWS_REGION")
    from ecs_release.aws.personal import PersonalAws

    access = Access(parts[4] if table.startswith("arn:") else "", region)
    with told_to_people():
        client = PersonalAws(f"kubectl-ecs-release/{session.version}", "kubectl-ecs-release").client(access, "dynamodb")
    return Ledger(client, table)


@contextmanager
def told_to_people() -> Iterator[None]:
    """Turn a Problem into the error that ends a command."""
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


def _queries() -> Any:
    """Import the queries: boto3 is slow to load, and most commands need none of it."""
    try:
        return import_module("ecs_release.aws.ledger_queries")
    except ModuleNotFoundError as error:
        raise CommandError("this version cannot read a ledger yet") from error
