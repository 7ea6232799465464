"""What the board knows, and what it says has changed."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.board.access import EVERYTHING, Sight
from ecs_release.board.inventory import Inventory, Place, View
from ecs_release.pages.filters import Filters
from tests.builders.board import Clock, elsewhere
from tests.unit.cli.kubectl.objects import READY, REFUSED, ROLLED_BACK, ago, conditions, environment, release


def filled(*releases: dict[str, Any], clock: Clock | None = None) -> Inventory:
    made = Inventory((clock or Clock()).now)
    made.changed(ENVIRONMENT, environment())
    for body in releases:
        made.changed(RELEASE, body)
    return made


def test_a_view_has_the_namespaces_that_may_be_seen_and_nothing_else() -> None:
    inventory = filled(release("web"), elsewhere(release("secret"), "vault"))
    one = inventory.board(View(Sight(frozenset({"shop"}))))
    assert [(r.namespace, r.service) for r in one.rows] == [("shop", "web")]
    assert (one.columns[0].known, one.columns[0].seen) == (False, None), "the Environment may not be read"
    assert len(inventory.board(View(EVERYTHING)).rows) == 2
    assert inventory.board(View(Sight())).rows == ()
    assert sorted(inventory.namespaces) == ["shop", "vault"]


def test_a_change_is_noted_once_and_the_same_object_again_is_none() -> None:
    inventory = filled(release("web"))
    version = inventory.version
    inventory.changed(RELEASE, copy.deepcopy(release("web")))
    assert inventory.version == version
    inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK))
    changes = inventory.since(version)
    assert changes is not None
    assert [(c.before and c.before.cell.phase, c.after and c.after.cell.phase) for c in changes] == [("Ready", "RolledBack")]
    inventory.deleted(RELEASE, "shop", "web-staging")
    assert [(c.before is None, c.after is None) for c in inventory.since(version + 1) or ()] == [(False, True)]
    assert inventory.namespaces == []
    inventory.deleted(RELEASE, "shop", "web-staging")


def test_of_two_that_claim_a_place_the_holder_is_shown_and_then_the_other() -> None:
    conflict = {"phase": "Failed", "conditions": conditions("TargetConflict", "held", stalled="True")}
    inventory = filled(release("web"), release("web", name="a-web", readiness=conflict))
    assert inventory.board(View(EVERYTHING)).rows[0].cells["staging"].release == "web-staging"
    inventory.deleted(RELEASE, "shop", "web-staging")
    assert inventory.board(View(EVERYTHING)).rows[0].cells["staging"].release == "a-web"


CONFLICT = {"phase": "Failed", "conditions": conditions("TargetConflict", "held", stalled="True")}


@pytest.mark.parametrize(
    "rival",
    [
        # It was refused, and its spec has changed since.
        release("web", name="a-web", readiness=CONFLICT, generation=2),
        release("web", name="a-web", readiness=CONFLICT, annotations={"ecs-release.dev/retry": "7"}),
        # It was not looked at yet.
        {**release("web", name="a-web"), "status": {}},
        release("web", name="a-web", readiness=REFUSED),
    ],
)
def test_who_holds_a_place_goes_by_what_was_said_last(rival: dict[str, Any]) -> None:
    holder = release("web", generation=2)
    for bodies in ((rival, holder), (holder, rival)):
        inventory = filled(*bodies)
        place = Place("shop", "shop", "web", "staging")
        assert [e.cell.release for e in inventory.at(place)] == ["web-staging", "a-web"]
        assert inventory.board(View(EVERYTHING)).rows[0].cells["staging"].release == "web-staging"


def test_a_release_that_goes_to_another_environment_leaves_its_place() -> None:
    inventory = filled(release("web"))
    version = inventory.version
    moved = release("web", environment="production")
    moved["metadata"]["name"] = "web-staging"
    inventory.changed(RELEASE, moved)
    assert [c.after is None for c in inventory.since(version) or ()] == [True, False]
    assert list(inventory.board(View(EVERYTHING)).rows[0].cells) == ["production"]


def test_what_a_list_does_not_have_is_forgotten() -> None:
    inventory = filled(release("web"), release("search"))
    inventory.retain(RELEASE, {("shop", "search-staging")})
    assert [r.service for r in inventory.board(View(EVERYTHING)).rows] == ["search"]
    inventory.retain(ENVIRONMENT, set())
    assert inventory.board(View(EVERYTHING)).columns[0].known is False


def test_what_a_list_of_one_namespace_does_not_have_is_forgotten_there() -> None:
    inventory = filled(release("web"), elsewhere(release("web"), "vault"))
    inventory.retain(RELEASE, set(), "vault")
    assert [r.namespace for r in inventory.board(View(EVERYTHING)).rows] == ["shop"]


def test_one_that_cannot_be_read_hides_no_other() -> None:
    broken = release("web")
    broken["status"]["running"]["sinceTime"] = "yesterday"
    inventory = filled(release("search"), release("web"))
    inventory.changed(RELEASE, broken)
    assert [r.service for r in inventory.board(View(EVERYTHING)).rows] == ["search"]


def test_an_observation_becomes_old_with_time_alone() -> None:
    clock = Clock()
    inventory = filled(release("web"), clock=clock)
    inventory.turn()
    version = inventory.version
    clock.time += timedelta(minutes=4)
    inventory.turn()
    inventory.turn()
    assert [(c.environment, c.turned) for c in inventory.since(version) or ()] == [("staging", True)]
    assert inventory.board(View(EVERYTHING)).columns[0].stale
    inventory.changed(ENVIRONMENT, environment(seen=ago(minutes=-4)))
    assert [c.turned for c in inventory.since(version + 1) or ()] == [True]


def test_a_cell_is_rendered_once_until_it_changes() -> None:
    inventory = filled(release("web"))
    row = inventory.board(View(EVERYTHING)).rows[0]
    first = inventory.cell(row, "staging", row.cells["staging"])
    again = inventory.board(View(Sight(frozenset({"shop"})))).rows[0]
    assert inventory.cell(again, "staging", again.cells["staging"]) is first
    inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK))
    row = inventory.board(View(EVERYTHING)).rows[0]
    assert "RolledBack" in inventory.cell(row, "staging", row.cells["staging"])


def test_only_so_much_is_remembered() -> None:
    inventory = filled()
    for number in range(1100):
        inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK if number % 2 else READY))
        inventory.changed(RELEASE, release("search", readiness=ROLLED_BACK if number % 2 else READY))
    assert inventory.since(1) is None
    assert inventory.since(inventory.version + 1) is None
    assert inventory.since(inventory.version) == []
    assert len(inventory.since(inventory.version - 3) or ()) == 3


def test_filters_narrow_what_is_shown() -> None:
    inventory = filled(release("web"), release("search", readiness=ROLLED_BACK))
    assert [r.service for r in inventory.board(View(EVERYTHING, Filters(troubled=True))).rows] == ["search"]
    assert inventory.board(View(EVERYTHING, Filters(project="other"))).rows == ()


def test_a_cell_that_a_page_has_kept_after_its_release_went_is_forgotten() -> None:
    inventory = filled(release("web"))
    board = inventory.taken(View(EVERYTHING))
    inventory.deleted(RELEASE, "shop", "web-staging")
    for row in board().rows:
        for name, cell in row.cells.items():
            inventory.cell(row, name, cell)
    assert inventory._html
    inventory.turn()
    assert not inventory._html
