"""The matrix: what runs, and a mark for each thing that is not as it should be."""

from __future__ import annotations

from ecs_release.cli.kubectl.terminal.sorting import parse_path, sort_by
from ecs_release.pages import matrix
from ecs_release.pages.matrix import build, in_order
from tests.builders.board import RELEASES
from tests.unit.cli.kubectl.objects import NOW, READY, ago, conditions, environment, release


def test_environments_that_may_not_be_read_and_that_are_not_there() -> None:
    assert matrix.build(RELEASES, None, NOW).columns[0].stale is False
    assert matrix.age_of(matrix.build(RELEASES, [], NOW).columns[-1], NOW) == "no such Environment"


def test_how_old_something_is_may_not_be_known() -> None:
    """To whoever may see one namespace alone: no Role can give a right to Environments."""
    assert {e["old"] for e in matrix.data(matrix.build(RELEASES, None, NOW))["environments"]} == {None}
    assert {e["old"] for e in matrix.data(matrix.build(RELEASES, [], NOW))["environments"]} == {True}


def test_of_two_that_claim_a_place_its_holder_is_shown() -> None:
    conflict = release(
        "web", name="a-web", readiness={"phase": "Failed", "conditions": conditions("TargetConflict", "held", stalled="True")}
    )
    found = matrix.build([conflict, release("web", readiness=READY)], None, NOW)
    assert found.rows[0].cells["staging"].release == "web-staging"


def test_whole_git_hashes_are_shortened_and_tags_are_not() -> None:
    assert matrix.short("0123456789abcdef0123456789abcdef01234567") == "0123456789"
    assert matrix.short("0123456789abcdef") == "0123456789abcdef"
    assert matrix.short("release-2026-11-24") == "release-2026-11-24"


def test_json_has_what_the_table_has() -> None:
    found = matrix.data(matrix.build(RELEASES, [environment()], NOW))
    assert found["environments"][1] == {"name": "staging", "displayName": "", "lastSweepTime": ago(seconds=12), "old": False}
    web = next(s for s in found["services"] if s["service"] == "web")
    assert web["environments"]["staging"]["running"] == "bbbbbbb"
    assert web["environments"]["staging"]["since"] == ago(minutes=9)


def test_lines_of_the_board_stand_where_their_first_release_does() -> None:
    listed = [release("api"), release("web"), release("web", environment="test")]
    listed[0]["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    listed[1]["metadata"]["creationTimestamp"] = "2026-01-03T00:00:00Z"
    listed[2]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    shown = build(listed, None, NOW)
    assert [row.service for row in shown.rows] == ["api", "web"]
    assert [row.service for row in in_order(shown, sort_by(parse_path(".metadata.creationTimestamp"), listed)).rows] == ["web", "api"]


def test_what_has_waited_too_long_stands_beside_what_runs() -> None:
    for state, text in (("Overdue", "bbbbbbb (1a2b3c4 is overdue)"), ("Waiting", "bbbbbbb")):
        body = release("web", readiness=READY, promotion={"state": state, "hash": "1a2b3c4"})
        (row,) = matrix.build([body], None, NOW).rows
        assert matrix.cell_text(row.cells["staging"]) == text
