"""Others' deployments: which are theirs, and which are our own that a restored status has forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.api.record_status import LedgerStatus
from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.ecs.service import Look, TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.ledger import foreign_deployments
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, NOW, deployment, revision, service, task_definition
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


@pytest.mark.parametrize("server_ahead_s", [-900, 0, 900])
@pytest.mark.parametrize("has_ledger", [True, False])
def test_what_is_new_goes_by_the_clock_of_aws(server_ahead_s: float, has_ledger: bool) -> None:
    """The API server's, which has stamped the Release, may be another one. What is there at first sight is not new."""
    made = NOW + timedelta(seconds=server_ahead_s - 300)
    web = release(meta={"creationTimestamp": made.isoformat()}, suspend=True)
    pin = Pin(source_hash="s", resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW)])
    first = decide(facts(release=web, pin=pin, has_ledger=has_ledger, seen=service(deployment(2, age_s=60)), running=task_definition(2)))
    assert first.status.foreign is None and first.status.ledger == LedgerStatus(since_time=NOW)
    at_rest = first.status.model_copy(update={"rollout": None})
    found = {
        age_s: decide(
            facts(
                release=web.model_copy(update={"status": at_rest}), pin=pin, has_ledger=has_ledger,
                seen=service(deployment(3, age_s=age_s)), running=task_definition(3),
            )
        ).status.foreign
        for age_s in (-60, 60)
    }  # fmt: skip
    assert {age_s: [f.deployment_id for f in foreign or ()] for age_s, foreign in found.items()} == {-60: ["ecs-svc/3"], 60: []}


def test_what_began_just_before_the_first_look_is_not_new() -> None:
    """AWS's clock is read in whole seconds: a deployment that the first look shows may have begun after the second that it says."""
    pin = Pin(source_hash="s", resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW)])
    known = service(deployment(2, age_s=-0.7))
    first = decide(facts(release=release(suspend=True), pin=pin, seen=known, running=task_definition(2)))
    at_rest = release(suspend=True).model_copy(update={"status": first.status.model_copy(update={"rollout": None})})
    for number, age_s, foreign in ((2, -0.7, []), (3, -0.8, ["ecs-svc/3"])):
        seen = service(deployment(number, age_s=age_s))
        again = decide(facts(release=at_rest, pin=pin, seen=seen, running=task_definition(number)))
        assert [f.deployment_id for f in again.status.foreign or ()] == foreign
