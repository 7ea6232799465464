"""History: lines of a status and of the ledger, and which of the ledger's queries a question takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import LedgerEntry
from ecs_release.cli.kubectl.history import history_rows as history
from ecs_release.cli.kubectl.history.ledger_reader import Ledger, Question
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.tables import lines
from ecs_release.domain.model.errors import Denied
from tests.unit.cli.kubectl.objects import NOW, ago, digest

ENTRIES: list[dict[str, Any]] = [
    {"attemptID": "c", "cause": "Requested", "hash": "ccc", "startTime": ago(minutes=1)},
    {
        "attemptID": "b", "cause": "Requested", "hash": "bbb", "outcome": "RolledBack", "requestedBy": "ben", "description": "faster",
        "startTime": ago(hours=1), "completionTime": ago(minutes=58),
        "images": [{"container": "app", "fromHash": "aaa", "toHash": "bbb"}, {"container": "log", "fromHash": "x", "unlisted": True}],
    },
    {"attemptID": "a", "cause": "Adopted", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": digest("a")}], "startTime": ago(days=3)},
]  # fmt: skip


def test_lines_say_who_why_when_and_how_it_ended() -> None:
    head, rows = history.table(ENTRIES, NOW)
    assert list(lines(head, rows)) == [
        "BEGAN     CAUSE       FROM   TO             OUTCOME      TOOK   BY    WHY",
        "60s ago   Requested          ccc            under way",
        "60m ago   Requested   aaa    bbb            RolledBack   2m     ben   faster",
        "3d ago    Adopted            aaaaaaaaaaaa   Succeeded",
    ]


def test_a_sets_entries_say_how_long_they_waited() -> None:
    entry = {
        "id": "1",
        "hash": "b",
        "outcome": "Succeeded",
        "startTime": ago(hours=4),
        "completionTime": ago(hours=1),
        "waitedSeconds": 7200,
    }
    assert "3h (waited 120m)" in next(iter(lines([], history.table([entry], NOW)[1])))


def test_wide_adds_ids() -> None:
    head, rows = history.table(ENTRIES, NOW, wide=True)
    assert head[-2:] == ["TIME (UTC)", "ATTEMPT"]
    assert [c.text for c in rows[0][-2:]] == ["2026-11-24 11:59:00", "c"]  # type: ignore[union-attr]


def entry(attempt: str = "1", stage: str = "start", service: str = "web", **more: Any) -> LedgerEntry:
    fields = {
        "installation": "i", "namespace": "shop", "project": "shop", "service": service, "environment": "staging", "attemptID": attempt,
        "stage": stage, "startTime": ago(hours=1), **more,
    }  # fmt: skip
    return LedgerEntry.model_validate(fields)


def test_start_and_end_are_one_line_newest_first() -> None:
    found = history.joined(
        [
            entry("1", "end", outcome="Succeeded", completionTime=ago(minutes=50)),
            entry("1", requestedBy="ben"),
            entry("2", startTime=ago(minutes=5)),
        ]
    )
    assert [(e["attemptID"], e.get("outcome"), e.get("requestedBy")) for e in found] == [("2", None, None), ("1", "Succeeded", "ben")]


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
    ("question", "query"),
    [
        (Question("shop", "shop", "web", "staging"), ("history_of", "staging", "shop", "shop", "web")),
        (Question("shop", "shop", number=7), ("release", "shop", "shop", 7)),
        (Question("shop", "shop", since=NOW), ("history_of_project", "shop", "shop", NOW, None)),
        (Question(person="ben"), ("by_person", "ben", None, None)),
        (Question(since=NOW - timedelta(days=1), until=NOW), ("between", NOW - timedelta(days=1), NOW)),
    ],
)
def test_a_question_takes_the_narrowest_query(question: Question, query: tuple[Any, ...]) -> None:
    reader = Reader()
    assert Ledger(reader).ask(question) == []
    assert reader.asked == [query]


def test_what_the_query_does_not_narrow_down_is_left_out() -> None:
    reader = Reader(entry("1"), entry("2", environment="production"), entry("3", startTime=ago(days=3)))
    found = Ledger(reader).ask(Question("shop", "shop", environment="staging", since=NOW - timedelta(days=1)))
    assert [e.attempt_id for e in found] == ["1"]


def test_what_somebody_began_ends_as_it_ended_whoever_the_end_stands_under() -> None:
    """Index by-person may hold of an attempt only its start: it is not under way for that."""
    reader = Reader(entry("1", requestedBy="ben"), entry("1", "end", outcome="Succeeded"), entry("2", "end", outcome="Aborted"))
    found = history.joined(Ledger(reader).ask(Question(person="ben")))
    assert [(e["attemptID"], e["outcome"]) for e in found] == [("1", "Succeeded")]


def test_a_refusal_is_an_error_for_people() -> None:
    class Refusing(Reader):
        def by_person(self, person: str, since: Any = None, until: Any = None) -> Iterator[LedgerEntry]:
            raise Denied("dynamodb:Query on t: no")

    with pytest.raises(CommandError, match="dynamodb:Query on t: no"):
        Ledger(Refusing()).ask(Question(person="ben"))
