"""Where a commit is: a table of statuses. What is not known is never "not yet", and nothing is live that tasks do not show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.domain.presence.answers import mentioned
from ecs_release.domain.presence.presence import Place, State, is_there, presence
from ecs_release.domain.sets.facts import set_source_hash
from tests.unit.domain.presence.bodies import (
    ABSENT,
    BEGAN,
    COMMIT,
    EARLIER,
    EARLIEST,
    NEW,
    OLD,
    SIDE,
    SINCE,
    attempt,
    change,
    container,
    digest,
    graph,
    pin,
    ready,
    release,
    release_set,
    running,
    runs,
)

WANTS_NEW = {"releaseHash": NEW}
OPEN = {"attemptID": "1", "startTime": BEGAN, "images": [change(OLD, NEW), change(OLD, OLD, "log", unlisted=True)]}


def at(body: Release, **more: Any) -> Place:
    return Place("web", body, listed=frozenset({"app"}), **more)


NOT_PROVEN = {"type": "InSync", "status": "Unknown", "lastTransitionTime": SINCE, "reason": "NotObserved"}
LEFT_ALONE = [*ready("TargetNotAllowed", "False"), NOT_PROVEN]

TABLE: list[tuple[str, Release, State, str]] = [
    ("it is what runs", release(running=runs(COMMIT)), State.LIVE, ""),
    ("what runs contains it", release(running=runs(NEW)), State.LIVE, ""),
    ("it runs, and something else is wanted", release(running=runs(NEW), conditions=ready("Drifted", "False")), State.LIVE, "said"),
    ("it runs, suspended", release(running=runs(NEW), conditions=ready("Suspended", "True")), State.LIVE, ""),
    ("nothing is known of it", release(running=runs(OLD)), State.NOT_YET, ""),
    ("diverged is not contained", release(running=runs(SIDE)), State.NOT_YET, ""),
    ("one of two tasks has it", release(running=running(container("app", **{OLD: 1, NEW: 1}))), State.NOT_YET, ""),
    ("an attempt brings it", release(WANTS_NEW, running=runs(OLD), rollout=OPEN), State.IN_FLIGHT, "said"),
    ("an attempt is half through",
     release(WANTS_NEW, running=running(container("app", **{OLD: 1, NEW: 1})), rollout=OPEN), State.IN_FLIGHT, "said"),
    ("an attempt to what is older is under way",
     release(running=runs(OLD), rollout={**OPEN, "images": [change(NEW, OLD)]}), State.NOT_YET, ""),
    ("an attempt has ended",
     release(WANTS_NEW, running=runs(OLD), rollout={**OPEN, "outcome": "RolledBack"}, conditions=ready("RolledBack", "False")), State.WAITING, "said"),
    ("a window is closed", release(WANTS_NEW, running=runs(OLD), conditions=ready("AwaitingWindow", "False")), State.WAITING, "said"),
    ("it goes backwards", release(WANTS_NEW, running=runs(SIDE), conditions=ready("GoesBackwards", "False")), State.WAITING, "said"),
    ("drifted away from it",
     release(WANTS_NEW, running=runs(OLD), pin=pin(NEW, WANTS_NEW), conditions=ready("Drifted", "False")), State.WAITING, "said"),
    ("the operator has not looked", release(WANTS_NEW, running=runs(OLD), observedGeneration=0), State.WAITING, "not looked at this version"),
    ("a tag means it", release({"tag": "latest"}, running=runs(OLD), pin=pin(NEW, {"tag": "latest"})), State.WAITING, "said"),
    ("it is not known what a tag means", release({"tag": "latest"}, running=runs(OLD)), State.UNKNOWN, "which commit tag latest means"),
    ("a tag meant something else before",
     release({"tag": "latest"}, running=runs(OLD), pin=pin(NEW, WANTS_NEW)), State.UNKNOWN, "which commit tag latest means"),
    ("the clone lacks what runs", release(running=runs(ABSENT)), State.UNKNOWN, "git fetch"),
    ("the clone lacks what is wanted", release({"releaseHash": ABSENT}, running=runs(OLD)), State.UNKNOWN, "git fetch"),
    ("what runs has no hash", release(running=running(container("app", none=2))), State.UNKNOWN, "no tag with a release hash"),
    ("a task shows no image", release(running=running(container("app", **{NEW: 1}))), State.UNKNOWN, "1 of 2 running tasks do not show"),
    ("no task shows the container", release(running=running(container("log", **{NEW: 2}))), State.UNKNOWN, "2 of 2 running tasks do not show"),
    ("one old task is enough, whatever the others are",
     release(running=running(container("app", **{ABSENT: 1, OLD: 1}))), State.NOT_YET, ""),
    ("other containers do not count", release(running=running(container("app", **{NEW: 2}), container("log", **{OLD: 2}))), State.LIVE, ""),
    ("AWS cannot be read", release(running=runs(NEW), conditions=ready("ObservationFailed", "Unknown")), State.UNKNOWN, "said"),
    ("its Environment does not allow it any more", release(running=runs(NEW), conditions=LEFT_ALONE), State.UNKNOWN, "not observed: said"),
    ("it is stalled, and seen", release(running=runs(NEW), conditions=[*ready("ArtifactNotFound", "False"), NOT_PROVEN]), State.LIVE, "said"),
    ("nothing runs on purpose",
     release(WANTS_NEW, running=running(container("app", **{NEW: 0}), count=0), conditions=ready("NothingRunning", "True")), State.NOTHING_RUNS, ""),
    ("nothing runs, and nothing of it is wanted", release(running=running(container("app", **{OLD: 0}), count=0)), State.NOT_YET, ""),
    ("nothing runs of what ran", release(running=running(container("app", **{NEW: 0}), count=0)), State.NOT_YET, ""),
    ("no service", release(WANTS_NEW, conditions=ready("ServiceNotFound", "False")), State.WAITING, "said"),
    ("no service, and something else is wanted", release(conditions=ready("ServiceNotFound", "False")), State.UNKNOWN, "said"),
    ("it ran before", release(running=runs(OLD), history=[attempt(NEW, OLD)]), State.WAS_HERE, ""),
    ("it was deployed before", release(running=runs(OLD), history=[attempt(OLD, SIDE), attempt(SIDE, NEW)]), State.WAS_HERE, ""),
    ("it was Ready before",
     release(running=runs(OLD), lastReady={"images": [{"container": "app", "digest": digest(NEW), "releaseHash": NEW}]}), State.WAS_HERE, ""),
    ("it failed to come before", release(running=runs(OLD), history=[attempt(OLD, NEW, "RolledBack")]), State.NOT_YET, ""),
    ("it is not known what ran before", release(running=runs(OLD), history=[attempt(ABSENT, OLD)]), State.NOT_YET, "whether it ran before"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "state", "message"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_cells(body: Release, state: State, message: str) -> None:
    cell = presence(at(body), graph)
    assert cell.state is state, cell
    assert message in cell.message, cell
    assert is_there(cell) is (state is State.LIVE)


def test_what_was_not_observed_is_not_known() -> None:
    assert presence(at(release(running=runs(NEW)), unobserved="not observed for 20m"), graph).state is State.UNKNOWN
    assert presence(at(release(running=runs(OLD)), unobserved="not observed for 20m"), graph).message == "not observed for 20m"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (release(running=runs(f"claimed:{NEW}")), State.LIVE),
        (release(running=runs(f"claimed:{OLD}")), State.NOT_YET),
        (release({"images": [{"container": "app", "digest": digest(NEW), "releaseHash": NEW}]}, running=runs(OLD)), State.WAITING),
    ],
)
def test_what_rests_on_a_claim_says_so(body: Release, state: State) -> None:
    cell = presence(at(body), graph)
    assert (cell.state, cell.claimed) == (state, True) and not is_there(cell)


def test_without_its_project_the_pin_says_what_is_released() -> None:
    two = running(container("app", **{NEW: 2}), container("log", **{OLD: 2}))
    assert presence(Place("web", release(WANTS_NEW, running=two, pin=pin(NEW, WANTS_NEW))), graph).state is State.LIVE
    assert presence(Place("web", release(running=two)), graph).state is State.NOT_YET, "all with a hash"
    assert presence(Place("web", release(running=running(container("app", none=2)))), graph).state is State.UNKNOWN


def test_since_when() -> None:
    def since(body: Release) -> str:
        found = presence(at(body), graph).since
        assert found is not None
        return found.isoformat().replace("+00:00", "Z")

    assert since(release(running=runs(NEW))) == SINCE
    assert since(release(running=runs(NEW), history=[attempt(OLD, NEW)])) == EARLIER
    # What ran before contained it, too.
    both = [attempt(COMMIT, NEW), attempt(NEW, COMMIT, "RolledBack"), attempt(OLD, COMMIT, ended=EARLIEST)]
    assert since(release(running=runs(NEW), history=both)) == EARLIEST
    assert since(release(running=runs(NEW), history=[attempt(SIDE, NEW), attempt(OLD, COMMIT, ended=EARLIEST)])) == EARLIER
    # Something else was between: nobody knows since when.
    assert since(release(running=runs(NEW), history=[attempt(OLD, COMMIT, ended=EARLIEST)])) == SINCE
    assert since(release(WANTS_NEW, running=runs(OLD), rollout=OPEN)) == BEGAN
    assert since(release(running=runs(OLD), history=[attempt(NEW, OLD)])) == SINCE


def test_a_manifest_list_whose_platform_runs_is_followed_back() -> None:
    """Tasks show a platform's digest, attempts the manifest list's."""
    listed = {"digest": digest(COMMIT), "platformDigests": [digest(NEW)], "container": "app", "releaseHash": NEW}
    body = release(
        WANTS_NEW,
        running=runs(NEW),
        pin={**pin(NEW, WANTS_NEW), "images": [listed]},
        history=[{**attempt(OLD, COMMIT), "outcome": "Succeeded"}],
    )
    assert presence(at(body), graph).since == datetime.fromisoformat(EARLIER)


SERVICES: dict[str, Any] = {"services": [{"name": "web", "images": [{"container": "app", "digest": digest(NEW), "releaseHash": NEW}]}]}


@pytest.mark.parametrize(
    ("source", "status", "state"),
    [
        pytest.param(WANTS_NEW, {}, State.WAITING, id="nothing of the set is resolved"),
        pytest.param(WANTS_NEW, SERVICES, State.WAITING, id="its wave has not come"),
        pytest.param({"releaseHash": OLD}, SERVICES, State.WAITING, id="a newer one goes on while an older one waits"),
        pytest.param({"releaseHash": OLD}, {}, State.NOT_YET, id="it wants what is older"),
        pytest.param({"tag": "latest"}, {}, State.UNKNOWN, id="it is not known what it wants"),
        pytest.param({"environmentRef": {"name": "x"}}, {}, State.UNKNOWN, id="it is not known what it promotes"),
    ],
)
def test_sets(source: dict[str, Any], status: dict[str, Any], state: State) -> None:
    wanting = release_set(source, **status)
    cell = presence(at(release(running=runs(OLD)), release_set=wanting), graph)
    assert cell.state is state
    if state is State.WAITING:
        assert (cell.reason, cell.message) == ("RollingOut", "said")


def test_a_set_whose_source_is_resolved_wants_what_it_has_resolved() -> None:
    """A tag that meant NEW when it was resolved; what it keeps for a service without an image is older."""
    source = {"tag": "latest"}
    name = set_source_hash(release_set(source).spec)
    assert (
        presence(at(release(running=runs(OLD)), release_set=release_set(source, sourceHash=name, **SERVICES)), graph).state is State.WAITING
    )
    kept: dict[str, Any] = {
        "services": [{"name": "web", "origin": "Kept", "images": [{"container": "app", "digest": digest(OLD), "releaseHash": OLD}]}]
    }
    assert presence(at(release(running=runs(OLD)), release_set=release_set(source, sourceHash=name, **kept)), graph).state is State.NOT_YET


def test_an_override_of_a_set_counts_for_its_service() -> None:
    spec = {"overrides": [{"service": "web", "source": {"releaseHash": NEW}}]}
    assert presence(at(release(running=runs(OLD)), release_set=release_set({"releaseHash": OLD}, spec=spec)), graph).state is State.WAITING


def test_a_set_without_its_release() -> None:
    assert presence(Place("web", None, release_set(WANTS_NEW)), graph).state is State.WAITING
    assert presence(Place("web", None, release_set({"releaseHash": OLD})), graph).state is State.UNKNOWN, "nothing is known of what runs"


def test_all_hashes_that_may_be_asked_about_are_found() -> None:
    body = {
        "spec": {"source": {"images": [{"releaseHash": "1"}]}},
        "status": {"history": [{"images": [{"fromHash": "2", "toHash": "claimed:3"}]}], "running": {"hash": "short", "containers": []}},
    }
    assert list(mentioned(body)) == ["1", "2", "3"]
