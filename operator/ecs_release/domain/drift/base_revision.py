"""The base revision: what somebody else (Terraform) registers, and our revisions are built on."""

from __future__ import annotations

from datetime import timedelta

from ecs_release.api.release_status import Pin
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import base_number

LATEST, CORRECT = "Latest", "Correct"
CAUSE = "BaseRevisionChanged"


def newer_base(facts: Facts) -> TaskDefinition | None:
    """Return a revision of somebody else's that is newer than the one that the running one is, or was built on."""
    running, newest = facts.revisions.running, facts.revisions.newest_foreign
    if running is None or newest is None or newest.family != running.family:
        return None
    built_on = base_number(running, facts.limits.installation)
    return newest if built_on.isdigit() and newest.revision > int(built_on) else None


def follows_latest(facts: Facts) -> bool:
    """Return whether the newest base is wanted (baseRevision Latest)."""
    return facts.place.target is not None and facts.place.target.policy.base_revision == LATEST


def must_follow(facts: Facts, draft: Draft, pin: Pin) -> bool:
    """Return whether a newer base is to be rolled out now, which is drift that is corrected.

    Only if the Release was Ready on this pin and its latest attempt did not fail (one that deployed nothing has not), and once the base has
    been there for correctAfterSeconds: whoever registered it may be about to deploy it.
    """
    newer = newer_base(facts)
    if newer is None or facts.place.target is None or not follows_latest(facts) or facts.place.target.policy.on_drift != CORRECT:
        return False
    rollout = draft.rollout
    failed = rollout is not None and rollout.outcome not in attempts.GOOD | {attempts.ABANDONED}
    stood = newer.registered_at is None or facts.now - newer.registered_at >= timedelta(seconds=facts.place.target.policy.correct_after_s)
    return attempts.was_ready(draft.last_ready, pin) and not failed and stood


def described(newer: TaskDefinition) -> str:
    """Return a newer base as messages have it."""
    by = f", registered by {newer.registered_by}" if newer.registered_by else ""
    return f"{newer.family}:{newer.revision}{by}"
