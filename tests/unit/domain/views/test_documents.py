"""Which deployment sets are shown, and which views status keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.views import documents, github, slack
from ecs_release.domain.views.shown import Shown
from tests.builders.objects import environment

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACE = environment(notify={"github": {"credentials": "main", "repositories": [{"namespaces": ["shop"], "repositories": ["acme/store"]}]}})
LATE = Shown(
    id="overdue", kind="Release", namespace="shop", name="web", uid="u1", project="store", service_set="front", environment="prod",
    installation="default", is_latest=False, is_replaced=False, start_time=AT, told=0,
)  # fmt: skip


def one(an_id: str, outcome: str = "", **more: Any) -> Shown:
    return replace(LATE, told=None, id=an_id, outcome=outcome, **more)


def view(an_id: str, outcome: str | None, *names: str, receipt: str | None = "1") -> View:
    parts = [ViewPart(name=name, key="k", receipt=receipt) for name in names or ("deployment", "pull/7")]
    return View(id=an_id, place="acme/store", outcome=outcome, parts=parts)


def states(sets: list[Shown], views: list[View]) -> dict[str, list[str]]:
    """What GitHub is told of each Deployment."""
    found = {}
    for each in documents.wanted("github", [*sets, LATE], views, AT - timedelta(days=1)):
        known = next((v for v in views if v.id == f"github/{each.id}"), None)
        parts = github.document(each, PLACE, "acme/store", github.numbers_of(known), (), known)
        found[each.id] = [p.content["state"] for p in parts if p.name == "deployment"]
        if each.is_forgotten:
            assert [p.name for p in parts] in (["deployment"], []), "what a comment says stays"
            assert slack.document(each) == ()
    return found


@pytest.mark.parametrize(
    ("sets", "outcome", "expected"),
    [
        # Ten attempts have failed since: it still runs.
        ([one("f2", "RolledBack"), one("f1", "RolledBack")], "Succeeded", {}),
        ([one("q", "Succeeded"), one("f1", "RolledBack")], "Succeeded", {"p": ["inactive"]}),
        ([one("q", "NothingRunning"), one("f1", "RolledBack")], "Succeeded", {"p": ["inactive"]}),
        # Something else was adopted, which is not shown.
        ([one("f1", "RolledBack", is_replaced=True)], "Succeeded", {"p": ["inactive"]}),
        # It has failed, and that is shown.
        ([one("q", "Succeeded")], "RolledBack", {}),
        ([one("q", "Succeeded")], "Aborted", {}),
        # GitHub was away when it ended.
        ([one("f1", "RolledBack")], None, {"p": ["inactive"]}),
        ([], "Succeeded", {}),
    ],
)
def test_what_the_history_has_forgotten_ends_once_something_newer_runs(
    sets: list[Shown], outcome: str | None, expected: dict[str, list[str]]
) -> None:
    views = [view("github/overdue", None, "pull/7"), view("slack/p", outcome, "message"), view("github/p", outcome)]
    found = states(sets, views)
    assert {an_id: said for an_id, said in found.items() if an_id == "p"} == expected


def test_a_rollback_of_a_set_that_the_history_has_forgotten() -> None:
    of_set = [replace(s, kind="ReleaseSet") for s in (one("q", "Succeeded"), one("f", "Failed"))]
    assert states(of_set, [view("github/p", "RolledBack")])["p"] == ["inactive"]


def test_what_was_never_created_is_not_begun_from_its_view() -> None:
    assert states([one("q", "Succeeded")], [view("github/p", "Succeeded", receipt=None)])["p"] == []


def test_the_oldest_comes_first() -> None:
    views = [view("github/q", "Succeeded"), view("github/p2", "Succeeded"), view("github/p1", "Succeeded")]
    found = documents.wanted("github", [one("q", "Succeeded", is_latest=True), LATE], views, AT)
    assert [each.id for each in found] == ["p1", "p2", "q"]


def test_what_runs_is_kept_while_attempts_fail() -> None:
    """ECS rolls each of them back: that is no end after which something newer runs."""
    views: tuple[View, ...] = (view("github/p", "Succeeded"),)
    for n in range(12):
        views = documents.with_part(views, f"github/{n}", "acme/store", ViewPart(name="deployment"))
        views = documents.marked(views, f"github/{n}", "RolledBack", ())
    assert "github/p" in [v.id for v in views]
