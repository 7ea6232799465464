"""The table of where a commit is: for people, for scripts, and for the log of a build."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ecs_release.cli.kubectl.own_clone.clone import NamedCommit
from ecs_release.cli.kubectl.terminal.tables import lines
from ecs_release.cli.kubectl.where.rendering import changes, data, details, rows, summary
from ecs_release.domain.presence.presence import Cell, State
from ecs_release.domain.presence.table import PresenceTable, ServiceRow

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HASH = "a" * 40


def table(**cells: Cell) -> PresenceTable:
    return PresenceTable(tuple(cells), (ServiceRow("shop", "storefront", "web", dict(cells)),))


LIVE = Cell(State.LIVE, HASH, HASH, NOW - timedelta(days=3))
WAITS = Cell(State.WAITING, "b" * 40, HASH, NOW - timedelta(hours=2), "AwaitingWindow", "window weekend is closed")
ALL = table(
    a=LIVE,
    b=WAITS,
    c=Cell(State.IN_FLIGHT, "v1", "v2", NOW - timedelta(seconds=40), "RollingOut"),
    d=Cell(State.WAS_HERE, "v1", "v1", NOW - timedelta(hours=3)),
    e=Cell(State.NOT_YET, "v1", "v1"),
    f=Cell(State.UNKNOWN, message="this clone has no commit abc: git fetch"),
    g=Cell(State.NOTHING_RUNS, "v2", "v2", NOW),
    h=Cell(State.LIVE, f"claimed:{HASH}", "", NOW - timedelta(minutes=5), claimed=True),
)


def test_for_people() -> None:
    head, found = rows(ALL, NOW)
    assert head == ["PROJECT", "SERVICE", "a", "b", "c", "d", "e", "f", "g", "h"]
    assert [c if isinstance(c, str) else c.text for c in found[0]] == [
        "storefront", "web", "✔ live 3d", "◷ waiting: AwaitingWindow 120m", "◐ in flight 40s", "↶ was here, gone 3h", "○ not yet", "? unknown",
        "⏸ nothing runs 0s", "✔ live (claimed) 5m",
    ]  # fmt: skip
    assert list(details(ALL)) == [
        "web in b: AwaitingWindow: window weekend is closed", "web in c: RollingOut", "web in f: this clone has no commit abc: git fetch",
    ]  # fmt: skip
    assert summary(ALL) == "live in 1 of 8 places; 1 rests on a hash that a manifest claims, and no tag in ECR confirms"


def test_nothing_is_not_everywhere() -> None:
    empty = PresenceTable((), ())
    assert not empty.is_live_everywhere and summary(empty).startswith("nothing is released there")


def test_wide_says_what_runs_and_what_is_wanted() -> None:
    head, found = rows(table(a=LIVE, b=WAITS), NOW, wide=True, namespaces=True)
    assert head[0] == "NAMESPACE"
    assert "✔ live 3d runs aaaaaaaaaa   ◷ waiting: AwaitingWindow 120m runs bbbbbbbbbb wants aaaaaaaaaa" in next(lines([], found))


def test_a_message_is_said_once_for_all_places() -> None:
    why = Cell(State.UNKNOWN, message="git fetch")
    assert list(details(table(a=why, b=why, c=LIVE))) == ["web in a, web in b: git fetch"]


def test_for_the_log_of_a_build_only_what_has_changed() -> None:
    before, after = table(a=LIVE, b=WAITS), table(a=LIVE, b=LIVE)
    assert changes(before, after, NOW) == ["2026-11-24T12:00:00Z  storefront/web in b  live"]
    assert changes(None, before, NOW)[1] == "2026-11-24T12:00:00Z  storefront/web in b  waiting: AwaitingWindow  window weekend is closed"
    assert changes(after, after, NOW) == []


def test_for_scripts() -> None:
    found = data(table(a=LIVE, b=WAITS), NamedCommit(HASH, "faster pages"), "main", NOW)
    assert found["commit"] == {"name": "main", "hash": HASH, "subject": "faster pages"} and found["live"] is False
    assert found["services"][0]["environments"]["b"] == {
        "state": "Waiting", "since": "2026-11-24T10:00:00Z", "runs": "b" * 40, "wants": HASH, "reason": "AwaitingWindow",
        "message": "window weekend is closed", "claimed": False,
    }  # fmt: skip


def test_what_others_have_written_cannot_move_the_cursor() -> None:
    odd = Cell(State.WAITING, reason="\x1b[2J", message="x\ny")
    assert "\x1b" not in "".join(lines([], rows(table(a=odd), NOW)[1]))
