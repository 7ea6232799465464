"""The board as a table of a terminal."""

from __future__ import annotations

from ecs_release.cli.kubectl.board import matrix_table
from ecs_release.cli.kubectl.terminal.tables import lines
from ecs_release.pages import matrix
from tests.builders.board import RELEASES
from tests.unit.cli.kubectl.objects import NOW, REFUSED, ago, environment, release


def shown(**options: bool) -> list[str]:
    columns = [environment(), environment("production", seen=ago(minutes=20))]
    head, rows = matrix_table.rows(matrix.build(RELEASES, columns, NOW), **options)
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


def test_a_cell_that_nobody_looks_at_is_marked() -> None:
    _, rows = matrix_table.rows(matrix.build([release("web", readiness=REFUSED)], [environment()], NOW))
    assert str(rows[0][2].text) == "bbbbbbb ✖ TargetNotAllowed ?"


def test_wide_adds_tasks_time_and_person_and_all_namespaces_theirs() -> None:
    assert shown(wide=True)[-1] == "shop      web        aaaaaaa 2/2 9m ben ?        bbbbbbb 2/2 9m ben"
    assert shown(namespaces=True)[0].startswith("NAMESPACE   PROJECT")
