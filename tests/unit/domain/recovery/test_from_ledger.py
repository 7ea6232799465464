"""An attempt that began by the ledger, and whose status is lost: what it is called goes by what may have reached ECS."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent
from ecs_release.api.release_status import ReleaseStatus, TargetStatus
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready
from tests.builders.ecs import ARN, NEW, NOW, OLD, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, target
from tests.builders.scenarios import attempt_due

HERE, ELSEWHERE = f"{ARN}:service/main/web", f"{ARN}:service/main/api"


@pytest.mark.parametrize(
    ("what", "recorded_at", "deployment_id", "expected", "goes_on"),
    [
        ("it was announced only", HERE, None, "Abandoned", True),
        ("its deployment is gone", HERE, "ecs-svc/2", "Superseded", False),
        ("its deployment was at another service", ELSEWHERE, "ecs-svc/2", "TargetChanged", False),
        ("it was announced at another service", ELSEWHERE, None, "TargetChanged", False),
        ("an older record has no service", None, None, "Abandoned", True),
    ],
)
def test_an_attempt_that_ecs_does_not_show(
    what: str, recorded_at: str | None, deployment_id: str | None, expected: str, *, goes_on: bool
) -> None:
    given = attempt_due()
    pin = given.wanted.pin
    assert pin is not None
    deployed = CurrentPart(
        attempt_id="a", source_hash=pin.source_hash, pin_id=pin.id, deployment_id=deployment_id, time=NOW, cause="Requested",
        images=[CurrentImage(container="app", digest=NEW)],
    )  # fmt: skip
    record = LedgerCurrent(
        installation="default", namespace="shop", project="store", service="web", environment="prod", service_arn=recorded_at,
        deployed=deployed, observed_time=NOW,
    )  # fmt: skip
    runs = service(deployment(1), tasks=(task(1, OLD),), desired=1)
    decision = decide(
        changed(
            given, status=ReleaseStatus(), remembered=record, seen=runs, running=task_definition(1, OLD), attempt_id="b", has_ledger=True
        )
    )
    ends = {e.attempt_id: e.outcome for e in decision.status.history or ()}
    assert ends == ({"a": expected, "b": None} if goes_on else {"a": expected}), what
    assert ready(decision.status)[1] == ("RollingOut" if goes_on else expected)


@pytest.mark.parametrize(
    ("what", "age_s", "reason", "follows"),
    [
        ("its deployment is there", 30, "", True),
        ("only what was there before it", 90, "", False),
        ("ECS's rollback alone", 30, "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.", False),
    ],
)
def test_an_attempt_that_moved_a_tag_is_followed_by_when_it_began(what: str, age_s: float, reason: str, follows: bool) -> None:
    """Method EnvironmentTag deploys the service's own revision, whose tags name no attempt."""
    place = environment(artifacts={"environmentTag": "live"}, rollout={"method": "EnvironmentTag"})
    forced = deployment(2, state="IN_PROGRESS", age_s=age_s, task_definition=revision(1), rollout_state_reason=reason)
    seen = service(forced, deployment(1, status="ACTIVE", age_s=9000), tasks=(task(1, OLD),))
    given = changed(
        attempt_due(), environment=place, target=target(place), tags={"app": OLD}, seen=seen, running=task_definition(1, ":live")
    )
    pin = given.wanted.pin
    assert pin is not None
    deployed = CurrentPart(
        attempt_id="a", source_hash=pin.source_hash, pin_id=pin.id, time=NOW - timedelta(seconds=60), cause="Requested",
        images=[CurrentImage(container="app", digest=NEW)],
    )  # fmt: skip
    record = LedgerCurrent(
        installation="default", namespace="shop", project="store", service="web", environment="prod", service_arn=HERE, deployed=deployed,
        observed_time=NOW,
    )  # fmt: skip
    status = decide(changed(given, status=ReleaseStatus(), remembered=record, attempt_id="b", has_ledger=True)).status
    entry = next(e for e in status.history or () if e.attempt_id == "a")
    assert (entry.deployment_id, entry.outcome) == (("ecs-svc/2", None) if follows else (None, "Abandoned")), what


@pytest.mark.parametrize(("recorded_at", "its_target"), [(ELSEWHERE, TargetStatus(service_arn=ELSEWHERE)), (HERE, None)])
def test_what_ended_at_another_service_is_not_judged_by_this_one(recorded_at: str, its_target: TargetStatus | None) -> None:
    """Its outcome may still change, by looks at the service that it went to."""
    given = attempt_due()
    pin = given.wanted.pin
    assert pin is not None
    deployed = CurrentPart(
        attempt_id="a", source_hash=pin.source_hash, pin_id=pin.id, deployment_id="ecs-svc/2", time=NOW, cause="Requested",
        images=[CurrentImage(container="app", digest=NEW)], outcome="TargetChanged", message="how it ended is not known",
    )  # fmt: skip
    record = LedgerCurrent(
        installation="default", namespace="shop", project="store", service="web", environment="prod", service_arn=recorded_at,
        deployed=deployed, observed_time=NOW,
    )  # fmt: skip
    runs = service(deployment(1), tasks=(task(1, OLD),), desired=1)
    restored = changed(
        given, status=ReleaseStatus(), remembered=record, seen=runs, running=task_definition(1, OLD), attempt_id="b", has_ledger=True
    )
    status = decide(restored).status
    assert ready(status) == ("False", "TargetChanged")
    assert [(e.attempt_id, e.outcome) for e in status.history or ()] == [("a", "TargetChanged")]
    assert status.target == (its_target or restored.target_seen)


def test_the_service_that_the_ledger_names_is_the_target_when_it_comes_back() -> None:
    given = attempt_due()
    status = given.status.model_copy(update={"target": TargetStatus(service_arn=given.service.arn if given.service else "")})
    assert decide(changed(given, status=status)).status.target == given.target_seen
