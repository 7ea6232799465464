"""`status.running`: every digest of every container, within bounds, and what an unknown one is called."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import Running
from ecs_release.domain.decision.running_status import running
from ecs_release.domain.ecs.service import Container, Outage, Service, Task
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, NOW, OLD, deployment, revision, service, task
from tests.builders.facts import changed
from tests.builders.scenarios import PAUSE, deployed, service_deployment


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def many(tasks: int, containers: int) -> tuple[Task, ...]:
    """Tasks of which each shows digests of its own; the first two are alike."""
    return tuple(
        Task(f"t{n}", revision(2), "ecs-svc/2", "RUNNING", "RUNNING", tuple(Container(f"c{c:02}", "", digest(max(n, 1))) for c in range(containers)))
        for n in range(tasks)
    )  # fmt: skip


def test_sidecars_are_shown_and_counted() -> None:
    both = (Container("app", "", NEW), Container("log", "", OLD), Container("guard", "", ""))
    seen = service(deployment(2), tasks=tuple(replace(task(2), containers=both) for _ in range(3)))
    found = running(deployed(seen=seen, release_hashes={NEW: "v2"}))
    assert found is not None and found.hash == "v2"
    shown = {c.name: [(d.digest, d.tasks, d.release_hash) for d in c.digests or ()] for c in found.containers or ()}
    assert shown == {"app": [(NEW, 3, "v2")], "guard": [(None, 3, None)], "log": [(OLD, 3, None)]}


def test_what_is_shown_is_bounded() -> None:
    found = running(deployed(seen=service(deployment(2), tasks=many(40, 40))))
    assert found is not None and found.containers is not None
    assert len(found.containers) == 30
    assert all(len(c.digests or ()) == 20 for c in found.containers)
    first = (found.containers[0].digests or [])[0]
    assert (first.digest, first.tasks) == (digest(1), 2), "the most frequent come first"


def test_counts_that_the_crd_does_not_admit_stop_at_its_bound_and_the_summary_has_them_whole() -> None:
    status = decide(deployed(seen=service(deployment(2), tasks=(task(2),), running=1_234_567, desired=9_999_999))).status.to_kubernetes()
    assert (status["running"]["runningCount"], status["running"]["desiredCount"]) == (1_000_000, 1_000_000)
    assert status["summary"]["tasks"] == "1234567/9999999"


@pytest.mark.parametrize(
    ("hashes", "expected"), [({NEW: "v2"}, "v2"), ({}, short_digest(NEW)), ({OLD: "v1"}, short_digest(NEW)), ({NEW: "v2", OLD: "v1"}, "v2")]
)
def test_a_mix_is_called_by_what_most_tasks_show(hashes: dict[str, str], expected: str) -> None:
    found = running(deployed(seen=service(deployment(2), tasks=(task(2), task(2), task(1, OLD))), release_hashes=hashes))
    assert found is not None and found.hash == expected


MOVES, RESTS = service(deployment(2, state="IN_PROGRESS", age_s=9000), tasks=(task(2),)), service(deployment(2), tasks=(task(2),))
THEN, MINUTE = NOW - timedelta(seconds=500), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("what", "seen", "before", "more", "since"),
    [
        ("seen for the first time, however old", MOVES, None, {}, NOW),
        ("seen at rest before: ECS goes back to it", MOVES, Running(deployment_id="ecs-svc/2"), {}, NOW),
        ("another one was", MOVES, Running(deployment_id="ecs-svc/1", under_way_since_time=THEN), {}, NOW),
        ("seen before", MOVES, Running(deployment_id="ecs-svc/2", under_way_since_time=THEN), {}, THEN),
        ("unread meanwhile", MOVES, Running(deployment_id="ecs-svc/2", under_way_since_time=THEN), {"outage": Outage(THEN, NOW)}, NOW),
        ("unread for a while", MOVES, Running(deployment_id="ecs-svc/2", under_way_since_time=THEN), {"outage": Outage(NOW - MINUTE, NOW)}, THEN + MINUTE),
        ("paused", MOVES, Running(deployment_id="ecs-svc/2", under_way_since_time=THEN), {"foreign": service_deployment(hooks=(PAUSE,))}, None),
        ("done", RESTS, Running(deployment_id="ecs-svc/2", under_way_since_time=THEN), {}, None),
    ],
)  # fmt: skip
def test_since_when_a_deployment_is_under_way_is_what_was_seen(
    what: str, seen: Service, before: Running | None, more: dict[str, Any], since: datetime | None
) -> None:
    given = deployed(seen=seen, **more)
    found = running(changed(given, status=given.status.model_copy(update={"running": before})))
    assert found is not None and found.under_way_since_time == since, what
