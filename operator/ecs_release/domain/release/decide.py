"""The decision about one Release: a chain of rules, of which the first that has something to say is heard.

Pure: no I/O, clock, log or chance. A pass either writes an intent or acts on one that is written already (law 6).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision.decision import Decision, Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import acknowledge_old, acknowledge_refresh
from ecs_release.domain.decision.suspension import check_supported
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.environments.claims import holder
from ecs_release.domain.model.conditions import of_problem, progressing, stalled
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.recovery.lost_status import recover_past
from ecs_release.domain.release.status import report
from ecs_release.domain.rules import at_rest as situations
from ecs_release.domain.rules import new_attempt as starting
from ecs_release.domain.rules.attempt_progress import follow
from ecs_release.domain.rules.changed_target import same_target
from ecs_release.domain.rules.open_attempt import abort, carry_on, end_of_another, in_flight
from ecs_release.domain.rules.tag_return import return_tags

Rule: TypeAlias = Callable[[Facts, Draft], Outcome | None]


def decide(facts: Facts) -> Decision:
    """Decide what a Release's status says next, and whether AWS is to be changed."""
    draft = Draft.of(facts.status)
    acknowledge_old(facts, draft)
    if facts.unread is None:
        follow(facts, draft)
    outcome = next(found for found in (rule(facts, draft) for rule in RULES) if found is not None)
    return report(facts, draft, outcome)


def _known(facts: Facts, draft: Draft) -> Outcome | None:
    """Nothing can be done before it is known where the Release goes, and that this version can do what is asked."""
    if facts.problem is not None:
        return Outcome(of_problem(facts.problem))
    try:
        check_supported(facts)
    except Problem as problem:
        return Outcome(of_problem(problem))
    return None


def _readable(facts: Facts, draft: Draft) -> Outcome | None:
    """Within the grace period what was said last stays; beyond it nobody knows. What was never seen is told at once."""
    problem = facts.unread
    if problem is None:
        return None
    seen_before = facts.status.running is not None
    up_to_date = facts.status.observed_generation == facts.release.metadata.generation
    blind = facts.now - (facts.unread_since or facts.now)
    grace = timedelta(seconds=facts.limits.grace_s)
    again = facts.limits.retry_s if isinstance(problem, Retryable) else None
    if not seen_before:
        return Outcome(of_problem(problem), again_s=again)
    if blind >= grace:
        minutes = blind.total_seconds() / 60
        return Outcome(progressing(Reason.OBSERVATION_FAILED, f"not observed for {minutes:.0f} min: {problem.message}"), again_s=again)
    if up_to_date:
        return Outcome(None, again_s=again or max(1.0, (grace - blind).total_seconds()))
    return Outcome(progressing(Reason.PROGRESSING_WITH_RETRY, problem.message), again_s=again)


def _exists(facts: Facts, draft: Draft) -> Outcome | None:
    """There must be a service, and ECS itself must roll it out."""
    service, target = facts.service, facts.target
    assert target is not None
    if service is None or service.status == "INACTIVE":
        return Outcome(stalled(Reason.SERVICE_NOT_FOUND, f"there is no ECS service {target.key}: create it, or correct the target"))
    if service.status == "DRAINING":
        return Outcome(stalled(Reason.SERVICE_NOT_FOUND, f"ECS service {target.key} is being deleted (DRAINING)"))
    if service.controller not in ("", "ECS"):
        return Outcome(
            stalled(
                Reason.UNSUPPORTED_CONTROLLER,
                f"ECS service {target.key} has deployment controller {service.controller}: only ECS is supported",
            )
        )
    if service.resource_management == "ECS":
        return Outcome(stalled(Reason.UNSUPPORTED_CONTROLLER, f"ECS service {target.key} is managed by ECS itself (Express mode)"))
    return None


def _held_by_us(facts: Facts, draft: Draft) -> Outcome | None:
    """Only one Release changes a service (law 16)."""
    running = ownership(facts.running) if facts.running else None
    whose = holder(facts.claims, running, facts.limits.installation, facts.limits.namespaces)
    if not whose or whose == facts.name:
        return None
    assert facts.target is not None
    return Outcome(
        stalled(Reason.TARGET_CONFLICT, f"ECS service {facts.target.key} is held by {whose}: delete one of the two, or change its target")
    )


def _resolved(facts: Facts, draft: Draft) -> Outcome | None:
    """The source must mean something. A refresh that fails changes nothing."""
    acknowledge_refresh(facts, draft)
    if facts.pin is not None:
        draft.pin = facts.pin
        return None
    if facts.pin_problem is not None:
        again = facts.limits.retry_s if isinstance(facts.pin_problem, Retryable) else None
        return Outcome(of_problem(facts.pin_problem), again_s=again)
    return Outcome(progressing(Reason.RESOLVING_ARTIFACT, "looking the artifact up in ECR"), again_s=0)


RULES: tuple[Rule, ...] = (
    _known,
    _readable,
    _exists,
    _held_by_us,
    _resolved,
    same_target,
    recover_past,
    end_of_another,
    abort,
    carry_on,
    in_flight,
    return_tags,
    starting.start,
    situations.steady,
)
