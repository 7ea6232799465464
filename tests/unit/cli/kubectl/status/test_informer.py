"""Watching: connections that break, versions that are too old, servers that refuse; nothing of it loses news, or goes on for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release.cli.kubectl.status import informer as feed
from ecs_release.cli.kubectl.status import snapshot as scene
from ecs_release.cli.kubectl.status.informer import Feed, News, Selection
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied, Gone, NotFound, Unreachable
from tests.unit.cli.kubectl.objects import ROLLING, environment, member, release, release_set

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


def until(found: Feed, wanted: Any, deadline_s: float = 10) -> list[News]:
    """Take news until some of it fits; returns all."""
    end, seen = time.monotonic() + deadline_s, list[News]()
    while time.monotonic() < end:
        seen += found.next(0.2)
        if any(wanted(n) for n in seen):
            return seen
    raise AssertionError(f"waited {deadline_s} s; there was {seen}")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(feed, "_LONGEST_PAUSE_S", 0.05)


def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    api = FakeApi([listed("1", "web")], [[event("MODIFIED", "2", a=1)], [event("BOOKMARK", "9")], [event("ADDED", "10", "mail")]])
    with Feed(api, [WEB]) as found:  # type: ignore[arg-type]
        seen = until(found, lambda n: "mail" in n.objects)
    assert api.asked[:4] == ["list", "watch 1", "watch 2", "watch 9"]
    assert seen[-1].objects["web"]["status"] == {"a": 1}


def test_what_is_too_old_is_listed_again() -> None:
    api = FakeApi([listed("1", "web"), listed("7", "other")], [[Gone("too old")], [event("DELETED", "8", "other")]])
    with Feed(api, [WEB]) as found:  # type: ignore[arg-type]
        until(found, lambda n: not n.objects)
    assert api.asked[:4] == ["list", "watch 1", "list", "watch 7"]


def test_a_server_that_is_away_is_said_and_waited_for() -> None:
    api = FakeApi([Unreachable("away"), listed("1", "web")], [[Unreachable("away again")], [event("MODIFIED", "2", a=1)]])
    with Feed(api, [WEB]) as found:  # type: ignore[arg-type]
        seen = until(found, lambda n: n.objects.get("web", {}).get("status") == {"a": 1})
    assert api.asked[:4] == ["list", "list", "watch 1", "watch 1"]
    assert {n.lost for n in seen} <= {"", "away", "away again"}, "of several at once the newest is told"


def test_a_refusal_ends_it_unless_it_is_optional() -> None:
    with Feed(FakeApi([Denied("you may not")], []), [WEB]) as found, pytest.raises(CommandError, match="you may not"):  # type: ignore[arg-type]
        until(found, lambda _: False, 5)
    optional = Selection("Environment", optional=True)
    with Feed(FakeApi([Denied("you may not")], []), [optional]) as found:  # type: ignore[arg-type]
        assert [n.error for n in found.next(5)] == [None]


def test_news_become_the_scene() -> None:
    body = release_set(member("web"))
    selections = scene.selections(body)
    first = scene.Scene(body)
    child = release("web", standing=ROLLING)
    second = scene.updated(first, News(selections[1], {"web-staging": child}))
    third = scene.updated(second, News(selections[2], {"staging": environment()}))
    assert (third.children, third.environment_body, third.body) == ({"web-staging": child}, environment(), body)
    lost = scene.updated(third, News(selections[0], {}, lost="away"))
    assert (lost.lost, lost.children) == ("away", third.children)
    back = scene.updated(lost, News(selections[0], {body["metadata"]["name"]: body}))
    assert back.lost == ""
    with pytest.raises(NotFound, match="releaseset/storefront-staging was deleted"):
        scene.updated(back, News(selections[0], {}))
    again = {**body, "metadata": {**body["metadata"], "uid": "another"}}
    with pytest.raises(NotFound, match="created again"):
        scene.updated(back, News(selections[0], {body["metadata"]["name"]: again}))
