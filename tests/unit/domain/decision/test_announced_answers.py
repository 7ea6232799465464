"""An announced answer to a lifecycle hook, in the pass that ends its attempt: it is settled by what became of its hook, or stays as it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.hook_status import Intervention
from ecs_release.api.release_status import TargetStatus
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Decision, Draft, Stop
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.ecs.service import Hook, ServiceDeployment
from ecs_release.domain.release import action_outcomes
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NOW, OLD, OTHER, deployment, revision, service, task
from tests.builders.facts import changed
from tests.builders.objects import environment, target
from tests.builders.scenarios import BOTH, PAUSE, attempt_under_way, service_deployment, with_rollout

LATELY, LONG_AGO = Doubt(NOW - timedelta(seconds=1)), Doubt(NOW - timedelta(minutes=1))
STOP, RETURN = attempts.STOP, attempts.RETURN
PAUSED = service_deployment(hooks=(PAUSE,))


def hook(status: str, of: str = "SUCCESSFUL", **more: Any) -> ServiceDeployment:
    """What ECS says of the deployment when hook ABC has a status."""
    return service_deployment(status=of, hooks=(Hook("ABC", status, "PAUSE"),), **more)


def announced(action: str = "CONTINUE", given: Facts | None = None, *, intent: str = "", **more: Any) -> Facts:
    """An attempt that has announced an answer to hook ABC. `intent` is the call that takes its deployment back."""
    answer = Intervention(action=action, cause="Requested", hook_id="ABC", stage="POST_SCALE_UP", applied_by="ben", time=NOW)
    found = given or attempt_under_way()
    taken_back = {"intent": {"action": intent, "accepted_time": None}} if intent else {}
    found = with_rollout(found, interventions=[answer], service_deployment_arn="arn:sd", **taken_back)
    return changed(found, status=found.status.model_copy(update={"last_handled_continue": f"1/ABC/{action}"}), **more)


def state(of: Decision | Draft) -> str:
    """What stands in status of the answer, in the attempt and in the history alike."""
    rollout = of.rollout if isinstance(of, Draft) else of.status.rollout
    history = of.history if isinstance(of, Draft) else of.status.history or ()
    assert rollout is not None and rollout.outcome
    ours = [i for i in rollout.interventions or () if i.cause == "Requested"]
    assert history[0].interventions == rollout.interventions
    return "withdrawn" if not ours else "accepted" if ours[0].accepted_time == NOW else "announced"


def others(decision: Decision) -> list[tuple[str | None, str]]:
    rollout = decision.status.rollout
    return [(i.cause, i.action) for i in (rollout.interventions if rollout else None) or () if i.cause != "Requested"]


@pytest.mark.parametrize(
    ("what", "action", "doubt", "shown", "expected"),
    [
        ("ECS has carried it out", "CONTINUE", LATELY, hook("SUCCEEDED"), "accepted"),
        ("the rollback, too", "ROLLBACK", LATELY, hook("FAILED", "ROLLBACK_SUCCESSFUL"), "accepted"),
        ("ECS rolls back, and the hook is as it was", "ROLLBACK", LATELY, hook("AWAITING_ACTION", "ROLLBACK_IN_PROGRESS"), "accepted"),
        ("never sent: somebody else did it", "CONTINUE", None, hook("SUCCEEDED"), "withdrawn"),
        ("never sent: somebody else went back", "ROLLBACK", None, hook("FAILED", "ROLLBACK_SUCCESSFUL"), "withdrawn"),
        ("never sent, and the hook waits", "CONTINUE", None, PAUSED, "withdrawn"),
        ("somebody else did the opposite", "CONTINUE", LATELY, hook("FAILED", "ROLLBACK_SUCCESSFUL"), "withdrawn"),
        ("somebody else went on", "ROLLBACK", LATELY, hook("SUCCEEDED"), "withdrawn"),
        ("somebody else went on, and then it failed", "ROLLBACK", LATELY, hook("SUCCEEDED", "ROLLBACK_IN_PROGRESS"), "withdrawn"),
        ("nobody answered in time", "CONTINUE", LATELY, hook("TIMED_OUT"), "withdrawn"),
        ("nobody did, and ECS went back", "ROLLBACK", LATELY, hook("TIMED_OUT", "ROLLBACK_SUCCESSFUL"), "withdrawn"),
        ("the deployment ended at its hook", "CONTINUE", LATELY, hook("AWAITING_ACTION", "STOPPED"), "withdrawn"),
        ("it did not arrive, by a look that does not lag", "CONTINUE", LONG_AGO, PAUSED, "withdrawn"),
        ("the look may lag", "CONTINUE", LATELY, PAUSED, "announced"),
        ("not to be seen", "CONTINUE", LATELY, None, "announced"),
        ("not to be seen, and long ago", "CONTINUE", LONG_AGO, None, "announced"),
        ("the hook is not in the answer", "CONTINUE", LONG_AGO, service_deployment(status="SUCCESSFUL"), "announced"),
        ("nor is it where ECS went back", "ROLLBACK", LONG_AGO, service_deployment(status="ROLLBACK_SUCCESSFUL"), "announced"),
        ("never sent, and the hook is not in the answer", "CONTINUE", None, service_deployment(status="SUCCESSFUL"), "withdrawn"),
        ("never sent, and nothing to be seen", "CONTINUE", None, None, "withdrawn"),
        ("another hook is", "CONTINUE", LATELY, service_deployment(hooks=(Hook("DEF", "SUCCEEDED", "PAUSE"),)), "announced"),
        (
            "an alarm went back, or the answer",
            "ROLLBACK",
            LATELY,
            hook("FAILED", "ROLLBACK_SUCCESSFUL", triggered_alarms=("e",)),
            "announced",
        ),
        (
            "the breaker, or the answer",
            "ROLLBACK",
            LATELY,
            hook("AWAITING_ACTION", "ROLLBACK_IN_PROGRESS", breaker="TRIGGERED"),
            "announced",
        ),
        ("an alarm, and it was not sent", "ROLLBACK", None, hook("FAILED", "ROLLBACK_SUCCESSFUL", triggered_alarms=("e",)), "withdrawn"),
    ],
)
def test_an_attempt_ends_with_what_became_of_the_hook(what: str, action: str, doubt: Any, shown: Any, expected: str) -> None:
    given = announced(action, doubt=doubt, service_deployment=shown)
    draft = Draft.of(given.status)
    attempts.end(given, draft, "Succeeded", "done")
    assert state(draft) == expected, what
    assert draft.handled_continue == f"1/ABC/{action}"
    assert [e.reason for e in draft.events] == {"accepted": ["HookAnswered"], "withdrawn": ["RequestRefused"], "announced": []}[expected]
    assert (draft.refused_request is not None) is (expected == "withdrawn")


@pytest.mark.parametrize("doubt", [LATELY, LONG_AGO])
def test_a_rollback_that_somebody_has_stopped_with_is_not_ours(doubt: Doubt) -> None:
    given = announced("ROLLBACK", doubt=doubt, service_deployment=hook("FAILED", "ROLLBACK_SUCCESSFUL"))
    known = [
        *(given.status.rollout.interventions or () if given.status.rollout else ()),
        Intervention(action="STOP", cause="Foreign", time=NOW),
    ]
    given = with_rollout(given, interventions=known)
    draft = Draft.of(given.status)
    attempts.end(given, draft, "RolledBack", "stopped")
    assert state(draft) == "announced"


DONE = service(deployment(2), tasks=(task(2), task(2)), strategy="BLUE_GREEN")
BACK = service(
    deployment(1, age_s=100_000, rollout_state_reason="ECS deployment rolling back to deploymentId ecs-svc/1."),
    tasks=(task(1, OLD), task(1, OLD)), strategy="BLUE_GREEN",
)  # fmt: skip
GOES_BACK = service(
    deployment(1, state="IN_PROGRESS", age_s=100_000), deployment(2, status="ACTIVE", state="FAILED"), tasks=(task(1, OLD), task(2)),
    strategy="BLUE_GREEN",
)  # fmt: skip
GIVEN_UP = service(deployment(2, state="FAILED", age_s=1000), tasks=(task(1, OLD), task(1, OLD)), strategy="BLUE_GREEN")
REPLACED = service(
    deployment(3, state="IN_PROGRESS", age_s=5), deployment(2, status="ACTIVE", state="IN_PROGRESS"), tasks=(task(2), task(2)),
    strategy="BLUE_GREEN",
)  # fmt: skip
IN_PLACE = service(*BOTH.deployments, tasks=BOTH.tasks, strategy="BLUE_GREEN", task_definition=revision(1))
STRAY = service(
    deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2, OTHER), task(1, OLD)), strategy="BLUE_GREEN"
)  # fmt: skip
BY_TAG = environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "prod"})
ELSEWHERE = TargetStatus(service_arn="arn:aws:ecs:eu-west-1:111122223333:service/main/other")
FAILED = hook("FAILED", "ROLLBACK_SUCCESSFUL")
WENT_ON = hook("SUCCEEDED", "IN_PROGRESS", stage="BAKE_TIME")


def stuck(**more: Any) -> Facts:
    return attempt_under_way(idle_s=100_000, **more)


def elsewhere() -> Facts:
    """The target is another service, and the deployment of the one before can still be read."""
    given = attempt_under_way()
    return changed(given, status=given.status.model_copy(update={"target": ELSEWHERE}))


ENDS = [
    pytest.param(announced(given=attempt_under_way(DONE)), hook("SUCCEEDED"), "Succeeded", id="succeeded"),
    pytest.param(announced("ROLLBACK", attempt_under_way(BACK)), FAILED, "RolledBack", id="rolled back"),
    pytest.param(announced("ROLLBACK", attempt_under_way(GOES_BACK)), FAILED, "RolledBack", id="ECS rolls back"),
    pytest.param(announced(given=attempt_under_way(GIVEN_UP)), hook("SUCCEEDED", "STOPPED"), "RolloutFailed", id="failed"),
    pytest.param(announced(given=attempt_under_way(REPLACED, primary_digests={"app": OTHER})), hook("SUCCEEDED", "STOPPED"), "Superseded", id="superseded"),
    pytest.param(announced(given=stuck()), hook("SUCCEEDED", "IN_PROGRESS"), "DeadlineExceeded", id="no progress"),
    pytest.param(announced(given=attempt_under_way(STRAY, environment=BY_TAG, target=target(BY_TAG))), WENT_ON, "TagMoved", id="tag moved"),
    pytest.param(announced(given=elsewhere()), WENT_ON, "TargetChanged", id="another target"),
    pytest.param(announced(given=attempt_under_way(IN_PLACE), intent=RETURN), WENT_ON, "Aborted", id="aborted: the former revision is in place"),
    pytest.param(announced(given=attempt_under_way(), intent=STOP), hook("SUCCEEDED", "ROLLBACK_IN_PROGRESS"), "Aborted", id="aborted: ECS rolls back"),
]  # fmt: skip


def ended(given: Facts, shown: ServiceDeployment | None, outcome: str, doubt: Doubt | None) -> Decision:
    decision = decide(changed(given, service_deployment=shown, doubt=doubt))
    assert decision.status.rollout is not None and decision.act is None
    assert decision.status.rollout.outcome == outcome
    return decision


@pytest.mark.parametrize(("given", "shown", "outcome"), ENDS)
def test_whatever_ends_an_attempt_settles_what_it_has_announced(given: Facts, shown: ServiceDeployment, outcome: str) -> None:
    decision = ended(given, shown, outcome, LONG_AGO)
    assert (state(decision), others(decision)) == ("accepted", [])


@pytest.mark.parametrize(("given", "shown", "outcome"), [p for p in ENDS if p.id and not p.id.startswith("aborted")])
def test_what_somebody_else_did_is_theirs(given: Facts, shown: ServiceDeployment, outcome: str) -> None:
    decision = ended(given, shown, outcome, None)
    assert state(decision) == "withdrawn"
    (action,) = {i.action for i in (given.status.rollout.interventions if given.status.rollout else None) or ()}
    assert others(decision) == [("Foreign", action)]
    assert decision.status.refused_request is not None and "no longer waits" in (decision.status.refused_request.message or "")


@pytest.mark.parametrize(("given", "shown", "outcome"), ENDS)
def test_what_nobody_sees_stays_announced(given: Facts, shown: ServiceDeployment, outcome: str) -> None:
    """No verdict needs the service-deployment API, but for what it alone tells: that ECS rolls a deployment back that is still PRIMARY."""
    unlisted = service_deployment(status=shown.status, stage=shown.stage)
    for unseen in [unlisted] if shown.status == "ROLLBACK_IN_PROGRESS" else [None, unlisted]:
        decision = ended(given, unseen, outcome, LONG_AGO)
        assert (state(decision), others(decision), decision.status.refused_request) == ("announced", [], None)


def test_what_has_ended_is_not_settled_by_a_later_look() -> None:
    """It is not known then whether it was sent: doubt is about what an attempt under way has announced."""
    given = with_rollout(announced(given=attempt_under_way(DONE)), outcome="DeadlineExceeded")
    decision = ended(given, hook("SUCCEEDED"), "SucceededLate", None)
    assert (state(decision), others(decision)) == ("announced", [])


# An abort: the call that takes the deployment back is in doubt from then on, and not the answer.


@pytest.mark.parametrize(
    ("what", "doubt", "shown", "expected", "why"),
    [
        ("it was not sent", None, PAUSED, [], "was not sent"),
        ("it was not sent, and the hook is not to be seen", None, None, [], "being taken back"),
        ("it was not sent, and somebody else went on", None, WENT_ON, [("Foreign", None)], "no longer waits"),
        ("it may have been sent", LATELY, PAUSED, [("Requested", None)], ""),
        ("it may have been sent, and is not to be seen", LATELY, None, [("Requested", None)], ""),
        ("it did not arrive", LONG_AGO, PAUSED, [], "did not reach"),
        ("it has arrived", LATELY, WENT_ON, [("Requested", NOW)], ""),
    ],
)
def test_an_abort_leaves_announced_only_what_may_have_been_sent(what: str, doubt: Any, shown: Any, expected: Any, why: str) -> None:
    decision = decide(announced(given=attempt_under_way(abort=True), doubt=doubt, service_deployment=shown))
    rollout = decision.status.rollout
    assert rollout is not None and rollout.intent is not None
    assert (decision.act, rollout.intent.action, rollout.outcome) == (None, STOP, None)
    assert [(i.cause, i.accepted_time) for i in rollout.interventions or ()] == expected, what
    assert why in (decision.status.refused_request.message or "" if decision.status.refused_request else "")
    assert (decision.status.refused_request is None) is (not why)


@pytest.mark.parametrize(
    ("what", "action", "intent", "doubt", "shown", "expected"),
    [
        ("it went on before the call", "CONTINUE", STOP, None, hook("SUCCEEDED", "ROLLBACK_IN_PROGRESS"), "accepted"),
        ("it did not go on", "CONTINUE", STOP, LONG_AGO, hook("FAILED", "ROLLBACK_IN_PROGRESS"), "withdrawn"),
        ("ECS went back before the call", "ROLLBACK", STOP, None, hook("FAILED", "ROLLBACK_IN_PROGRESS"), "accepted"),
        ("by the answer, or by the call", "ROLLBACK", STOP, LONG_AGO, hook("FAILED", "ROLLBACK_IN_PROGRESS"), "announced"),
    ],
)
def test_what_an_abort_does_is_not_taken_for_the_answer(what: str, action: str, intent: str, doubt: Any, shown: Any, expected: str) -> None:
    assert state(ended(announced(action, intent=intent), shown, "Aborted", doubt)) == expected, what


@pytest.mark.parametrize("doubt", [None, LONG_AGO])
def test_a_hook_that_failed_by_a_stop_that_was_accepted_is_not_answered(doubt: Doubt | None) -> None:
    given = announced("ROLLBACK", attempt_under_way(IN_PLACE), intent=RETURN)
    assert state(ended(given, hook("FAILED", "STOPPED"), "Aborted", doubt)) == "announced"


def test_the_call_that_stops_a_deployment_says_nothing_of_its_hook() -> None:
    given = announced(intent=STOP, service_deployment=PAUSED)
    assert decide(given).act == Stop("arn:sd")
    assert state(action_outcomes.stopped(given, rolls_back=True)) == "announced"
    assert state(action_outcomes.stopped(changed(given, service_deployment=WENT_ON), rolls_back=True)) == "accepted"
