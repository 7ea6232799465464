"""A look that contradicts an earlier one may be an older answer: it changes nothing until it has stayed so for as long as reads may lag."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import LastReady, ReadyImage, Running, TargetStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Look, Service
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task, task_definition
from tests.builders.facts import KEY, changed
from tests.builders.scenarios import drifted

BEFORE = service(deployment(1, age_s=3600), tasks=(task(1, OLD), task(1, OLD)))
NEWER = service(deployment(3, age_s=10), tasks=(task(3, OTHER), task(3, OTHER)))
OLD_TASKS = service(deployment(2, age_s=60), deployment(1, status="ACTIVE"), tasks=(task(2), task(2), task(1, OLD)))
WAITING = ("None", "None")
"""No condition of the status is written: those that stand stay."""
AS_IT_STANDS = Running(deployment_id="ecs-svc/2", deployment_created_time=NOW - timedelta(seconds=60))


def given(
    seen: Service, *, since_s: float | None = None, look_s: float = 0, known: Running = AS_IT_STANDS, proven: str = "ecs-svc/2", **more: Any
) -> Facts:
    """A Release that deployment 2 was proven for; looks have contradicted that for `since_s`, the latest asked for `look_s` ago."""
    found = drifted(seen, stood_s=None, running=task_definition(1, OLD), **more)
    last = LastReady(source_hash=found.source_hash, images=[ReadyImage(container="app", digest=NEW)], deployment_id=proven, time=NOW)
    target = TargetStatus(account_id="111122223333", region="eu-west-1", cluster="prod", service_arn=seen.arn)
    target = target.model_copy(update={"service_created_time": seen.created_at})
    status = found.status.model_copy(update={"last_ready": last, "running": known, "target": target})
    since = NOW - timedelta(seconds=since_s) if since_s is not None else None
    look = Look(KEY, seen, NOW, NOW, asked_time=NOW - timedelta(seconds=look_s))
    return changed(found, status=status, missing_since=since, look=look)


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("what was there before, at first sight", given(BEFORE), WAITING),
        ("the same for half a minute less a second", given(BEFORE, since_s=29), WAITING),
        ("the same for half a minute, by a look from before its end", given(BEFORE, since_s=31, look_s=2), WAITING),
        ("the same for half a minute", given(BEFORE, since_s=30), ("False", "Drifted")),
        ("a newer deployment", given(NEWER), ("False", "Drifted")),
        ("older tasks beside those that were the only ones", given(OLD_TASKS), WAITING),
        ("the same for half a minute", given(OLD_TASKS, since_s=30), ("False", "Drifted")),
        (
            "a task of its own that shows another digest",
            given(service(deployment(2), tasks=(task(2), task(2, OTHER)))),
            ("False", "Drifted"),
        ),
        ("older tasks, and the deployment was never proven", given(OLD_TASKS, proven="ecs-svc/1"), ("False", "Drifted")),
        (
            "an older deployment as PRIMARY, and the newer one is listed: ECS goes back",
            given(service(deployment(1, age_s=3600), deployment(2, status="ACTIVE"), tasks=(task(1, OLD),))),
            ("False", "Drifted"),
        ),
        ("a status of an older version, without times", given(BEFORE, known=Running(deployment_id="ecs-svc/2")), ("False", "Drifted")),
    ],
)
def test_a_look_overturns_a_proof_only_if_it_is_certainly_newer(what: str, found: Facts, expected: tuple[str, str]) -> None:
    decision = decide(found)

    assert (ready(decision.status) if decision.status.conditions else WAITING) == expected, what
    assert decision.act is None
    if expected == WAITING:
        assert (decision.missing, decision.fast) == (True, True)
        assert (decision.status.running, decision.status.foreign, decision.status.drift) == (AS_IT_STANDS, None, None)
        assert 0 < (decision.again_s or 0) <= 30


def test_a_new_source_waits_for_a_look_that_may_be_believed() -> None:
    """What runs already, by an old look, would be adopted; and a revision would be built on an old base."""
    found = given(BEFORE)
    release = found.release.model_copy(update={"metadata": found.release.metadata.model_copy(update={"generation": 2})})
    decision = decide(changed(found, release=release))

    assert ready(decision.status) == ("Unknown", "Verifying")
    assert decision.status.rollout == found.status.rollout
