"""How a Release stands when nothing is to be done: the verdict that is held, or whether what runs is what is wanted."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.suspension import brake
from ecs_release.domain.drift import base_revision as bases
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.service import COMPLETED, IN_PROGRESS, Deployment, Service
from ecs_release.domain.model.conditions import TRUE, Situation, find, held, progressing, ready, stalled, unready
from ecs_release.domain.model.image_names import parse_image
from ecs_release.domain.retention import image_availability as availability
from ecs_release.domain.verification.proof import Accepted, Match, match_service, nothing_runs

_BEHIND = "its configuration is behind:"


def runs_wanted(facts: Facts, pin: Pin) -> Match:
    """Compare what runs with the pin. Where nothing runs, the PRIMARY's revision tells what would: other digests there are a difference."""
    service = facts.service
    assert service is not None
    wanted = attempts.accepted(pin)
    found = match_service(service, wanted)
    if found is not Match.NOTHING_RUNS or service.desired > 0 or facts.running is None:
        return found
    return Match.NO if any(digest not in wanted[c] for c, digest in _would_run(facts, wanted).items()) else found


def _would_run(facts: Facts, wanted: Accepted) -> dict[str, str]:
    """Return the digest that each container would run if a task began: what the revision names or, by method EnvironmentTag, the tag."""
    if facts.target is not None and environment_tags.uses(facts.target):
        return {c: facts.tags[c] for c in wanted if facts.tags and c in facts.tags}
    return {c: parse_image((facts.running.image_of(c) if facts.running else None) or "").digest for c in wanted}


def still_stands(facts: Facts, pin: Pin, found: Match) -> bool:
    """Tell whether what was proven before still stands, though this look proves nothing: tasks come and go, or do not tell yet.

    Autoscaling and Spot start and end tasks without a deployment, and a deployment's tasks all run what its first one resolved (Amazon ECS
    developer guide, "Container image resolution").
    """
    service, before, in_sync = facts.service, facts.status.running, find(facts.status.conditions, "InSync")
    if service is None or service.primary is None or service.desired == 0 or found not in (Match.NOTHING_RUNS, Match.UNKNOWN):
        return False
    same = before is not None and before.deployment_id == service.primary.id
    return same and in_sync is not None and in_sync.status == TRUE and attempts.was_ready(facts.status.last_ready, pin)


def is_moving(service: Service) -> bool:
    """Tell whether ECS has not finished its PRIMARY deployment."""
    primary = service.primary
    if primary is None:
        return False
    if primary.rollout_state is None:
        return len(service.deployments) > 1
    return primary.rollout_state == IN_PROGRESS


def steady(facts: Facts, draft: Draft) -> Outcome:
    """Say how the Release stands: the last rule, it always has something to say."""
    pin, service = draft.pin, facts.service
    assert pin is not None and service is not None
    found = runs_wanted(facts, pin)
    rollout = draft.rollout
    in_sync = found is Match.YES and not is_moving(service)
    if rollout is not None and attempts.covers(rollout, pin) and rollout.outcome not in attempts.GOOD and not in_sync:
        return Outcome(stalled(rollout.outcome or "", rollout.message or ""))
    if in_sync:
        attempts.note_ready(facts, draft, pin)
    on = brake(facts)
    if on is not None:
        return braked(facts, draft, on)
    situation = _situation(facts, draft, service, pin, found)
    newer = bases.newer_base(facts)
    if newer is not None and _BEHIND in situation.message and not _said_already(facts, bases.described(newer)):
        draft.say("Warning", "ConfigurationBehind", "Observe", f"{bases.described(newer)} is newer than what runs is built on")
    return Outcome(situation, again_s=drift.again_s(facts, draft))


def _said_already(facts: Facts, text: str) -> bool:
    ready = find(facts.status.conditions, "Ready")
    return ready is not None and text in ready.message


def braked(facts: Facts, draft: Draft, on: tuple[Reason, str]) -> Outcome:
    """Say that nothing is done on purpose, and what would be done."""
    pin = draft.pin
    assert pin is not None
    reason, message = on
    found = runs_wanted(facts, pin)
    lost = availability.lost(facts, pin) if found is Match.NOTHING_RUNS else ""
    if lost:
        return Outcome(held(False, reason, f"{message}; no task runs, and none could be started: {lost}"))
    unknown = True if still_stands(facts, pin, found) else None
    matches = {Match.YES: True, Match.NO: False, Match.UNKNOWN: unknown}.get(found, found is Match.NOTHING_RUNS)
    if matches is not True:
        draft.plan = plan(facts, pin, message)
        if draft.plan.message:
            message = f"{message}; {draft.plan.message}"
    return Outcome(held(matches, reason, message))


def _situation(facts: Facts, draft: Draft, service: Service, pin: Pin, found: Match) -> Situation:
    lost = availability.lost(facts, pin) if found is Match.NOTHING_RUNS else ""
    if lost:
        return stalled(Reason.ARTIFACT_GONE, f"no task runs, and none can be started: {lost}")
    wrong = _wrong(facts, draft, service, pin, found)
    if wrong is not None:
        return wrong
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return ready(Reason.NOTHING_RUNNING, nothing_runs(service))
    stands = still_stands(facts, pin, found)
    if found is Match.UNKNOWN and not stands:
        return progressing(Reason.VERIFYING, "ECS does not tell the digests of all running tasks yet")
    if found is Match.NOTHING_RUNS:
        return ready(Reason.SUCCEEDED, f"no task of {service.desired} runs just now; the last ones ran the wanted images")
    message = "every running task runs the wanted images" + (", as far as ECS tells their digests yet" if stands else "")
    primary = service.primary
    if is_moving(service) and primary is not None:
        message += f"; deployment {_described(primary)} is under way"
    newer = bases.newer_base(facts)
    if newer is not None:
        message += f"; {_BEHIND} {bases.described(newer)} is newer, and is not rolled out (baseRevision is Service)"
    return ready(Reason.SUCCEEDED, message)


def _wrong(facts: Facts, draft: Draft, service: Service, pin: Pin, found: Match) -> Situation | None:
    """Say what is not as wanted of what runs: its digests, its tag, its base, its number; None where all is."""
    differs = drift.told(facts, draft, pin) if found is Match.NO else _tag_drift(facts, pin)
    if differs:
        return stalled(Reason.DRIFTED, differs)
    newer = bases.newer_base(facts)
    if newer is not None and bases.follows_latest(facts):
        return unready(
            Reason.BASE_REVISION_OUTDATED,
            f"the wanted images run, but on an older base: {bases.described(newer)} is newer. {_attempted(draft)}A new source, or"
            " annotation ecs-release.dev/retry, rolls it out; with onDrift Correct it goes by itself once, after correctAfterSeconds",
        )
    if facts.health.unhealthy:
        return unready(
            Reason.TASKS_UNHEALTHY,
            f"{service.running} of {service.desired} tasks run, fewer than the minimum of {service.minimum_healthy_percent} %:"
            f" {service.last_event or 'ECS gives no reason'}",
        )
    return None


def _attempted(draft: Draft) -> str:
    """Say how the latest attempt at a newer base ended, where it did not end well."""
    rollout = draft.rollout
    if rollout is None or rollout.cause != bases.CAUSE or not rollout.outcome or rollout.outcome in attempts.GOOD:
        return ""
    return f"The attempt at it ended {rollout.outcome}: {rollout.message}. "


def _tag_drift(facts: Facts, pin: Pin) -> str:
    """Say that somebody moved the environment's tag; an empty string where it is where it belongs, or is not ours to know."""
    if facts.target is None or facts.tags is None:
        return ""
    stray = environment_tags.strays(facts.target, pin, facts.tags)
    return f"{stray}: somebody moved it, and the next deployment would run that" if stray else ""


def _described(deployment: Deployment) -> str:
    state = "" if deployment.rollout_state in (None, COMPLETED) else f", {deployment.rollout_state}"
    return f"{deployment.id} ({deployment.task_definition.rpartition('/')[2]}{state})"
