"""The informer: broken connections, expired versions and refusals lose no update, and none of them is retried for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release.cli.kubectl.status import informer
from ecs_release.cli.kubectl.status.informer import Informer, Selection, Update
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied, Gone, Unreachable

WEB = Selection("Release", "shop")
Script = list[Any]


def event(kind: str, version: str, name: str = "web", **status: Any) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}, "status": status}}


class FakeApi:
    """An API server that does what a script says: lists, and watches that yield events and end, or raise."""

    def __init__(self, lists: Script, watches: Script) -> None:
        self._lists, self._watches = iter(lists), iter(watches)
        self.asked: list[str] = []

    def list_at(self, path: str, **selectors: str) -> tuple[list[dict[str, Any]], str]:
        self.asked.append("list")
        found = next(self._lists)
        if isinstance(found, Exception):
            raise found
        return found

    def watch(self, path: str, version: str, timeout_s: float, **selectors: str) -> Iterator[dict[str, Any]]:
        self.asked.append(f"watch {version}")
        for one in next(self._watches, ()):
            if isinstance(one, Exception):
                raise one
            yield one


def listed(version: str, *names: str) -> tuple[list[dict[str, Any]], str]:
    return [{"metadata": {"name": n, "resourceVersion": version}} for n in names], version


def until(found: Informer, wanted: Any, deadline_s: float = 10) -> list[Update]:
    """Take news until some of it fits; returns all."""
    end, seen = time.monotonic() + deadline_s, list[Update]()
    while time.monotonic() < end:
        seen += found.next(0.2)
        if any(wanted(n) for n in seen):
            return seen
    raise AssertionError(f"waited {deadline_s} s; there was {seen}")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(informer, "_LONGEST_PAUSE_S", 0.05)


def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    api = FakeApi([listed("1", "web")], [[event("MODIFIED", "2", a=1)], [event("BOOKMARK", "9")], [event("ADDED", "10", "mail")]])
    with Informer(api, [WEB]) as found:  # type: ignore[arg-type]
        seen = until(found, lambda n: "mail" in n.objects)
    assert api.asked[:4] == ["list", "watch 1", "watch 2", "watch 9"]
    assert seen[-1].objects["web"]["status"] == {"a": 1}


def test_what_is_too_old_is_listed_again() -> None:
    api = FakeApi([listed("1", "web"), listed("7", "other")], [[Gone("too old")], [event("DELETED", "8", "other")]])
    with Informer(api, [WEB]) as found:  # type: ignore[arg-type]
        until(found, lambda n: not n.objects)
    assert api.asked[:4] == ["list", "watch 1", "list", "watch 7"]


def test_a_server_that_is_away_is_said_and_waited_for() -> None:
    api = FakeApi([Unreachable("away"), listed("1", "web")], [[Unreachable("away again")], [event("MODIFIED", "2", a=1)]])
    with Informer(api, [WEB]) as found:  # type: ignore[arg-type]
        seen = until(found, lambda n: n.objects.get("web", {}).get("status") == {"a": 1})
    assert api.asked[:4] == ["list", "list", "watch 1", "watch 1"]
    assert {n.connection_error for n in seen} <= {"", "away", "away again"}, "of several at once the newest is told"


def test_a_refusal_ends_it_unless_it_is_optional() -> None:
    with Informer(FakeApi([Denied("you may not")], []), [WEB]) as found, pytest.raises(CommandError, match="you may not"):  # type: ignore[arg-type]
        until(found, lambda _: False, 5)
    optional = Selection("Environment", optional=True)
    with Informer(FakeApi([Denied("you may not")], []), [optional]) as found:  # type: ignore[arg-type]
        assert [n.error for n in found.next(5)] == [None]
