"""The decision about one Release: a chain of rules, of which the first that returns an outcome decides.

Each rule returns an outcome, or what it has changed in the draft (the rules after it go on from there), or None if it does not apply.
Pure: no I/O, clock, log or chance. A pass either writes an intent or acts on one that is written already (law 6: intent before act).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.domain.decision.decision import Changed, Decision, Draft, Outcome, RuleResult
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.holding import conflict, unknown_holder
from ecs_release.domain.decision.request_annotations import acknowledge_old, acknowledge_refresh, refuse_unreasoned
from ecs_release.domain.decision.suspension import check_supported
from ecs_release.domain.environments.targets import check_deployable
from ecs_release.domain.model.conditions import find, progressing, situation_of_problem
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.recovery.lost_status import recover_past
from ecs_release.domain.release.status import report
from ecs_release.domain.rules import at_rest, new_attempt, outdated_look
from ecs_release.domain.rules.attempt_progress import confirm, follow
from ecs_release.domain.rules.changed_target import listed_containers_pinned, same_target
from ecs_release.domain.rules.hook_answers import answer_hook
from ecs_release.domain.rules.open_attempt import abort, carry_on, end_of_another, end_of_unlisted, in_flight
from ecs_release.domain.rules.tag_return import return_tags

Rule: TypeAlias = Callable[[Facts, Draft], RuleResult]


def decide(facts: Facts) -> Decision:
    """Decide what a Release's status says next, and whether AWS is to be changed."""
    draft = Draft.of(facts.status)
    changes: list[str] = []
    for rule in RULES:
        result = rule(facts, draft)
        if isinstance(result, Outcome):
            return report(facts, draft, result, tuple(changes))
        if result is not None:
            changes.append(result.what)
    raise AssertionError("the last rule always applies")


def _known(facts: Facts, draft: Draft) -> Outcome | None:
    """Nothing can be done before it is known where the Release goes, and that this version supports what is asked for."""
    if facts.place.problem is not None:
        return Outcome(situation_of_problem(facts.place.problem))
    try:
        check_supported(facts)
    except Problem as problem:
        return Outcome(situation_of_problem(problem))
    return None


def _readable(facts: Facts, draft: Draft) -> Outcome | None:
    """Within the grace period the conditions stay as they are; beyond it they are unknown, and at once if the service was never seen."""
    problem = facts.seen.unread
    if problem is None:
        return None
    seen_before = facts.status.running is not None
    up_to_date = facts.status.observed_generation == facts.release.metadata.generation
    blind = facts.now - (facts.seen.unread_since or facts.now)
    grace = timedelta(seconds=facts.limits.grace_s)
    again = facts.limits.retry_s if isinstance(problem, Retryable) else None
    if not seen_before:
        return Outcome(situation_of_problem(problem), again_s=again)
    if blind >= grace:
        minutes = blind.total_seconds() / 60
        return Outcome(progressing(Reason.OBSERVATION_FAILED, f"not observed for {minutes:.0f} min: {problem.message}"), again_s=again)
    if up_to_date:
        return Outcome(None, again_s=again or max(1.0, (grace - blind).total_seconds()))
    return Outcome(progressing(Reason.PROGRESSING_WITH_RETRY, problem.message), again_s=again)


def _exists(facts: Facts, draft: Draft) -> Outcome | None:
    """There must be a service, and ECS itself must be its deployment controller."""
    assert facts.place.target is not None
    try:
        check_deployable(facts.place.target.key, facts.service)
    except Problem as problem:
        return Outcome(situation_of_problem(problem))
    return None


def _held_by_us(facts: Facts, draft: Draft) -> Outcome | None:
    """Only one Release changes a service (law 16: what is another's is left alone)."""
    problem = conflict(facts)
    return Outcome(situation_of_problem(problem)) if problem is not None else _still_in_conflict(facts)


def _still_in_conflict(facts: Facts) -> Outcome | None:
    """Leave a conflict in status as it is until it is known that it has ended."""
    unknown, ready = unknown_holder(facts), find(facts.status.conditions, ConditionType.READY)
    if unknown is None or ready is None or ready.reason != Reason.TARGET_CONFLICT:
        return None
    up_to_date = facts.status.observed_generation == facts.release.metadata.generation
    return Outcome(None if up_to_date else situation_of_problem(unknown))


def _resolved(facts: Facts, draft: Draft) -> RuleResult:
    """The source must mean something. A refresh that fails changes nothing."""
    if facts.wanted.pin is not None:
        if draft.pin is facts.wanted.pin:
            return None
        draft.pin = facts.wanted.pin
        return Changed("the source is resolved")
    if facts.wanted.problem is not None:
        again = facts.limits.retry_s if isinstance(facts.wanted.problem, Retryable) else None
        return Outcome(situation_of_problem(facts.wanted.problem), again_s=again)
    return Outcome(progressing(Reason.RESOLVING_ARTIFACT, "looking the artifact up in ECR"), again_s=0)


RULES: tuple[Rule, ...] = (
    acknowledge_old,
    refuse_unreasoned,
    confirm,
    follow,
    _known,
    _readable,
    outdated_look.await_newer,
    _exists,
    _held_by_us,
    acknowledge_refresh,
    _resolved,
    same_target,
    recover_past,
    end_of_another,
    end_of_unlisted,
    abort,
    answer_hook,
    carry_on,
    in_flight,
    return_tags,
    listed_containers_pinned,
    new_attempt.note_drift,
    new_attempt.start,
    at_rest.steady,
)
