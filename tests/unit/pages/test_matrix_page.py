"""The matrix as HTML: safe whatever texts are in it, and the same from the plugin as on the board."""

from __future__ import annotations

import base64
import copy
import hashlib
import json

import pytest

from ecs_release.pages import matrix, matrix_page
from tests.builders.board import RELEASES
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import NOW, REFUSED, ROLLED_BACK, ago, environment, release


def test_the_page_needs_nothing_else_and_shows_text_as_text() -> None:
    evil = "</td><script>alert(1)</script><img src=x onerror=y>\"'"
    bodies = [release("web", readiness=ROLLED_BACK, spec={"change": {"description": evil, "requestedBy": evil}}), *RELEASES[1:]]
    page = Page(matrix_page.whole(matrix.build(bodies, [environment(spec={"displayName": evil})], NOW)))

    assert page.open == []
    names = [name for name, _ in page.tags]
    assert "script" not in names
    assert "img" not in names
    assert "link" not in names
    assert [a for _, a in page.tags if "src" in a or "href" in a or any(k.startswith("on") for k in a)] == []
    assert "alert(1)" in page.text
    assert ("html", {"lang": "en"}) in page.tags
    heads = [a.get("scope") for n, a in page.tags if n == "th"]
    assert sorted(set(map(str, heads))) == ["col", "row", "rowgroup"]
    assert "prefers-color-scheme: dark" in page.text
    assert "caption" in names


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_of_anybody_becomes_markup_or_changes_the_order_of_what_is_read(text: str) -> None:
    """Each field that a tenant, a committer or AWS can write; those that the API server has no pattern for, and those that it has."""
    bodies = [hostile(release("web", readiness=ROLLED_BACK), text), release("search")]
    plain = [hostile(release("web", readiness=ROLLED_BACK), "plain"), release("search")]
    columns = [hostile_environment(text), environment()]

    html = matrix_page.whole(matrix.build(bodies, columns, NOW))

    page, expected = Page(html), Page(matrix_page.whole(matrix.build(plain, [hostile_environment("plain"), environment()], NOW)))
    assert page.open == []
    # In another order, for the names are others.
    assert sorted((name, *sorted(its)) for name, its in page.tags) == sorted((name, *sorted(its)) for name, its in expected.tags)
    assert not set("\u202e\u2066\x1b\x07\x00") & set(html)
    html.encode()
    assert len(html) < 60_000
    assert len(json.dumps(matrix.data(matrix.build(bodies, columns, NOW)))) > 0


def hostile(body: dict, text: str) -> dict:
    body = copy.deepcopy(body)
    # Names and what pydantic reads are of well-formed text, and names are bounded, by the API server.
    name, read = text[:63], text.encode(errors="replace").decode()
    body["metadata"] |= {"name": name, "labels": {"ecs-release.dev/service-set": name}}
    body["spec"] |= {"service": name, "environmentRef": {"name": name}, "projectRef": {"name": name}}
    body["spec"]["change"] = {"description": text, "requestedBy": text, "url": text}
    body["status"]["summary"] = {"hash": text, "runningHash": text}
    body["status"]["running"] |= {"hash": text + "2", "runningCount": text}
    for one in body["status"]["conditions"]:
        one |= {"reason": read[:1000], "message": read[:4000]}
    return body


def hostile_environment(text: str) -> dict:
    body = environment(spec={"displayName": text.encode(errors="replace").decode()[:128]}, seen=ago(minutes=20))
    body["metadata"]["name"] = text[:63]
    return body


def test_the_style_of_the_saved_page_is_the_one_that_its_policy_allows() -> None:
    html = matrix_page.whole(matrix.build(RELEASES, [environment()], NOW))
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in html
    assert "unsafe-inline" not in html


def test_a_cell_says_how_it_stands_in_words_and_what_is_not_observed_says_so() -> None:
    board = matrix.build(
        [*RELEASES, release("web", environment="production")], [environment(), environment("production", seen=ago(minutes=20))], NOW
    )
    words = " ".join(Page(matrix_page.whole(board)).text.split())
    for said in ("RolledBack", "Drifted", "Progressing", "TasksUnhealthy", "Pending", "something else runs", "no Release"):
        assert said in words
    assert "not observed since 2026-11-24 11:40 UTC" in words
    assert "last seen 2026-11-24 11:40 UTC: may no longer be so" in words


def test_the_cells_that_are_marked_are_those_that_are_counted() -> None:
    """The page's script counts cells of class `off` whenever one has changed."""
    for columns in ([environment(), environment("production")], [environment(), environment("production", seen=ago(minutes=20))], [], None):
        board = matrix.build(RELEASES, columns, NOW)
        classes = [str(its.get("class")).split() for name, its in Page(matrix_page.whole(board)).tags if name == "td"]
        assert sum("off" in one for one in classes) == sum(map(board.troubles, board.rows))
        assert all(one.count("off") <= 1 and len(one) <= 2 for one in classes)


def test_a_column_that_was_observed_by_a_clock_that_is_ahead_says_so() -> None:
    board = matrix.build(RELEASES, [environment(seen=ago(minutes=-20)), environment("production", seen=ago(seconds=-20))], NOW)
    words = " ".join(Page(matrix_page.whole(board)).text.split())
    assert "observed 2026-11-24 12:20 UTC, which is yet to come: clocks differ" in words
    assert words.count("? seen 2026-11-24 12:20 UTC, which is yet to come: may no longer be so") == 6
    assert "observed 2026-11-24 12:00 UTC" in words, "a few seconds are no other clock"
    assert [matrix.age_of(c, NOW) for c in board.columns if c.stale] == ["seen 20m from now: clocks differ"]
    assert [e["old"] for e in matrix.data(board)["environments"]] == [False, True]


def test_a_cell_that_nobody_looks_at_says_so() -> None:
    board = matrix.build([release("web", readiness=REFUSED), release("search")], [environment()], NOW)
    assert " ".join(Page(matrix_page.whole(board)).text.split()).count("? not observed: may no longer be so") == 1
    found = {s["service"]: s["environments"]["staging"]["observed"] for s in matrix.data(board)["services"]}
    assert found == {"web": False, "search": True}
    never = release("web", runs={})
    never["status"] = {}
    (row,) = matrix.build([never], [environment()], NOW).rows
    assert row.cells["staging"].observed is False


def test_a_page_says_whether_its_age_is_known() -> None:
    said = "How old this is cannot be told"
    assert said in matrix_page.whole(matrix.build(RELEASES, None, NOW))
    assert said not in matrix_page.whole(matrix.build(RELEASES, [], NOW))
    assert said not in matrix_page.whole(matrix.build([], None, NOW))


@pytest.mark.parametrize("number", [0, 1])
def test_few_releases(number: int) -> None:
    assert Page(matrix_page.whole(matrix.build(RELEASES[:number], [environment()], NOW))).open == []


def test_services_are_grouped_by_project_and_set() -> None:
    of_set = release("web")
    of_set["metadata"]["labels"] = {"ecs-release.dev/service-set": "storefront"}
    board = matrix.build([release("api"), of_set, release("web", environment="production")], None, NOW)
    found = matrix_page.groups(board, matrix_page.rendered)
    assert [(g.project, g.service_set, [service for service, _ in g.rows]) for g in found] == [
        ("shop", "", ["api"]),
        ("shop", "storefront", ["web"]),
    ]
