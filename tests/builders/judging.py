"""A deployment that is judged: what is known of it, and tasks of the old digest and of the new."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ecs_release.domain.verification.judgement import FollowedDeployment, Timeouts
from ecs_release.domain.verification.proof import ImageDigests
from tests.builders.ecs import NEW, NOW, OLD, deployment, revision, task

WANTED = {"app": ImageDigests(frozenset({NEW}))}


TIMEOUTS = Timeouts(deadline_s=600, visible_s=30, rollback_s=60)


def followed(**more: Any) -> FollowedDeployment:
    facts: dict[str, Any] = {
        "deployment_id": "ecs-svc/2", "rollback_target": revision(1), "started": NOW - timedelta(seconds=60),
        "last_progress": NOW - timedelta(seconds=60), "listed_before": frozenset({"ecs-svc/1"}),
    }  # fmt: skip
    return FollowedDeployment(**facts | more)


OLD_ACTIVE = deployment(1, status="ACTIVE")


NEW_TASKS, OLD_TASKS = (task(2), task(2)), (task(1, OLD), task(1, OLD))
