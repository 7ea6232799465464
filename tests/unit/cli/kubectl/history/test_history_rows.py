"""Attempts as rows of a table, of a status or of the ledger."""

from __future__ import annotations

from typing import Any

from ecs_release.api.ledger import LedgerEntry
from ecs_release.cli.kubectl.history import history_rows
from ecs_release.cli.kubectl.terminal.tables import lines
from ecs_release.pages.attempts import join_attempts
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
    head, rows = history_rows.table(ENTRIES, NOW)
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
    assert "3h (waited 120m)" in next(iter(lines([], history_rows.table([entry], NOW)[1])))


def test_wide_adds_ids() -> None:
    head, rows = history_rows.table(ENTRIES, NOW, wide=True)
    assert head[-2:] == ["TIME (UTC)", "ATTEMPT"]
    assert [c.text for c in rows[0][-2:]] == ["2026-11-24 11:59:00", "c"]  # type: ignore[union-attr]


def test_what_each_attempt_has_brought() -> None:
    """Numbers as they were recorded; entries from before they were have none."""
    brought = {"before": "0" * 40, "after": "1" * 40, "added": 12, "authors": 4, "firstTime": ago(days=3)}
    entries = [{**ENTRIES[1], "commitRange": brought, "leadTimeSeconds": 7200, "commits": "rollbackFrom 2222222"}, ENTRIES[2]]
    head, rows = history_rows.table(entries, NOW, wide=True)
    cells = dict(zip(head, (c.text for c in rows[0]), strict=True))  # type: ignore[union-attr]
    assert (cells["COMMITS"], cells["LEAD TIME"]) == ("12 commits by 4 people, oldest 3d ago", "120m")
    assert cells["AGAINST THE GRAPH"] == "rollbackFrom 2222222", "the right by which it began"
    assert rows[1][head.index("COMMITS")].text == ""  # type: ignore[union-attr]


def entry(attempt: str = "1", stage: str = "start", service: str = "web", **more: Any) -> LedgerEntry:
    fields = {
        "installation": "i", "namespace": "shop", "project": "shop", "service": service, "environment": "staging", "attemptID": attempt,
        "stage": stage, "startTime": ago(hours=1), **more,
    }  # fmt: skip
    return LedgerEntry.model_validate(fields)


def test_start_and_end_are_one_line_newest_first() -> None:
    found = join_attempts(
        [
            entry("1", "end", outcome="Succeeded", completionTime=ago(minutes=50)),
            entry("1", requestedBy="ben"),
            entry("2", startTime=ago(minutes=5)),
        ]
    )
    assert [(e["attemptID"], e.get("outcome"), e.get("requestedBy")) for e in found] == [("2", None, None), ("1", "Succeeded", "ben")]
