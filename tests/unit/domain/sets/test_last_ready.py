"""What a set was Ready on: what was proven to run then, and what a rollback and a return rest on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage, ReadyImage
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetLastReady
from ecs_release.domain.model.conditions import held, ready
from ecs_release.domain.sets.commit_gate import is_returning, returning
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.domain.sets.pins import pin
from tests.builders.ecs import NEW, OLD, OTHER
from tests.builders.set_facts import set_of_two

NOTHING: dict[str, Any] = {"situation": ready(Reason.NOTHING_RUNNING, "no task is wanted"), "settled": False}
OFF: dict[str, Any] = {"situation": held(True, Reason.SUSPENDED, "no task is wanted"), "settled": False}
BEFORE = {
    "sourceHash": "before",
    "services": [{"name": n, "pin": {"images": [{"container": "app", "digest": OLD}]}} for n in ("web", "api")],
}


def pins(status: ReleaseSetStatus) -> dict[str, str | None]:
    """The digest that each service was Ready on."""
    lines = (status.last_ready.services if status.last_ready else None) or ()
    return {s.name: s.pin.images[0].digest if s.pin and s.pin.images else None for s in lines}


def through(web: dict[str, Any], api: dict[str, Any], last_ready: Any = None) -> SetFacts:
    """A set both waves of which are about to end well."""
    given = set_of_two(web, api, states=("Finished", "Open"))
    status = given.status.model_copy(update={"last_ready": SetLastReady.model_validate(last_ready) if last_ready else None})
    return replace(given, release_set=given.release_set.model_copy(update={"status": status}))


@pytest.mark.parametrize(
    ("what", "web", "api", "before", "expected"),
    [
        ("both are proven", {}, {}, BEFORE, {"web": NEW, "api": NEW}),
        ("nothing runs of one", {}, NOTHING, BEFORE, {"web": NEW, "api": None}),
        ("nothing runs of one, which is suspended", {}, OFF, BEFORE, {"web": NEW, "api": None}),
        ("nothing runs", NOTHING, NOTHING, BEFORE, {"web": OLD, "api": OLD}),
        ("nothing runs, and nothing was proven before", NOTHING, NOTHING, None, {}),
        ("nothing runs of one just now, and it was proven", {}, NOTHING | {"settled": True}, BEFORE, {"web": NEW, "api": NEW}),
    ],
)
def test_a_set_was_ready_on_what_was_proven(
    what: str, web: dict[str, Any], api: dict[str, Any], before: dict[str, Any] | None, expected: dict[str, str | None]
) -> None:
    status = decide_set(through(web, api, before)).status

    assert [e.outcome for e in status.history or ()] == ["Succeeded"], what
    assert pins(status) == expected, what


@pytest.mark.parametrize("web", [{}, NOTHING])
def test_what_is_proven_later_is_taken_in_once(web: dict[str, Any]) -> None:
    ended = decide_set(through(web, NOTHING, BEFORE)).status
    at_rest = through({}, {})
    at_rest = replace(at_rest, release_set=at_rest.release_set.model_copy(update={"status": ended}))
    later = decide_set(at_rest).status

    assert pins(later) == {"web": NEW, "api": NEW}
    again = replace(at_rest, release_set=at_rest.release_set.model_copy(update={"status": later}), now=at_rest.now.replace(year=2100))
    assert decide_set(again).status.last_ready == later.last_ready


def images(digest: str) -> tuple[PinnedImage, ...]:
    return (PinnedImage(container="app", digest=digest),)


@pytest.mark.parametrize(
    ("what", "ready_on", "idle", "proven", "expected"),
    [
        ("the set was Ready on it", OTHER, False, NEW, OTHER),
        ("the set was Ready on it, and nothing runs", OTHER, True, NEW, OTHER),
        ("it runs", None, False, NEW, OLD),
        ("nothing runs: what was proven last", None, True, NEW, NEW),
        ("nothing runs, and nothing was proven: what would run", None, True, None, OLD),
    ],
)
def test_a_rollback_returns_to_what_was_proven(what: str, ready_on: str | None, idle: bool, proven: str | None, expected: str) -> None:
    line = {"name": "web"} | ({"pin": {"images": [{"container": "app", "digest": ready_on}]}} if ready_on else {})
    resolved = [Resolved("web", images(NEW), images(OLD), idle)]
    proofs = {"web": [ReadyImage(container="app", digest=proven)] if proven else []}
    found = pin("all", ["web"], resolved, SetLastReady.model_validate({"services": [line]}), {}, proofs)

    assert [i.digest for i in found["web"].previous or ()] == [expected], what


def test_a_deployment_set_that_begins_knows_what_its_services_have_proven() -> None:
    given = set_of_two({"digest": OTHER, "pinned": OTHER}, NOTHING | {"digest": OLD, "pinned": OLD})
    status = given.status.model_copy(update={"source_hash": "another"})
    resolved = tuple(Resolved(s, images(NEW), images(OLD), idle=True) for s in ("web", "api"))
    begun = decide_set(replace(given, release_set=given.release_set.model_copy(update={"status": status}), resolved=resolved)).status

    assert {s.name: [i.digest for i in s.previous or ()] for s in begun.services or ()} == {"web": [OTHER], "api": [OLD]}


@pytest.mark.parametrize(
    ("what", "last_ready", "expected"),
    [
        ("all of it was proven", {"web": {"app": OLD}, "api": {"app": OLD}}, {"web", "api"}),
        ("nothing ran of one then", {"web": {"app": OLD}, "api": {}}, {"web"}),
        ("one goes elsewhere", {"web": {"app": OLD}, "api": {"app": NEW}}, set()),
        ("one was not in the set then", {"web": {"app": OLD}}, set()),
        ("nothing ran", {"web": {}, "api": {}}, set()),
    ],
)
def test_what_never_ran_gives_no_right_to_return(what: str, last_ready: dict[str, dict[str, str]], expected: set[str]) -> None:
    wanted = {"web": {"app": OLD}, "api": {"app": OLD}}

    assert returning(last_ready, wanted) == expected, what


def test_each_service_is_asked_about_its_own_right() -> None:
    lines = [{"name": n, "images": [{"container": "app", "digest": NEW}]} for n in ("web", "api")]
    last_ready = {"services": [{"name": "web", "pin": {"images": [{"container": "app", "digest": NEW}]}}, {"name": "api"}]}
    status = ReleaseSetStatus.model_validate({"services": lines, "lastReady": last_ready})

    assert [is_returning(status, name) for name in ("web", "api")] == [True, False]
