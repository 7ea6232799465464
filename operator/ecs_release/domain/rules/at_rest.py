"""A Release at rest: the verdict that it is held by, or whether what runs is what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.suspension import Suspended, suspension_of
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.ecs.service import COMPLETED, FAILED, Deployment, Service
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import Situation, find, held, progressing, ready, stalled, unready
from ecs_release.domain.model.image_names import parse_image
from ecs_release.domain.retention import image_availability
from ecs_release.domain.rules.tag_return import owes_return
from ecs_release.domain.verification.proof import (
    Accepted,
    Match,
    each_task_resolves,
    match_service,
    named_digests,
    tasks_of,
    why_nothing_runs,
    why_unproven,
)
from ecs_release.domain.verification.replaced_deployment import started_by_ecs

_BEHIND = "its configuration is behind:"
_ALONE = "each task resolves its tag itself (versionConsistency is disabled)"


class Standing(StrEnum):
    """What is known of whether the wanted images run. Ready=True, InSync and all that rests on them follow from it alone (law 17)."""

    PROVEN = "Proven"
    DISPROVEN = "Disproven"
    UNPROVEN = "Unproven"
    NOTHING_WANTED = "NothingWanted"
    """No task is wanted, and one would run the wanted images."""


def standing(facts: Facts, pin: Pin, found: Match) -> Standing:
    """Return what a look proves: by its tasks, or by an earlier proof of the same deployment."""
    service = facts.service
    assert service is not None
    if found is Match.NO:
        return Standing.DISPROVEN
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return Standing.NOTHING_WANTED
    if has_failed(service):
        return Standing.UNPROVEN
    return Standing.PROVEN if found is Match.YES or still_stands(facts, pin, found) else Standing.UNPROVEN


def compared(facts: Facts, draft: Draft) -> Match:
    """Return how what runs compares with the draft's pin, which is final by then."""
    if draft.match is None:
        assert draft.pin is not None
        draft.match = runs_wanted(facts, draft.pin)
    return draft.match


def runs_wanted(facts: Facts, pin: Pin) -> Match:
    """Compare what runs with the pin, and what would run: a revision that names other digests is a difference before its first task.

    Tasks of earlier deployments prove nothing of a PRIMARY that has none yet: if what it would run is not known, nothing is proven.
    """
    service = facts.service
    assert service is not None
    wanted = attempts.accepted(facts, pin)
    found = match_service(service, wanted)
    if found is Match.NO:
        return found
    named = _would_run(facts, wanted)
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return _would_start(named, wanted)
    # Where the environment's tag points is a finding of its own, and tasks keep the digest that the first one of their deployment resolved.
    if not _pulls_tag(facts) and any(wanted[c].match(digest) is Match.NO for c, digest in named.items()):
        return Match.NO
    if found is Match.YES and not _has_begun(service) and any(wanted[c].match(named.get(c)) is not Match.YES for c in wanted):
        return Match.UNKNOWN
    return found


def _would_start(named: Mapping[str, str], wanted: Accepted) -> Match:
    """Compare what a task would run if one was wanted: what could not be read is not known, and a revision that names a tag is another."""
    compared = {wanted[c].match(digest) if digest else Match.NO for c, digest in named.items()}
    if Match.NO in compared:
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in compared or len(named) < len(wanted) else Match.NOTHING_RUNS


def _has_begun(service: Service) -> bool:
    """Return whether a task of the PRIMARY deployment runs: all of its tasks run what the first one resolved."""
    return service.primary is None or bool(tasks_of(service, service.primary))


def _would_run(facts: Facts, wanted: Accepted) -> dict[str, str]:
    """Return the digest that each container would run if a task began: what the revision names or, with method EnvironmentTag, the tag.

    An empty string if the revision names another tag, whose digest is not looked up; nothing for what could not be read.
    """
    target, revision, tagged = facts.place.target, facts.revisions.running, facts.tags.digests or {}
    if revision is None:
        return {}
    if target is None or not environment_tag.uses(target):
        return named_digests(revision, wanted)
    if _keeps_earlier(facts):
        return {}
    images = {c: parse_image(revision.image_of(c) or "") for c in wanted}
    return {c: tagged[c] if i.tag == target.environment_tag else i.digest for c, i in images.items() if c in tagged}


def _keeps_earlier(facts: Facts) -> bool:
    """Return whether PRIMARY resolved its tag earlier: ECS went back to it, and its tasks run what the tag pointed to then.

    ECS keeps the digest that the first task of a deployment resolved, its rollbacks included (Amazon ECS developer guide, "Container image
    resolution"), while the tag still points to what the failed attempt wanted, until it is moved back. Not where each task resolves it.
    """
    primary, rollout = facts.service.primary if facts.service is not None else None, facts.status.rollout
    if primary is None or (facts.wanted.pin is not None and _each_task_resolves(facts, facts.wanted.pin)):
        return False
    if started_by_ecs(primary):
        return True
    if rollout is None or not owes_return(rollout):
        return False
    return rollout.deployment_id != primary.id and primary.id in ((rollout.intent.deployments if rollout.intent else None) or ())


def _pulls_tag(facts: Facts) -> bool:
    return facts.place.target is not None and environment_tag.uses(facts.place.target)


def still_stands(facts: Facts, pin: Pin, found: Match) -> bool:
    """Return whether a proof still stands though this look proves nothing: tasks come and go, or show no digest yet.

    A proof belongs to a deployment, and holds as long as that is PRIMARY: autoscaling and Spot start and end tasks without another one,
    and a deployment's tasks all run what its first one resolved (Amazon ECS developer guide, "Container image resolution"). Where each task
    resolves its tag, none proves another one.
    """
    service, proven = facts.service, facts.status.last_ready
    if service is None or service.primary is None or found not in (Match.NOTHING_RUNS, Match.UNKNOWN) or has_failed(service):
        return False
    if (service.desired == 0 and not service.running_tasks) or _each_task_resolves(facts, pin) is not False:
        return False
    return proven is not None and proven.deployment_id == service.primary.id and attempts.was_ready(proven, pin)


def _each_task_resolves(facts: Facts, pin: Pin) -> bool | None:
    """Return whether each task resolves its tag itself; None if that is not known. A revision of ours that names a digest has none."""
    revision = facts.revisions.running
    if revision is None:
        return None if _pulls_tag(facts) else False
    return each_task_resolves(revision, attempts.digests(pin))


def has_failed(service: Service) -> bool:
    """Return whether ECS has given up its PRIMARY deployment: whatever runs, it is not what was to run."""
    return service.primary is not None and service.primary.rollout_state == FAILED


def is_proven(facts: Facts, draft: Draft) -> bool:
    """Return whether this look proves that the wanted digests run, by a deployment that is done."""
    service = facts.service
    return service is not None and compared(facts, draft) is Match.YES and is_done(service)


def is_done(service: Service) -> bool:
    """Return whether ECS has finished its PRIMARY deployment, and has not given it up."""
    return not service.is_moving and not has_failed(service)


def steady(facts: Facts, draft: Draft) -> Outcome:
    """Report how the Release stands if nothing is to be done. The last rule: it always applies."""
    pin, service = draft.pin, facts.service
    assert pin is not None and service is not None
    found = compared(facts, draft)
    rollout = draft.rollout
    in_sync = is_proven(facts, draft)
    if rollout is not None and attempts.covers(rollout, pin) and rollout.outcome not in attempts.GOOD and not in_sync:
        return Outcome(stalled(rollout.outcome or "", rollout.message or ""))
    if in_sync:
        attempts.note_ready(facts, draft, pin)
    suspension = suspension_of(facts)
    if suspension is not None:
        return suspended(facts, draft, suspension)
    situation = _situation(facts, draft, service, pin, found)
    newer = base_revision.newer_base(facts)
    if newer is not None and _BEHIND in situation.message and not _is_reported(facts, base_revision.described(newer)):
        draft.event("Warning", "ConfigurationBehind", "Observe", f"{base_revision.described(newer)} is newer than what runs is built on")
    return Outcome(situation, again_s=drift.again_s(facts, draft))


def _is_reported(facts: Facts, text: str) -> bool:
    """Return whether the condition Ready says so already."""
    ready = find(facts.status.conditions, "Ready")
    return ready is not None and text in ready.message


def suspended(facts: Facts, draft: Draft, suspension: Suspended) -> Outcome:
    """Report that nothing is done on purpose, and what would be done."""
    pin = draft.pin
    assert pin is not None
    reason, message = suspension.reason, suspension.message
    found = compared(facts, draft)
    lost = image_availability.lost(facts, pin) if found is Match.NOTHING_RUNS else ""
    if lost:
        return Outcome(held(False, reason, join_clauses(message, f"no task runs, and none could be started: {lost}")))
    matches = _matches(standing(facts, pin, found))
    if facts.permission.is_edited:
        # What runs is compared with the pin, and the spec asks for something else.
        return Outcome(held(False if matches else None, reason, message))
    if matches and draft.target != facts.target_seen:
        # A retry that waits will take the target in: until then nothing was released there.
        return Outcome(held(False, reason, message))
    stray = _tag_drift(facts, pin) if matches and _each_task_resolves(facts, pin) else ""
    if stray:
        return Outcome(held(False, reason, join_clauses(message, stray)))
    if matches and facts.seen.health.unhealthy and facts.service is not None:
        return Outcome(held(False, reason, join_clauses(message, _too_few(facts.service))))
    if not matches:
        draft.plan = plan(facts, pin, message)
        if draft.plan.message:
            message = join_clauses(message, draft.plan.message)
    return Outcome(held(matches, reason, message))


def _matches(stands: Standing) -> bool | None:
    """Return whether what runs is what is wanted; None if that is not known."""
    return None if stands is Standing.UNPROVEN else stands is not Standing.DISPROVEN


def _situation(facts: Facts, draft: Draft, service: Service, pin: Pin, found: Match) -> Situation:
    lost = image_availability.lost(facts, pin) if found is Match.NOTHING_RUNS else ""
    if lost:
        return stalled(Reason.ARTIFACT_GONE, f"no task runs, and none can be started: {lost}")
    wrong = _wrong(facts, draft, service, pin, found) or _outdated(facts, draft, pin, found)
    if wrong is not None:
        return wrong
    stands = standing(facts, pin, found)
    if stands is Standing.NOTHING_WANTED:
        return ready(Reason.NOTHING_RUNNING, why_nothing_runs(service))
    if stands is not Standing.PROVEN:
        alone = f"{_ALONE}, so that none proves another one" if _each_task_resolves(facts, pin) and not has_failed(service) else ""
        return progressing(Reason.VERIFYING, join_clauses(_unproven(service, attempts.accepted(facts, pin)), alone))
    if found is Match.NOTHING_RUNS:
        return ready(Reason.SUCCEEDED, f"no task of {service.desired} runs just now; the last ones ran the wanted images")
    message = "every running task runs the wanted images" + ("" if found is Match.YES else ", as far as ECS tells their digests yet")
    primary = service.primary
    if service.is_moving and primary is not None:
        message += f"; deployment {_described(primary)} is under way"
    newer = base_revision.newer_base(facts)
    if newer is not None:
        message += f"; {_BEHIND} {base_revision.described(newer)} is newer, and is not rolled out (baseRevision is Service)"
    return ready(Reason.SUCCEEDED, message)


def _unproven(service: Service, accepted: Accepted) -> str:
    """Return why it is not known whether what runs is what is wanted."""
    if has_failed(service) and service.primary is not None:
        return f"deployment {_described(service.primary)} was given up by ECS ({service.primary.rollout_state_reason or 'no reason given'})"
    found = match_service(service, accepted)
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return "no task is wanted, and which images one would run is not known: the task definition or the tag could not be read"
    if service.primary is not None and found is Match.YES:
        return f"deployment {_described(service.primary)} has no running task yet, and its revision does not tell which digests it will run"
    return why_unproven(service, accepted)


def _wrong(facts: Facts, draft: Draft, service: Service, pin: Pin, found: Match) -> Situation | None:
    """Return what is not as wanted of what runs: its digests, its tag, its number; None if all is."""
    differs = drift.described(facts, draft, pin) if found is Match.NO else _tag_drift(facts, pin)
    if differs:
        return stalled(Reason.DRIFTED, differs)
    if facts.seen.health.unhealthy:
        return unready(Reason.TASKS_UNHEALTHY, _too_few(service))
    return None


def _too_few(service: Service) -> str:
    return (
        f"{service.running} of {service.desired} tasks run, fewer than the minimum of {service.minimum_healthy_percent} %:"
        f" {service.last_event or 'ECS gives no reason'}"
    )


def _outdated(facts: Facts, draft: Draft, pin: Pin, found: Match) -> Situation | None:
    """Return that the wanted images run on an older base than is wanted; None if they do not, or are not proven to run."""
    newer, stands = base_revision.newer_base(facts), standing(facts, pin, found)
    if newer is None or not base_revision.follows_latest(facts) or stands not in (Standing.PROVEN, Standing.NOTHING_WANTED):
        return None
    what = "the wanted images run" if stands is Standing.PROVEN else "no task is wanted, and one would run the wanted images"
    return unready(
        Reason.BASE_REVISION_OUTDATED,
        f"{what}, but on an older base: {base_revision.described(newer)} is newer. {_attempted(draft)}A new source, or"
        " annotation ecs-release.dev/retry, rolls it out; with onDrift Correct it goes by itself once, after correctAfterSeconds",
    )


def _attempted(draft: Draft) -> str:
    """Return how the latest attempt at a newer base ended, if it did not end well."""
    rollout = draft.rollout
    if rollout is None or rollout.cause != base_revision.CAUSE or not rollout.outcome or rollout.outcome in attempts.GOOD:
        return ""
    return f"The attempt at it ended {rollout.outcome}: {(rollout.message or '').rstrip('. ')}. "


def _tag_drift(facts: Facts, pin: Pin) -> str:
    """Return where the environment's tag points if somebody moved it; an empty string if nobody did, or the tag is not used."""
    if facts.place.target is None or facts.tags.digests is None:
        return ""
    stray = environment_tag.misplaced_tags(facts.place.target, pin, facts.tags.digests)
    what = "task" if _each_task_resolves(facts, pin) else "deployment"
    return f"{stray}: somebody moved it, and the next {what} would run that" if stray else ""


def _described(deployment: Deployment) -> str:
    state = "" if deployment.rollout_state in (None, COMPLETED) else f", {deployment.rollout_state}"
    return f"{deployment.id} ({deployment.task_definition.rpartition('/')[2]}{state})"
