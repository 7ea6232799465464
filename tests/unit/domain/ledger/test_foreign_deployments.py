"""Others' deployments: which are theirs, and which are our own that a restored status has forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.ecs.service import Look, TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.ledger import foreign_deployments
from tests.builders.ecs import NOW, deployment, revision, service
from tests.builders.facts import KEY, facts
from tests.builders.objects import release

EARLIER, KNOWN, LATER = "20260504t110000-000001", "20260504t113000-000002", "20260504t115000-000003"


def status() -> ReleaseStatus:
    return ReleaseStatus.model_validate({
        "history": [{"attemptID": KNOWN, "startTime": "2026-05-04T11:30:00Z", "deploymentID": "ecs-svc/2"}],
        "ledger": {"sinceTime": "2026-05-04T10:00:00Z"},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "is_foreign"),
    [
        ({}, True),
        (Ownership("default", "shop/web", "s", LATER).tags(), False),
        # Somebody goes back to what we made before, or rolls out again what we made last.
        (Ownership("default", "shop/web", "s", EARLIER).tags(), True),
        (Ownership("default", "shop/web", "s", KNOWN).tags(), True),
        (Ownership("another", "shop/web", "s", LATER).tags(), True),
        (Ownership("default", "shop/other", "s", LATER).tags(), True),
    ],
)
def test_a_deployment_of_ours_that_a_restored_status_has_forgotten_is_not_foreign(tags: dict[str, str], is_foreign: bool) -> None:
    seen = service(deployment(3))
    look = Look(KEY, seen, NOW, NOW - timedelta(seconds=1), 1)
    running = TaskDefinition(revision(3), "web", 3, "ACTIVE", {"family": "web"}, tags)
    draft = Draft.of(status())
    foreign_deployments.track(facts(release=release(status=status()), look=look, running=running), draft)
    assert [f.deployment_id for f in draft.foreign] == (["ecs-svc/3"] if is_foreign else [])
