"""Where commits are: many at once stand as one by one, and how it is said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.domain.presence import table
from ecs_release.domain.presence.answers import Answer
from ecs_release.pages.commits.places import service_places, standings
from tests.unit.domain.presence.bodies import (
    COMMIT,
    EARLIER,
    EARLIEST,
    NEW,
    OLD,
    attempt,
    change,
    graph,
    ready,
    release,
    running,
    runs,
)

WANTS_NEW = {"releaseHash": NEW}
OPEN = {"attemptID": "1", "startTime": EARLIER, "images": [change(OLD, NEW)]}


def contains(commit: str, release_hash: str) -> Answer:
    return graph(release_hash)


def stand(*releases: Release) -> Any:
    return standings([COMMIT], service_places(table.places(releases, [], {}, {})), contains)[COMMIT]


@pytest.mark.parametrize(
    ("body", "word", "message"),
    [
        (release(running=runs(NEW)), "live", ""),
        (release(WANTS_NEW, running=runs(OLD), rollout=OPEN), "in flight", "Succeeded: said"),
        (release(WANTS_NEW, running=runs(OLD), conditions=ready("AwaitingWindow", "False")), "waiting", "AwaitingWindow: said"),
        (release(WANTS_NEW, running=runs(OLD), conditions=ready("RolledBack", "False")), "failed", "RolledBack: said"),
        (release(running=runs(OLD)), "not yet", ""),
        (release(running=runs(OLD), history=[attempt(OLD, NEW, "RolledBack")]), "failed", "RolledBack"),
        (release(running=running(count=0)), "not yet", ""),
        (release(running=runs("f" * 40)), "unknown", "this clone has no commit"),
    ],
)
def test_how_it_is_said(body: Release, word: str, message: str) -> None:
    (group,) = stand(body)["staging"]
    assert group.standing.word == word
    assert message in group.standing.message
    assert group.standing.is_live == (word == "live")


def test_what_was_here_says_for_how_long() -> None:
    history = [attempt(NEW, OLD, ended=EARLIER), attempt(OLD, NEW, ended=EARLIEST)]
    (group,) = stand(release(running=runs(OLD), history=history))["staging"]
    its = group.standing
    assert (its.word, its.since, its.until) == ("was here, gone", datetime.fromisoformat(EARLIEST), datetime.fromisoformat(EARLIER))


def test_services_that_stand_alike_are_one_group() -> None:
    found = stand(
        release(running=runs(NEW)), release(running=runs(NEW), service="mail"), release(running=runs(OLD), service="search"),
        release(running=runs(OLD), environment="production"),
    )  # fmt: skip
    assert {(name, g.standing.word, g.services) for name, groups in found.items() for g in groups} == {
        ("staging", "live", ("mail", "web")), ("staging", "not yet", ("search",)), ("production", "not yet", ("web",)),
    }  # fmt: skip


def test_a_history_is_decided_once_for_commits_that_the_same_hashes_contain(monkeypatch: pytest.MonkeyPatch) -> None:
    decided = []
    from ecs_release.pages.commits import places as module

    real = module._standing
    monkeypatch.setattr(module, "_standing", lambda place, answers: decided.append(1) or real(place, answers))
    places = service_places(table.places([release(running=runs(NEW))], [], {}, {}))
    commits = [f"{n:040x}" for n in range(100)]
    found = standings(commits, places, contains)
    assert len(found) == 100 and len(decided) == 1
