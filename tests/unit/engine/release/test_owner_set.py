"""What a child Release may do, by the ReleaseSet that controls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ecs_release.api.release_status import Rollout
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.release.owner_set import permission_of
from tests.builders.ecs import NEW, NOW, OLD, OTHER
from tests.builders.set_facts import set_of_two


@dataclass
class OneSet:
    """A cluster with one ReleaseSet."""

    body: Mapping[str, Any]

    async def get(self, _: ObjectKey) -> Mapping[str, Any]:
        return self.body


@pytest.mark.parametrize(
    ("what", "wave", "child", "why"),
    [
        ("told in its turn", "Open", {"pinned": OLD}, ""),
        ("its wave is through", "Finished", {"pinned": OLD}, ""),
        ("edited to what its wave will bring", "Pending", {"pinned": OLD}, "has not begun"),
        ("never resolved", "Pending", {"pinned": "", "settled": False}, "has not begun"),
        ("resolved, and no attempt yet", "Pending", {"pinned": NEW, "settled": False}, "has not begun"),
        ("it ran that before", "Pending", {"pinned": NEW}, ""),
        ("edited to something else", "Open", {"digest": OTHER, "pinned": OLD}, "is not acted on, and put back"),
    ],
)
async def test_a_child_acts_on_what_its_set_wants_once_its_wave_has_begun(what: str, wave: str, child: dict[str, Any], why: str) -> None:
    given = set_of_two({}, child, states=("Open", wave))
    api = next(c for c in given.children.values() if c.release.spec.service == "api")
    found = await permission_of(OneSet(given.release_set.to_kubernetes()), api.release, NOW)  # type: ignore[arg-type]

    assert (found.hold.reason if found.hold else "", why in (found.hold.message if found.hold else "")) == (
        "AwaitingReleaseSet" if why else "",
        True,
    ), what


@pytest.mark.parametrize("wave", ["Open", "Finished", "Pending"])
@pytest.mark.parametrize(
    ("what", "child", "waits"),
    [
        ("edited to what the set wants", {"pinned": OLD}, True),
        ("never resolved", {"pinned": "", "settled": False}, True),
        ("resolved, and no attempt yet", {"pinned": NEW, "settled": False}, True),
        ("under way", {"pinned": NEW, "settled": False, "rollout": Rollout(attempt_id="a", pin_id="p")}, False),
        ("it had its attempt", {"pinned": NEW}, False),
    ],
)
async def test_a_child_of_a_suspended_set_begins_nothing(wave: str, what: str, child: dict[str, Any], waits: bool) -> None:
    given = set_of_two({}, child, states=("Open", wave), suspend=True)
    api = next(c for c in given.children.values() if c.release.spec.service == "api")
    found = await permission_of(OneSet(given.release_set.to_kubernetes()), api.release, NOW)  # type: ignore[arg-type]
    assert (found.hold is not None and found.awaits_turn) is waits, what
    if found.hold is not None:
        assert (found.hold.reason, found.hold.message) == (
            "Suspended",
            "ReleaseSet 'all' is suspended: spec.suspend is true: nothing is deployed until it is false",
        ), what


@pytest.mark.parametrize(
    ("metadata", "spec"),
    [({"name": "any"}, {}), ({}, {"environment_ref": {"name": "stage"}}), ({}, {"project_ref": {"name": "other"}})],
    ids=["of another name", "into another Environment", "of another Project"],
)
async def test_a_release_that_its_set_has_not_made_does_nothing(metadata: dict[str, Any], spec: dict[str, Any]) -> None:
    """It names the set as its controller, with its uid, and asks for what the set wants: anybody who may write Releases can do that."""
    given = set_of_two({}, {"pinned": OLD}, states=("Open", "Open"))
    api = next(c.release for c in given.children.values() if c.release.spec.service == "api")
    forged = type(api).model_validate(
        {**api.model_dump(), "metadata": {**api.metadata.model_dump(), **metadata}, "spec": {**api.spec.model_dump(), **spec}}
    )
    bodies = OneSet(given.release_set.to_kubernetes())
    assert (await permission_of(bodies, api, NOW)).hold is None  # type: ignore[arg-type]
    hold = (await permission_of(bodies, forged, NOW)).hold  # type: ignore[arg-type]
    assert hold is not None and "has not made this Release" in hold.message


@pytest.mark.parametrize(
    ("what", "entry", "ready", "right", "returns"),
    [
        ("under way", {"id": "a", "commits": "override 1: because"}, None, "override 1: because", False),
        ("through", {"id": "a", "commits": "override 1: because", "outcome": "Failed"}, None, "", False),
        ("by what its children are told, too", {"id": "a", "commits": "rollbackFrom 1a2b3c4"}, None, "", False),
        ("it goes back to what it was Ready on", {"id": "a"}, NEW, "", True),
        ("it was Ready on something else", {"id": "a"}, OLD, "", False),
    ],
)
async def test_what_a_set_may_do_against_the_commit_graph_its_children_may(
    what: str, entry: dict[str, Any], ready: str | None, right: str, returns: bool
) -> None:
    given = set_of_two({"pinned": OLD}, {"pinned": OLD}, states=("Open", "Open"))
    body = given.release_set.to_kubernetes()
    body["status"]["history"] = [entry]
    if ready:
        pin = {"images": [{"container": "app", "digest": ready}]}
        body["status"]["lastReady"] = {"services": [{"name": s, "pin": pin} for s in ("web", "api")]}
    api = next(c for c in given.children.values() if c.release.spec.service == "api")
    found = await permission_of(OneSet(body), api.release, NOW)  # type: ignore[arg-type]
    assert (found.hold, found.commit_right, found.returning) == (None, right, returns), what
