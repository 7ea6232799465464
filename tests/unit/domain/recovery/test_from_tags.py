"""What tags on task definitions tell of a Release that has no status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.ecs.revision_content import content_hash
from ecs_release.domain.ecs.service import Service, TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.recovery.from_tags import Past, recover
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, OLD, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.scenarios import attempt_under_way

OURS = Ownership("default", "shop/web", "source", "1")


def registered(number: int, digest: str = NEW, owner: Ownership = OURS, **more: Any) -> TaskDefinition:
    """A revision with the tags of an attempt, and the hash of its content."""
    made = task_definition(number, digest, **more)
    return replace(made, tags=owner.tags() | {"ecs-release.dev/content": content_hash(made.content)})


COPY = replace(registered(3), tags=registered(3).tags | {"ecs-release.dev/content": content_hash({"family": "web"})})
OF_OTHERS = {
    "another source": replace(OURS, source="other"),
    "another Release": replace(OURS, release="shop/worker"),
    "another installation": replace(OURS, installation="second"),
}
BY_ECS = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/5."
DONE, MOVES = service(deployment(2)), service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"))


def at(number: int, **more: Any) -> Service:
    """The service, whose PRIMARY deployment has a revision of that number."""
    return service(deployment(number, **more))


@pytest.mark.parametrize(
    ("what", "seen", "running", "newest", "past"),
    [
        ("no revision is ours", at(1), task_definition(1), (), Past.NOTHING),
        ("ours runs", DONE, registered(2), (), Past.RUNS),
        ("ours runs, behind a Classic Load Balancer", at(2, state=None), registered(2), (), Past.RUNS),
        ("ours is being rolled out", MOVES, registered(2), (), Past.UNDER_WAY),
        ("old tasks are still drained", service(deployment(2), deployment(1, status="ACTIVE")), registered(2), (), Past.UNDER_WAY),
        ("ECS has given ours up", at(2, state="FAILED"), registered(2), (), Past.UNDER_WAY),
        ("ours runs other digests than the source means now", DONE, registered(2, OTHER), (), Past.OLDER),
        ("ours names a tag", DONE, registered(2, "v1"), (), Past.OLDER),
        ("an earlier one runs", at(1), task_definition(1), (registered(2),), Past.ROLLED_BACK),
        ("a later one runs", at(3), task_definition(3), (registered(2),), Past.SUPERSEDED),
        ("a later one runs, to which ECS rolls back", at(3, rollout_state_reason=BY_ECS), task_definition(3), (registered(2),), Past.ROLLED_BACK),
        ("one of another family runs", at(1), replace(task_definition(1), family="web-2"), (registered(2),), Past.SUPERSEDED),
        ("an earlier one of ours runs, too", at(2), task_definition(2), (registered(1), registered(3)), Past.ROLLED_BACK),
        ("what runs is a copy with our tags", at(3), COPY, (), Past.NOTHING),
        ("what runs is a copy, and ours is there", at(3), COPY, (registered(2),), Past.SUPERSEDED),
        *((f"what is there is {what}'s", at(1), task_definition(1), (registered(2, owner=by),), Past.NOTHING) for what, by in OF_OTHERS.items()),
        *((f"what runs is {what}'s", at(3), registered(3, owner=by), (registered(2),), Past.SUPERSEDED) for what, by in OF_OTHERS.items()),
    ],
)  # fmt: skip
def test_what_became_of_a_source(what: str, seen: Service, running: TaskDefinition, newest: tuple[TaskDefinition, ...], past: Past) -> None:
    found = recover(seen, running, newest, {"app": NEW}, installation="default", release="shop/web", source="source")
    assert found.past is past, what
    assert (found.revision is None) == (past is Past.NOTHING)
    assert found.owner == (OURS if found.revision else None)


def test_the_newest_revision_of_the_source_counts() -> None:
    found = recover(
        at(2), task_definition(2), (registered(1), registered(4), registered(3)), {"app": NEW},
        installation="default", release="shop/web", source="source",
    )  # fmt: skip
    assert found.revision is not None and found.revision.arn == revision(4)


@pytest.mark.parametrize(
    ("runs", "outcome", "message"),
    [
        (
            1,
            "RolledBack",
            "web:2 was registered for the same source before, and web:1 is in its place now: ECS rolled back, or somebody went back, or it"
            " was never deployed",
        ),
        (
            3,
            "Superseded",
            "web:2 was registered for the same source before, and web:3 is in its place now: somebody deployed that later, or ECS or somebody"
            " went back to it",
        ),
    ],
)
def test_what_is_held_says_no_more_than_tags_tell(runs: int, outcome: str, message: str) -> None:
    given = attempt_under_way(service(deployment(runs), tasks=(task(runs, OLD), task(runs, OLD))))
    pin = given.wanted.pin
    assert pin is not None
    owner = Ownership(given.limits.installation, given.name, pin.source_hash or "", "1")
    lost = changed(given, status=ReleaseStatus(), running=task_definition(runs, OLD), newest=(registered(2, owner=owner),))
    decision = decide(lost)
    assert decision.act is None
    assert decision.status.rollout is not None
    assert decision.status.rollout.outcome == outcome
    assert (decision.status.rollout.message or "").startswith(message)
