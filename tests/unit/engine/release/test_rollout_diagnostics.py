"""What is read to explain a rollout, and when: nothing more for a plain rolling one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from ecs_release.domain.decision.facts import Diagnostics, Facts
from ecs_release.domain.ecs.service import Outage, Service, TaskDefinition
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.rollout_diagnostics import diagnose
from tests.builders.ecs import NEW, NOW, OLD, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.fake_ecs import FakeEcs
from tests.builders.scenarios import BOTH, attempt_under_way, with_rollout

PLAIN = replace(BOTH, strategy="ROLLING")


async def diagnosed(ecs: FakeEcs, given: Facts, memory: Memory | None = None, *, known: bool = True) -> Diagnostics:
    status = given.status
    assert status.rollout is not None and given.place.target is not None
    rollout = status.rollout.model_copy(update={"service_deployment_arn": "arn:sd" if known else None})
    given = changed(given, status=status.model_copy(update={"rollout": rollout}))
    return await diagnose(ecs, given.place.target, given, memory or Memory(NOW))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "known", "calls"),
    [
        (PLAIN, True, 0),
        (PLAIN, False, 1),
        (BOTH, True, 1),
        (replace(BOTH, strategy="CANARY"), True, 1),
        (replace(PLAIN, hooked=True), True, 1),
    ],
)
async def test_stages_are_read_on_each_look_where_there_are_any(seen: Service, known: bool, calls: int) -> None:
    ecs = FakeEcs()
    given = await diagnosed(ecs, attempt_under_way(seen), known=known)
    assert len(ecs.deployments) == calls
    assert (given.service_deployment is not None) is bool(calls)


@pytest.mark.parametrize(("later_s", "stands"), [(5, True), (59, True), (61, False)])
async def test_what_was_told_a_moment_ago_stands(later_s: float, stands: bool) -> None:
    ecs, memory = FakeEcs(), Memory(NOW)
    await diagnosed(ecs, attempt_under_way(), memory)
    ecs.told = None
    again = await diagnosed(ecs, changed(attempt_under_way(), now=NOW + timedelta(seconds=later_s)), memory)
    assert (again.service_deployment is not None) is stands


async def test_protection_is_asked_of_once_a_minute_and_only_while_nothing_moves() -> None:
    ecs, memory = FakeEcs(), Memory(NOW)
    moments = {0: (), 100: (), 125: ("once",), 150: ("once",), 180: ("once",), 190: ("once", "again")}
    for later_s, asked in moments.items():
        given = await diagnosed(ecs, changed(attempt_under_way(PLAIN, idle_s=0), now=NOW + timedelta(seconds=later_s)), memory)
        assert len(ecs.protections) == len(asked), later_s
        assert bool(given.protected) is bool(asked)
    moved = await diagnosed(
        ecs,
        changed(attempt_under_way(PLAIN, idle_s=0), now=NOW + timedelta(seconds=300), outage=Outage(NOW, NOW + timedelta(seconds=290))),
        memory,
    )
    assert moved.protected == ()
    assert ecs.protections[0] == (task(1, OLD).arn, task(1, OLD).arn)


async def test_stopped_tasks_are_read_where_nothing_moves_though_ecs_counts_no_failure() -> None:
    """Its count begins anew with each task that comes up: one that crashes then is never counted."""
    crashed = replace(task(2), stop_code="EssentialContainerExited", stopped_reason="Essential container in task exited")
    ecs, memory = FakeEcs(stopped=[crashed]), Memory(NOW)
    given = attempt_under_way(PLAIN, idle_s=0)
    third_s = given.place.deadline.total_seconds() / 3
    for thirds, listed in {0.9: 0, 1.1: 1, 1.5: 1, 2.1: 2, 3.0: 3}.items():
        found = await diagnosed(ecs, changed(given, now=NOW + timedelta(seconds=thirds * third_s)), memory)
        assert ecs.listed == listed, thirds
        assert [e.task for e in found.evidence] == ([crashed.arn] if listed else [])


@pytest.mark.parametrize("started_by", ["ecs-svc/2", "web"], ids=["by the deployment", "by the service, as some endpoints have it"])
async def test_failed_tasks_are_found_among_many_others(started_by: str) -> None:
    """A crash loop of somebody else's deployment has stopped hundreds before ours."""
    others = [replace(task(1), arn=f"other-{n}", stop_code="EssentialContainerExited", created_at=NOW) for n in range(300)]
    crashed = replace(task(2), started_by=started_by, stop_code="EssentialContainerExited", created_at=NOW)
    given = with_rollout(attempt_under_way(PLAIN, idle_s=1000), intent={"aws_time": NOW - timedelta(minutes=5)})
    found = await diagnosed(FakeEcs(stopped=[*others, crashed]), given)
    assert [e.task for e in found.evidence] == [crashed.arn]


async def test_nobody_asks_where_no_old_task_runs() -> None:
    ecs = FakeEcs()
    await diagnosed(ecs, attempt_under_way(service(deployment(2, state="IN_PROGRESS"), tasks=(task(2),)), idle_s=1000))
    assert ecs.protections == []


@pytest.mark.parametrize(
    ("state", "strategy", "calls"), [("IN_PROGRESS", "CANARY", 1), ("IN_PROGRESS", "ROLLING", 0), ("COMPLETED", "CANARY", 0)]
)
async def test_the_stage_of_somebody_elses_deployment_is_read_where_it_is_in_the_way(state: str, strategy: str, calls: int) -> None:
    ecs, given = FakeEcs(), attempt_under_way(service(deployment(3, state=state), strategy=strategy))
    status = given.status.model_copy(update={"rollout": None})
    found = await diagnose(ecs, given.place.target, changed(given, status=status), Memory(NOW))  # type: ignore[arg-type]
    assert ecs.deployments == ["ecs-svc/3"] * calls
    assert (found.foreign is not None) is bool(calls)
    assert found.service_deployment is None


@dataclass
class WithRevision(FakeEcs):
    """ECS that shows one revision, whatever it is asked for."""

    revision: TaskDefinition | None = None

    async def describe_task_definition(self, arn: str) -> TaskDefinition:
        return self.revision or await super().describe_task_definition(arn)


def consistency(value: str, image: str = ":env") -> TaskDefinition:
    made = task_definition(2, image)
    return replace(made, content={"containerDefinitions": [{**made.containers[0], "versionConsistency": value}]})


REPLACED = service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=(task(2),))


@pytest.mark.parametrize(
    ("what", "seen", "revision", "by_tag", "found"),
    [
        ("each task resolves it", REPLACED, consistency("disabled"), True, True),
        ("ECS resolves it once", REPLACED, consistency("enabled"), True, False),
        ("there is no tag", REPLACED, consistency("disabled", NEW), False, False),
        ("the revision cannot be read", REPLACED, None, True, True),
        ("the revision cannot be read, and names a digest", REPLACED, None, False, False),
        ("ours is PRIMARY", PLAIN, consistency("disabled"), True, False),
    ],
)
async def test_whether_each_task_resolves_its_tag(
    what: str, seen: Service, revision: TaskDefinition | None, by_tag: bool, found: bool
) -> None:
    given = with_rollout(attempt_under_way(seen), environment_tag="Moved" if by_tag else None)
    assert (await diagnosed(WithRevision(revision=revision), given)).each_task_resolves is found, what
