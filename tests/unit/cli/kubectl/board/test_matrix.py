"""The board: what runs, and a mark for each thing that is not as it should be."""

from __future__ import annotations

from ecs_release.cli.kubectl.board import matrix
from ecs_release.cli.kubectl.board.matrix import build, in_order
from ecs_release.cli.kubectl.terminal.sorting import parse_path, sort_by
from ecs_release.cli.kubectl.terminal.tables import lines
from tests.unit.cli.kubectl.objects import NOW, READY, ROLLED_BACK, ROLLING, ago, conditions, environment, release

DRIFTED = {"phase": "Drifted", "conditions": conditions("Drifted", "something else runs", stalled="True")}
UNHEALTHY = {"phase": "Failed", "conditions": conditions("TasksUnhealthy", "1 of 2 run")}

RELEASES = [
    release("web"),
    release("web", environment="production", wanted="a"),
    release("search", runs={"a": 2}, readiness=DRIFTED),
    release("checkout", runs={"a": 2}, readiness=ROLLED_BACK),
    release("mail", runs={"a": 1, "b": 1}, readiness=ROLLING),
    release("cart", readiness=UNHEALTHY),
    release("new", runs={}, generation=2),
]


def shown(**options: bool) -> list[str]:
    columns = [environment(), environment("production", seen=ago(minutes=20))]
    head, rows = matrix.rows(matrix.build(RELEASES, columns, NOW), **options)
    return list(lines(head, rows))


def test_a_cell_says_what_runs_and_what_is_not_as_it_should_be() -> None:
    assert shown() == [
        "PROJECT   SERVICE    production (seen 20m ago)   staging",
        "shop      cart                                   bbbbbbb ✖ TasksUnhealthy",
        "shop      checkout                               aaaaaaa ✖ bbbbbbb RolledBack",
        "shop      mail                                   aaaaaaa ◐ bbbbbbb Progressing",
        "shop      new                                    - ○ bbbbbbb Pending",
        "shop      search                                 aaaaaaa ≠ bbbbbbb Drifted",
        "shop      web        aaaaaaa ?                   bbbbbbb",
    ]


def test_wide_adds_tasks_time_and_person_and_all_namespaces_theirs() -> None:
    assert shown(wide=True)[-1] == "shop      web        aaaaaaa 2/2 9m ben ?        bbbbbbb 2/2 9m ben"
    assert shown(namespaces=True)[0].startswith("NAMESPACE   PROJECT")


def test_environments_that_may_not_be_read_and_that_are_not_there() -> None:
    assert matrix.build(RELEASES, None, NOW).columns[0].stale is False
    head, _ = matrix.rows(matrix.build(RELEASES, [], NOW))
    assert head[-1] == "staging (no such Environment)"


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
