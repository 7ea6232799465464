"""Answers to lifecycle hooks: who is answered, when it is announced, sent and sent again, and what is refused with what became of the hook."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.hook_status import Intervention
from ecs_release.api.names import APPLIED_BY_ANNOTATION, CONTINUE_ANNOTATION
from ecs_release.api.release import Release
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Continue, Decision, Stop
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.ecs.interventions import added, announced, replaced
from ecs_release.domain.ecs.service import Hook
from ecs_release.domain.model.errors import Denied
from ecs_release.domain.release import action_outcomes
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready_and_reconciling
from tests.builders.ecs import NOW, deployment, service, task
from tests.builders.facts import changed
from tests.builders.objects import environment
from tests.builders.scenarios import BOTH, PAUSE, attempt_under_way, service_deployment, with_rollout

ASKED = "1/ABC/CONTINUE/looks good"
PAUSED = service_deployment(hooks=(PAUSE,))
SECOND = Hook("DEF", "AWAITING_ACTION", "PAUSE")


def asked(value: str = ASKED, given: Facts | None = None, **more: Any) -> Facts:
    """An attempt whose deployment waits at hook ABC, and annotation continue."""
    found = with_rollout(given or attempt_under_way(service_deployment=PAUSED), stage="POST_SCALE_UP")
    found = changed(found, **more)
    annotations = {**(found.release.metadata.annotations or {}), CONTINUE_ANNOTATION: value, APPLIED_BY_ANNOTATION: "ben"}
    metadata = found.release.metadata.model_copy(update={"annotations": annotations})
    return changed(found, release=found.release.model_copy(update={"metadata": metadata}))


def without_requests(given: Facts) -> Release:
    """The Release without its annotations."""
    return given.release.model_copy(update={"metadata": given.release.metadata.model_copy(update={"annotations": {}})})


def then(given: Facts, decision: Decision, **more: Any) -> Facts:
    """The next pass, once a decision's status is written."""
    return changed(given, status=decision.status, **more)


def refusal(decision: Decision) -> str:
    assert decision.act is None
    return decision.status.refused_request.message or "" if decision.status.refused_request else ""


def the_only(decision: Decision) -> Intervention:
    assert decision.status.rollout is not None
    (found,) = decision.status.rollout.interventions or ()
    (entry,) = decision.status.history or ()
    assert entry.interventions == [found]
    return found


def asked_for(decision: Decision) -> list[Intervention]:
    """What status has as asked for here; what others did in AWS is beside it."""
    assert decision.status.rollout is not None
    of_history = [e.interventions for e in decision.status.history or ()]
    return [i for known in (decision.status.rollout.interventions, *of_history) for i in known or () if i.cause == "Requested"]


@pytest.mark.parametrize("action", ["CONTINUE", "ROLLBACK"])
def test_an_answer_is_announced_then_sent_then_accepted(action: str) -> None:
    given = asked(f"1/ABC/{action}/looks good")
    first = decide(given)
    assert (first.act, first.again_s, first.status.last_handled_continue) == (None, 0, f"1/ABC/{action}/looks good")
    one = the_only(first)
    assert (one.action, one.hook_id, one.stage, one.applied_by, one.reason) == (action, "ABC", "POST_SCALE_UP", "ben", "looks good")
    assert (one.time, one.accepted_time) == (NOW, None)
    second = decide(then(given, first))
    assert second.act == Continue("arn:sd", "ABC", action)
    assert ready_and_reconciling(second) == ("False", "AwaitingHook", "True")
    last = action_outcomes.answered(then(given, second))
    assert the_only(last).accepted_time == NOW
    assert [e.reason for e in last.events if e.action == "Continue"] == ["HookAnswered"]
    # A look that lags behind the answer shows the hook as waiting: it is neither waited for nor answered again.
    lagging = decide(then(given, last))
    assert lagging.status.rollout is not None
    assert (lagging.act, lagging.status.rollout.awaiting, lagging.status.rollout.hooks) == (None, None, None)


def test_open_hooks_stand_in_status_with_what_ecs_does_otherwise() -> None:
    expires = NOW + timedelta(hours=1)
    hook = Hook("ABC", "AWAITING_ACTION", "PAUSE", expires_at=expires, timeout_action="ROLLBACK")
    rollout = decide(attempt_under_way(service_deployment=service_deployment(hooks=(hook, SECOND)))).status.rollout
    assert rollout is not None
    first, second = rollout.hooks or ()
    assert (first.id, first.stage, first.expires_time, first.timeout_action) == ("ABC", "POST_SCALE_UP", expires, "ROLLBACK")
    assert (second.id, second.expires_time) == ("DEF", None)


@pytest.mark.parametrize(
    ("what", "value", "more", "why"),
    [
        ("no form", "1", {}, "not of the form"),
        ("no action", "1/ABC", {}, "not of the form"),
        ("another action", "1/ABC/continue/why", {}, "not of the form"),
        ("no hook", "1//CONTINUE/why", {}, "not of the form"),
        ("a hook that nobody knows", "1/XYZ/CONTINUE", {}, "has no hook XYZ; what waits is hook ABC at POST_SCALE_UP"),
        (
            "one that somebody answered",
            ASKED,
            {"service_deployment": service_deployment(hooks=(Hook("ABC", "SUCCEEDED", "PAUSE"), SECOND))},
            "no longer waits, it has SUCCEEDED; what waits is hook DEF",
        ),
        (
            "one that has timed out",
            ASKED,
            {"service_deployment": service_deployment(hooks=(Hook("ABC", "TIMED_OUT", "PAUSE"),))},
            "it has TIMED_OUT; no hook waits",
        ),
        ("a deployment that is over", ASKED, {"service_deployment": service_deployment(status="STOPPED", hooks=(PAUSE,))}, "STOPPED"),
        ("not told by ECS", ASKED, {"service_deployment": None}, "ECS does not tell"),
        ("the Environment is suspended", ASKED, {"environment": environment(suspend={"reason": "inventory"})}, "inventory: ask again"),
        ("nor is it rolled back then", "1/ABC/ROLLBACK", {"environment": environment(suspend={"reason": "inventory"})}, "inventory"),
        ("only observed", ASKED, {"environment": environment(mode="Observe")}, "mode Observe"),
        ("the Release is suspended", ASKED, {"spec": {"suspend": True}}, "spec.suspend is true"),
    ],
)
def test_what_is_refused(what: str, value: str, more: dict[str, Any], why: str) -> None:
    decision = decide(asked(value, **more))
    assert why in refusal(decision), what
    assert decision.status.last_handled_continue == value, "a refusal is an answer"
    assert asked_for(decision) == []
    assert [e.reason for e in decision.events if e.action == "Refuse"] == ["RequestRefused"]


def test_a_suspended_release_is_taken_back_all_the_same() -> None:
    assert the_only(decide(asked("1/ABC/ROLLBACK/bad", spec={"suspend": True}))).action == "ROLLBACK"


def test_an_answer_to_the_first_step_is_none_to_the_second() -> None:
    """A linear deployment pauses at each step, with a fresh hook."""
    given = asked()
    first = action_outcomes.answered(then(given, decide(given)))
    step_2 = service_deployment(stage="POST_PRODUCTION_TRAFFIC_SHIFT", hooks=(Hook("ABC", "SUCCEEDED", "PAUSE"), SECOND))
    # The annotation stays where it is, and is asked for again in a restored cluster or with another token.
    for value in (ASKED, "2/ABC/CONTINUE/again"):
        decision = decide(then(asked(value, given), first, service_deployment=step_2))
        assert decision.act is None
        assert decision.status.rollout is not None and len(decision.status.rollout.interventions or ()) == 1
        assert "DEF" in (decision.status.rollout.awaiting or "")
    assert "hook ABC was answered: CONTINUE by ben (looks good)" in refusal(decision)
    fresh = changed(given, status=first.status.model_copy(update={"observed_generation": None, "last_handled_continue": None}))
    restored = decide(changed(fresh, service_deployment=PAUSED))
    assert (restored.act, restored.status.last_handled_continue) == (None, ASKED), "what is there at first sight is old"


def test_nothing_is_answered_where_nothing_is_under_way() -> None:
    done = service(deployment(2), tasks=(task(2), task(2)), strategy="BLUE_GREEN")
    assert "no deployment of this Release is under way" in refusal(decide(asked(given=attempt_under_way(done))))


def test_what_somebody_else_has_deployed_is_not_answered() -> None:
    theirs = service(
        deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE", state="IN_PROGRESS"), tasks=(task(2), task(2)), strategy="BLUE_GREEN"
    )  # fmt: skip
    assert "is no longer PRIMARY" in refusal(decide(asked(given=attempt_under_way(theirs, service_deployment=PAUSED))))


def test_an_abort_comes_before_an_answer() -> None:
    given = asked(given=attempt_under_way(service_deployment=PAUSED, abort=True))
    first = decide(given)
    second = decide(then(given, first))
    assert second.act == Stop("arn:sd")
    assert "being taken back" in (second.status.refused_request.message or "" if second.status.refused_request else "")


BACK = "ROLLBACK_IN_PROGRESS"
OTHERS = service_deployment(hooks=(SECOND,))
THEIRS, LATE, WENT_ON = (Hook("DEF", s, "PAUSE", timeout_action="ROLLBACK") for s in ("FAILED", "TIMED_OUT", "SUCCEEDED"))
SUCCEEDED, FAILED = (service_deployment(hooks=(Hook("ABC", status, "PAUSE"),)) for status in ("SUCCEEDED", "FAILED"))
ROLLING_BACK = service_deployment(status="ROLLBACK_IN_PROGRESS", hooks=(Hook("ABC", "AWAITING_ACTION", "PAUSE"),))
LATELY, LONG_AGO = Doubt(NOW - timedelta(seconds=1)), Doubt(NOW - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("what", "action", "doubt", "shown", "sent", "accepted"),
    [
        ("in doubt, and reads may lag", "CONTINUE", LATELY, PAUSED, False, False),
        ("in doubt, and reads cannot lag any more", "CONTINUE", LONG_AGO, PAUSED, True, False),
        ("it has taken effect", "CONTINUE", LATELY, SUCCEEDED, False, True),
        ("the rollback has taken effect", "ROLLBACK", LATELY, FAILED, False, True),
        ("the rollback is under way", "ROLLBACK", LATELY, ROLLING_BACK, False, True),
        ("not to be seen now", "CONTINUE", LONG_AGO, None, False, False),
        ("its hook is not listed, and reads may lag", "CONTINUE", LATELY, OTHERS, False, False),
        (
            "its hook is not listed, and ECS rolls back",
            "ROLLBACK",
            LONG_AGO,
            service_deployment(status="ROLLBACK_IN_PROGRESS"),
            False,
            False,
        ),
        ("an alarm rolled back", "ROLLBACK", LATELY, replace(FAILED, status="ROLLBACK_IN_PROGRESS", triggered_alarms=("e",)), False, False),
        ("it failed with another hook", "ROLLBACK", LATELY, replace(FAILED, hooks=(*FAILED.hooks, THEIRS), status=BACK), False, False),
        ("another one timed out", "ROLLBACK", LATELY, replace(FAILED, hooks=(*FAILED.hooks, LATE), status=BACK), False, False),
        ("somebody went on there", "ROLLBACK", LATELY, replace(FAILED, hooks=(*FAILED.hooks, WENT_ON), status=BACK), False, True),
        ("the breaker did", "ROLLBACK", LATELY, replace(ROLLING_BACK, breaker="TRIGGERED"), False, False),
    ],
)
def test_an_answer_in_doubt_is_looked_for_before_it_is_repeated(
    what: str, action: str, doubt: Doubt, shown: Any, sent: bool, accepted: bool
) -> None:
    given = asked(f"1/ABC/{action}/why")
    decision = decide(then(given, decide(given), service_deployment=shown, doubt=doubt))
    assert (decision.act is not None) is sent, what
    assert {i.accepted_time is not None for i in asked_for(decision)} == {accepted}, what
    assert decision.status.refused_request is None


@pytest.mark.parametrize(
    ("what", "more", "why"),
    [
        ("somebody was faster", {"service_deployment": SUCCEEDED}, "it has SUCCEEDED"),
        ("somebody has rolled back", {"service_deployment": FAILED, "doubt": LATELY}, "it has FAILED"),
        ("never sent, and its hook is gone", {"service_deployment": OTHERS}, "has no hook ABC; what waits is hook DEF"),
        (
            "its hook is gone",
            {"service_deployment": OTHERS, "doubt": LONG_AGO},
            "is refused, and it is not known whether it was carried out",
        ),
        ("the Environment is suspended by now", {"environment": environment(suspend={"reason": "freeze"})}, "freeze"),
    ],
)
def test_an_announced_answer_is_withdrawn_where_it_has_come_too_late(what: str, more: dict[str, Any], why: str) -> None:
    given = asked()
    decision = decide(then(given, decide(given), **more))
    assert why in refusal(decision), what
    assert asked_for(decision) == []


@pytest.mark.parametrize(("shown", "sent"), [("AWAITING_ACTION", True), ("SUCCEEDED", False)])
def test_what_somebody_does_at_another_hook_hides_no_announced_answer(shown: str, sent: bool) -> None:
    given = asked(given=attempt_under_way(service_deployment=service_deployment(hooks=(PAUSE, SECOND))))
    given = with_rollout(given, service_deployment_arn="arn:sd")
    both = service_deployment(hooks=(PAUSE, replace(SECOND, status="SUCCEEDED")))
    known = decide(then(given, decide(given), service_deployment=both, doubt=LATELY))
    assert known.status.rollout is not None
    assert [(i.cause, i.hook_id) for i in known.status.rollout.interventions or ()] == [("Requested", "ABC"), ("Foreign", "DEF")]
    now = service_deployment(hooks=(replace(PAUSE, status=shown), replace(SECOND, status="SUCCEEDED")))
    decision = decide(then(given, known, service_deployment=now, doubt=LONG_AGO))
    assert (decision.act == Continue("arn:sd", "ABC", "CONTINUE")) is sent
    (ours,) = {i.accepted_time for i in asked_for(decision)}
    assert (ours is None) is sent


def test_a_request_is_refused_while_another_may_be_on_its_way_and_the_deployment_is_taken_back() -> None:
    first = decide(asked())
    stopping = with_rollout(then(asked("2/ABC/ROLLBACK/worse"), first), intent={"action": attempts.STOP, "accepted_time": None})
    decision = decide(changed(stopping, doubt=LATELY))
    assert "being taken back" in refusal(decision)
    assert {i.accepted_time for i in asked_for(decision)} == {None}, "what became of the other one is not known yet"


def test_what_is_not_known_of_a_former_answer_is_not_said() -> None:
    first = decide(asked())
    ended = with_rollout(then(asked("2/ABC/CONTINUE/again"), first), outcome="RolledBack")
    decision = decide(ended)
    assert "hook ABC was answered: CONTINUE by ben (looks good), or not: it is not known what became of that" in refusal(decision)


def test_a_request_that_was_answered_meanwhile_keeps_its_answer() -> None:
    given = asked()
    late = decide(given)
    status = late.status.model_copy(update={"last_handled_continue": "2/ABC/ROLLBACK"})
    decision = decide(changed(given, status=status, service_deployment=SUCCEEDED, release=without_requests(given)))
    assert (asked_for(decision), decision.status.last_handled_continue, decision.status.refused_request) == ([], "2/ABC/ROLLBACK", None)
    (note,) = [e.note for e in decision.events if e.reason == "RequestRefused"]
    assert note.startswith("CONTINUE of hook ABC is refused, and nothing is changed: hook ABC no longer waits")


def test_a_refusal_by_aws_is_an_answer() -> None:
    """Without the right nothing waits for it: what the hook was about may be another thing when somebody gives it."""
    given = asked()
    sent = then(given, decide(given))
    decision = action_outcomes.not_answered(sent, Denied("ecs:ContinueServiceDeployment on hook ABC: no right"))
    assert "no right" in refusal(decision)
    assert decision.status.rollout is not None and decision.status.rollout.interventions is None
    assert (decision.status.rollout.refused_time, decide(then(given, decision)).act) == (None, None)


def test_lists_are_bounded_and_hold_no_empty_rest() -> None:
    many: list[Intervention] = []
    for number in range(25):
        many = added(many, Intervention(action="CONTINUE", hook_id=str(number), cause="Requested", accepted_time=NOW))
    assert [i.hook_id for i in many] == [str(n) for n in range(5, 25)]
    assert announced(many) is None and announced(None) is None
    open_one = Intervention(action="CONTINUE", hook_id="ABC", cause="Requested")
    kept = [open_one, *many[1:]]
    for number in range(25, 30):
        kept = added(kept, Intervention(action="CONTINUE", hook_id=str(number), cause="Foreign"))
    assert (announced(kept), len(kept), kept[1].hook_id, kept[-1].hook_id) == (open_one, 20, "11", "29"), "what is announced stays"
    assert replaced(many[:1], many[0], None) is None


def test_the_call_that_status_announces_is_named_by_its_hook() -> None:
    given = asked()
    rollout = decide(given).status.rollout
    assert attempts.announced_call(rollout) == "ContinueServiceDeployment ABC"
    assert rollout is not None and attempts.announced_call(rollout.model_copy(update={"outcome": "RolledBack"})) == ""
    assert BOTH.primary is not None
