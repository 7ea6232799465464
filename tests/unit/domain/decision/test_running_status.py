"""`status.running`: every digest of every container, within bounds, and what an unknown one is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecs_release.domain.decision.running_status import running
from ecs_release.domain.ecs.service import Container, Task
from ecs_release.domain.model.image_names import short_digest
from tests.builders.ecs import NEW, OLD, deployment, revision, service, task
from tests.unit.domain.retention.test_image_availability import facts


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
    found = running(facts(seen=seen, release_hashes={NEW: "v2"}))
    assert found is not None and found.hash == "v2"
    shown = {c.name: [(d.digest, d.tasks, d.release_hash) for d in c.digests or ()] for c in found.containers or ()}
    assert shown == {"app": [(NEW, 3, "v2")], "guard": [(None, 3, None)], "log": [(OLD, 3, None)]}


def test_what_is_shown_is_bounded() -> None:
    found = running(facts(seen=service(deployment(2), tasks=many(40, 40))))
    assert found is not None and found.containers is not None
    assert len(found.containers) == 30
    assert all(len(c.digests or ()) == 20 for c in found.containers)
    first = (found.containers[0].digests or [])[0]
    assert (first.digest, first.tasks) == (digest(1), 2), "the most frequent come first"


@pytest.mark.parametrize(
    ("hashes", "expected"), [({NEW: "v2"}, "v2"), ({}, short_digest(NEW)), ({OLD: "v1"}, short_digest(NEW)), ({NEW: "v2", OLD: "v1"}, "v2")]
)
def test_a_mix_is_called_by_what_most_tasks_show(hashes: dict[str, str], expected: str) -> None:
    found = running(facts(seen=service(deployment(2), tasks=(task(2), task(2), task(1, OLD))), release_hashes=hashes))
    assert found is not None and found.hash == expected
