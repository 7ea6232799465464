"""Others' interventions: found by what became of hooks, named by CloudTrail whenever that comes, and waited for by the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.hook_status import Intervention, OpenHook
from ecs_release.api.ledger import Stage
from ecs_release.api.record_status import AttemptRecord
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.events import Instruction
from ecs_release.domain.ecs.interventions import MOST, described
from ecs_release.domain.ecs.service import Hook
from ecs_release.domain.ledger.pending_entries import pending_entries, pending_writes, unnamed_due_in_s
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NOW
from tests.builders.facts import changed
from tests.builders.objects import environment
from tests.builders.scenarios import attempt_under_way, service_deployment, with_rollout

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


def instruction(action: str = "CONTINUE", hook: str = "ABC", deployment: str = "arn:sd", by: str = "arn:ada", **more: Any) -> Instruction:
    return Instruction(deployment, action, hook, by, "console", more.pop("time", NOW))


def waited(hook: Hook | None, *told: Instruction, known: list[Intervention] | None = None, **more: Any) -> Facts:
    """An attempt whose deployment waited at hook ABC by its status, and what ECS says of that hook now."""
    given = attempt_under_way(service_deployment=service_deployment(hooks=(hook,) if hook else (), **more.pop("seen_as", {})))
    rollout = {"service_deployment_arn": "arn:sd", "hooks": [OpenHook(id="ABC", stage="POST_SCALE_UP")], "interventions": known}
    return changed(with_rollout(given, stage="POST_SCALE_UP", **rollout | more.pop("rollout", {})), instructions=told, **more)


def found(facts: Facts) -> list[Intervention]:
    """What status says, in the attempt and in its history alike; a second pass adds nothing."""
    status = decide(facts).status
    assert status.rollout is not None
    assert [e.interventions for e in status.history or ()] in ([], [status.rollout.interventions])
    again = decide(changed(facts, status=status)).status
    assert again.rollout is not None and again.rollout.interventions == status.rollout.interventions
    return status.rollout.interventions or []


CONTINUED, TAKEN_BACK = Hook("ABC", "SUCCEEDED", "PAUSE"), Hook("ABC", "FAILED", "PAUSE")
TIMED_OUT = Hook("ABC", "TIMED_OUT", "PAUSE", timeout_action="CONTINUE")
WAITS = Hook("ABC", "AWAITING_ACTION", "PAUSE")
OURS = Intervention(action="CONTINUE", cause="Requested", hook_id="ABC", applied_by="ben", time=NOW, accepted_time=NOW)


@pytest.mark.parametrize(
    ("what", "hook", "action", "cause"),
    [
        ("somebody continued", CONTINUED, "CONTINUE", "Foreign"),
        ("somebody took it back", TAKEN_BACK, "ROLLBACK", "Foreign"),
        ("nobody answered", TIMED_OUT, "CONTINUE", "TimedOut"),
    ],
)
def test_what_became_of_a_hook_is_said_at_once_and_by_whom_later(what: str, hook: Hook, action: str, cause: str) -> None:
    (one,) = found(waited(hook))
    assert (one.action, one.cause, one.hook_id, one.stage, one.changed_by, one.time) == (
        action,
        cause,
        "ABC",
        "POST_SCALE_UP",
        None,
        NOW,
    ), what
    then = NOW - timedelta(seconds=30)
    (named,) = found(waited(hook, instruction(action, time=then), known=[one]))
    if cause == "TimedOut":
        assert named == one
    else:
        assert (named.changed_by, named.user_agent, named.time, named.stage) == ("arn:ada", "console", then, "POST_SCALE_UP")


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("it waits", waited(WAITS)),
        ("a function that failed", waited(Hook("ABC", "FAILED", "AWS_LAMBDA"))),
        ("an alarm took the deployment back", waited(TAKEN_BACK, seen_as={"triggered_alarms": ("errors",)})),
        ("the circuit breaker did", waited(TAKEN_BACK, seen_as={"breaker": "TRIGGERED"})),
        ("another deployment", waited(None, instruction(deployment="arn:other"))),
    ],
)
def test_what_nobody_did_is_not_said(what: str, facts: Facts) -> None:
    status = decide(facts).status
    assert status.rollout is not None and not status.rollout.interventions, what


def test_our_own_answer_stays_ours() -> None:
    """CloudTrail reports the operator's call, too: who asked for it is known better here."""
    assert found(waited(CONTINUED, instruction(by="arn:operator"), known=[OURS])) == [OURS]


OPERATOR = "arn:aws:sts::111122223333:assumed-role/r/ecs-release"


@pytest.mark.parametrize(
    ("what", "by", "later_s", "expected"),
    [
        ("the operator's role", OPERATOR, 0, None),
        ("the same, as IAM has it", "arn:aws:iam::111122223333:role/teams/r", 0, None),
        ("another role", "arn:aws:sts::111122223333:assumed-role/admin/ada", 0, "arn:aws:sts::111122223333:assumed-role/admin/ada"),
        ("the same name elsewhere", "arn:aws:sts::444455556666:assumed-role/r/ada", 0, "arn:aws:sts::444455556666:assumed-role/r/ada"),
        ("a user", "arn:aws:iam::111122223333:user/ada", 0, "arn:aws:iam::111122223333:user/ada"),
        ("a user, once it was accepted", "arn:aws:iam::111122223333:user/ada", 1, None),
        ("not by an ARN", "ecs.amazonaws.com", 0, None),
    ],
)
def test_an_answer_is_not_ours_where_cloudtrail_names_another(what: str, by: str, later_s: float, expected: str | None) -> None:
    """What the hook showed was all that was known of a call whose answer was lost."""
    told = instruction(by=by, time=NOW + timedelta(seconds=later_s))
    facts = waited(CONTINUED, told, known=[OURS])
    (one,) = found(facts)
    assert (one.cause, one.changed_by) == (("Foreign", expected) if expected else ("Requested", None)), what
    assert ("the request of ben came second" in " ".join(e.note for e in decide(facts).events)) is (expected is not None)


def test_an_answer_that_is_not_known_to_have_arrived_gives_way_once_its_attempt_has_ended() -> None:
    unknown, told = OURS.model_copy(update={"accepted_time": None}), instruction("ROLLBACK", by="arn:aws:iam::111122223333:user/ada")
    assert found(waited(WAITS, told, known=[unknown])) == [unknown], "under way it is settled by what ECS says of the hook"
    (one,) = found(waited(TAKEN_BACK, told, known=[unknown], rollout={"outcome": "RolledBack"}))
    assert (one.cause, one.action, one.changed_by) == ("Foreign", "ROLLBACK", "arn:aws:iam::111122223333:user/ada")


def test_a_stop_puts_our_rollback_in_doubt() -> None:
    ours = OURS.model_copy(update={"action": "ROLLBACK"})
    earlier, later = (instruction("STOP", "", time=NOW + timedelta(seconds=s)) for s in (-5, 5))
    back = {"status": "ROLLBACK_SUCCESSFUL"}
    over = {"outcome": "RolledBack"}
    assert [(i.action, i.accepted_time) for i in found(waited(TAKEN_BACK, earlier, known=[ours], seen_as=back, rollout=over))] == [
        ("ROLLBACK", None),
        ("STOP", None),
    ]
    assert found(waited(TAKEN_BACK, later, known=[ours], seen_as=back, rollout=over))[0] == ours


def test_what_fails_with_another_hook_was_answered_by_nobody() -> None:
    both = service_deployment(hooks=(TAKEN_BACK, Hook("DEF", "FAILED", "PAUSE")))
    ours = OURS.model_copy(update={"action": "ROLLBACK"})
    assert found(changed(waited(TAKEN_BACK, known=[ours]), service_deployment=both)) == [ours]
    (one,) = found(changed(waited(TAKEN_BACK), service_deployment=both))
    assert (one.cause, one.hook_id, one.changed_by) == ("Foreign", "ABC", None)
    (named,) = found(changed(waited(TAKEN_BACK, instruction("ROLLBACK", "DEF"), known=[one]), service_deployment=both))
    assert (named.hook_id, named.changed_by) == ("DEF", "arn:ada")


def test_what_somebody_did_just_before_an_abort_is_known() -> None:
    given = waited(CONTINUED)
    asked = given.status.model_copy(update={"last_handled_abort": None})
    status = decide(changed(given, status=asked)).status
    assert status.rollout is not None and status.rollout.intent is not None
    assert status.rollout.intent.action == "StopServiceDeployment"
    assert [(i.action, i.cause) for i in status.rollout.interventions or ()] == [("CONTINUE", "Foreign")]
    later = changed(given, status=status, service_deployment=service_deployment(hooks=(CONTINUED, Hook("DEF", "FAILED", "PAUSE"))))
    rollout = decide(later).status.rollout
    assert rollout is not None and rollout.interventions == status.rollout.interventions, "what ends later ends by the abort"


def test_cloudtrail_may_come_before_a_look() -> None:
    (one,) = found(waited(WAITS, instruction()))
    assert (one.action, one.hook_id, one.changed_by) == ("CONTINUE", "ABC", "arn:ada")


def test_somebody_stops_a_deployment() -> None:
    stop = instruction("STOP", "")
    (one,) = found(waited(None, stop))
    assert (one.action, one.hook_id, one.changed_by) == ("STOP", None, "arn:ada")
    seen = Intervention(action="ROLLBACK", cause="Foreign", hook_id="ABC", time=NOW)
    assert [i.action for i in found(waited(TAKEN_BACK, stop, known=[seen]))] == ["STOP"], "the hook ended by that"
    aborting = waited(None, stop, rollout={"outcome": "Aborted"})
    status = decide(aborting).status
    assert status.rollout is not None and not status.rollout.interventions, "that was the operator"


def test_more_than_there_is_room_for_changes_nothing_any_more() -> None:
    known = [OURS.model_copy(update={"hook_id": str(n)}) for n in range(MOST)]
    many = [instruction(hook=str(n)) for n in range(100, 130)]
    assert found(waited(CONTINUED, *many, known=known)) == known


def ended(facts: Facts, *told: Instruction, listens: bool = True, ago_s: float = 60, seen: bool = True, **more: Any) -> Facts:
    """An earlier attempt that ended some time ago: at its hook somebody continued, whom nobody knows yet."""
    at = NOW - timedelta(seconds=ago_s)
    unnamed = [Intervention(action="CONTINUE", cause="Foreign", hook_id="OLD", time=at)]
    record = AttemptRecord(state="Start", service_deployment_arn="arn:old")
    old = HistoryEntry(
        attempt_id="20260504t110000-aaaa", outcome="Succeeded", start_time=at, completion_time=at, record=record,
        interventions=unnamed if seen else None,
    )  # fmt: skip
    place = environment(observation={"eventQueueURL": QUEUE} if listens else {})
    history = [*(facts.status.history or ()), old]
    return changed(
        facts, status=facts.status.model_copy(update={"history": history}), instructions=told, environment=place, has_ledger=True, **more
    )


def ends(facts: Facts, status: ReleaseStatus, *, unnamed: bool = False) -> list[str]:
    return [
        p.of.attempt_id for p in pending_entries(facts, status, unnamed=unnamed) if p.stage is Stage.END and isinstance(p.of, HistoryEntry)
    ]


def test_the_ledger_waits_for_the_name_and_has_it_then() -> None:
    facts = ended(waited(WAITS))
    assert ends(facts, facts.status) == [] and ends(facts, facts.status, unnamed=True) == ["20260504t110000-aaaa"]
    assert unnamed_due_in_s(facts, facts.status) == pytest.approx(14 * 60)
    told = ended(waited(WAITS), instruction(hook="OLD", deployment="arn:old"))
    status = decide(told).status
    old = (status.history or [])[-1]
    assert old.interventions is not None and old.interventions[0].changed_by == "arn:ada", "it has ended, and is completed"
    assert ends(told, status) == ["20260504t110000-aaaa"]
    (write,) = (w for w in pending_writes(told, status) if w.entry is not None and w.entry.stage is Stage.END)
    assert write.entry is not None and write.entry.interventions == old.interventions


@pytest.mark.parametrize(
    ("what", "more"), [("for a quarter of an hour", {"ago_s": 901}), ("no queue, no name", {"listens": False}), ("none", {"seen": False})]
)
def test_the_ledger_waits_no_longer_than_a_name_may_come(what: str, more: dict[str, Any]) -> None:
    facts = ended(waited(WAITS), **more)
    assert ends(facts, facts.status) == ["20260504t110000-aaaa"], what
    assert unnamed_due_in_s(facts, facts.status) is None


def test_words() -> None:
    assert described(OURS.model_copy(update={"reason": "good"})) == "CONTINUE by ben (good)"
    foreign = Intervention(action="STOP", cause="Foreign", changed_by="arn:ada")
    assert described(foreign) == "STOP in AWS by arn:ada"
    assert "has not named" in described(foreign.model_copy(update={"changed_by": None}))
    assert described(Intervention(action="ROLLBACK", cause="TimedOut")) == "ROLLBACK by ECS, for nobody answered in time"
