"""Services by environments, and whether a commit is live everywhere."""

from __future__ import annotations

import pytest

from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.domain.presence.presence import State
from ecs_release.domain.presence.table import PresenceTable, build, narrowed
from tests.unit.domain.presence.bodies import ABSENT, NEW, OLD, container, graph, ready, release, release_set, running, runs

PROJECT = Project.model_validate(
    {
        "metadata": {"name": "shop", "namespace": "shop", "generation": 1},
        "spec": {"serviceSets": [{"name": "all", "services": [
            {"name": name, "containers": [{"name": "app", "repository": f"shop/{name}"}]} for name in ("web", "api")
        ]}]},
    }
)  # fmt: skip
PROJECTS = {("shop", "shop"): PROJECT}
IDLE = release(
    {"releaseHash": NEW}, service="api", running=running(container("app", **{NEW: 0}), count=0), conditions=ready("NothingRunning")
)


def states(found: PresenceTable) -> dict[str, dict[str, State]]:
    return {row.service: {name: cell.state for name, cell in row.cells.items()} for row in found.rows}


def test_services_down_environments_across() -> None:
    bodies = [release(running=runs(OLD), environment="production"), release(running=runs(NEW)), release(running=runs(NEW), service="api")]
    found = build(bodies, (), PROJECTS, {}, graph)
    assert found.environments == ("production", "staging")
    assert states(found) == {"api": {"staging": State.LIVE}, "web": {"production": State.NOT_YET, "staging": State.LIVE}}


def test_services_of_a_set_that_have_no_release_yet_have_a_cell() -> None:
    found = build([release(running=runs(NEW))], [release_set({"releaseHash": NEW})], PROJECTS, {}, graph)
    assert states(found) == {"api": {"staging": State.WAITING}, "web": {"staging": State.LIVE}}
    only = release_set({"releaseHash": NEW}, spec={"services": ["web"]})
    assert states(build([], [only], PROJECTS, {}, graph)) == {"web": {"staging": State.WAITING}}
    unread = release_set({"releaseHash": NEW}, services=[{"name": "web"}])
    assert states(build([], [unread], {}, {}, graph)) == {"web": {"staging": State.WAITING}}, "without the Project, those of its status"


def test_of_two_releases_of_one_service_the_holder_is_shown() -> None:
    refused = release({"releaseHash": NEW}, name="a", conditions=ready("TargetConflict", "False"))
    found = build([refused, release(running=runs(NEW))], (), PROJECTS, {}, graph)
    assert states(found) == {"web": {"staging": State.LIVE}}


def test_a_release_that_was_not_looked_at_yet_or_goes_nowhere_does_not_hide_the_holder() -> None:
    not_seen = {"type": "InSync", "status": "Unknown", "lastTransitionTime": "2026-11-24T11:00:00Z", "reason": "NotObserved"}
    others = [
        release({"releaseHash": OLD}, name="a", conditions=None),
        release({"releaseHash": OLD}, name="b", conditions=[*ready("InvalidSpec", "False"), not_seen], running=runs(OLD)),
        release({"releaseHash": OLD}, name="c", conditions=ready("TargetConflict", "False"), observedGeneration=0),
    ]
    for other in others:
        found = build([other, release(running=runs(NEW))], (), PROJECTS, {}, graph)
        assert states(found) == {"web": {"staging": State.LIVE}}


def test_what_was_not_observed_is_said_of_its_environment() -> None:
    bodies = [release(running=runs(NEW)), release(running=runs(NEW), environment="production")]
    found = build(bodies, (), PROJECTS, {"production": "not observed for 20m"}, graph)
    assert states(found) == {"web": {"production": State.UNKNOWN, "staging": State.LIVE}}


@pytest.mark.parametrize(
    ("bodies", "live"),
    [
        ([], False),
        ([release(running=runs(NEW))], True),
        ([release(running=runs(NEW)), release(running=runs(NEW), environment="production")], True),
        ([release(running=runs(NEW)), release(running=runs(OLD), environment="production")], False),
        ([release(running=runs(NEW)), release(running=runs(ABSENT), environment="production")], False),
        ([release(running=runs(f"claimed:{NEW}"))], False),
        ([release(running=runs(NEW)), IDLE], True),
        ([IDLE], False),
    ],
)
def test_live_everywhere(bodies: list[Release], live: bool) -> None:
    assert build(bodies, (), PROJECTS, {}, graph).is_live_everywhere is live


def test_narrowed_to_environments_and_services() -> None:
    bodies = [release(running=runs(OLD), environment="production"), release(running=runs(NEW)), release(running=runs(NEW), service="api")]
    found = build(bodies, (), PROJECTS, {}, graph)
    assert narrowed(found, None, None) == found
    assert states(narrowed(found, ["staging"], None)) == {"api": {"staging": State.LIVE}, "web": {"staging": State.LIVE}}
    assert narrowed(found, ["staging"], None).environments == ("staging",)
    assert states(narrowed(found, ["production"], ["api"])) == {}
