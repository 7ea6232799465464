"""The ledger's queries: the narrowest is chosen, and what it does not narrow down is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import LedgerEntry
from ecs_release.cli.kubectl.history.ledger_reader import Ledger, Query, warnings_of_items
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.domain.model.errors import Denied
from ecs_release.pages.attempts import join_attempts
from tests.unit.cli.kubectl.objects import NOW, ago


def entry(attempt: str = "1", stage: str = "start", service: str = "web", **more: Any) -> LedgerEntry:
    fields = {
        "installation": "i", "namespace": "shop", "project": "shop", "service": service, "environment": "staging", "attemptID": attempt,
        "stage": stage, "startTime": ago(hours=1), **more,
    }  # fmt: skip
    return LedgerEntry.model_validate(fields)


class Reader:
    """Stands in for `ledger_queries.LedgerReader`: tells which query was made."""

    def __init__(self, *entries: LedgerEntry) -> None:
        self.entries, self.asked = entries, list[tuple[Any, ...]]()

    def _answer(self, *call: Any) -> Iterator[LedgerEntry]:
        self.asked.append(call)
        return iter(self.entries)

    def history_of(self, *place: str) -> Iterator[LedgerEntry]:
        return self._answer("history_of", *place)

    def history_of_project(self, *place: str, since: Any = None, until: Any = None) -> Iterator[LedgerEntry]:
        return self._answer("history_of_project", *place, since, until)

    def by_person(self, person: str, since: Any = None, until: Any = None) -> Iterator[LedgerEntry]:
        self.asked.append(("by_person", person, since, until))
        return iter(e for e in self.entries if e.requested_by == person)

    def between(self, start: Any, end: Any) -> Iterator[LedgerEntry]:
        return self._answer("between", start, end)

    def release(self, *number: Any) -> tuple[None, list[LedgerEntry]]:
        return None, list(self._answer("release", *number))


@pytest.mark.parametrize(
    ("query", "call"),
    [
        (Query("shop", "shop", "web", "staging"), ("history_of", "staging", "shop", "shop", "web")),
        (Query("shop", "shop", number=7), ("release", "shop", "shop", 7)),
        (Query("shop", "shop", since=NOW), ("history_of_project", "shop", "shop", NOW, None)),
        (Query(person="ben"), ("by_person", "ben", None, None)),
        (Query(since=NOW - timedelta(days=1), until=NOW), ("between", NOW - timedelta(days=1), NOW)),
    ],
)
def test_a_question_takes_the_narrowest_query(query: Query, call: tuple[Any, ...]) -> None:
    reader = Reader()
    assert Ledger(reader).query(query) == []
    assert reader.asked == [call]


def test_what_the_query_does_not_narrow_down_is_left_out() -> None:
    reader = Reader(entry("1"), entry("2", environment="production"), entry("3", startTime=ago(days=3)))
    found = Ledger(reader).query(Query("shop", "shop", environment="staging", since=NOW - timedelta(days=1)))
    assert [e.attempt_id for e in found] == ["1"]


def test_what_somebody_began_ends_as_it_ended_whoever_the_end_stands_under() -> None:
    """Index by-person may hold of an attempt only its start: it is not under way for that."""
    reader = Reader(entry("1", requestedBy="ben"), entry("1", "end", outcome="Succeeded"), entry("2", "end", outcome="Aborted"))
    found = join_attempts(Ledger(reader).query(Query(person="ben")))
    assert [(e["attemptID"], e["outcome"]) for e in found] == [("1", "Succeeded")]


def test_a_refusal_is_an_error_for_people() -> None:
    class Refusing(Reader):
        def by_person(self, person: str, since: Any = None, until: Any = None) -> Iterator[LedgerEntry]:
            raise Denied("dynamodb:Query on t: no")

    with pytest.raises(CommandError, match="dynamodb:Query on t: no"):
        Ledger(Refusing()).query(Query(person="ben"))


def test_a_table_full_of_odd_items_is_warned_of_in_a_few_lines() -> None:
    said: list[str] = []
    left_out = warnings_of_items(said.append)
    for number in range(1000):
        left_out(f"item {number} cannot be read")
    assert said[0] == "warning: left out: item 0 cannot be read"
    assert said[3:] == ["warning: more items of the ledger cannot be read, and are left out"]
