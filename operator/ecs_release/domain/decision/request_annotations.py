"""Requests that are not state: annotations that hold a token, each acted on once and acknowledged in status."""

from __future__ import annotations

from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import (
    ABORT_ANNOTATION,
    OVERRIDE_ANNOTATION,
    OVERRIDE_COMMITS_ANNOTATION,
    REFRESH_ANNOTATION,
    RETRY_ANNOTATION,
)
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.decision.decision import Changed, Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.errors import Retryable

_MAX_TOKEN = 256


def token_of(metadata: ObjectMeta, annotation: str) -> str | None:
    """Return the token that an object's annotation holds, cut to what a status may hold; None if there is none."""
    value = (metadata.annotations or {}).get(annotation)
    return value[:_MAX_TOKEN] if value else None


def unhandled(metadata: ObjectMeta, annotation: str, handled: str | None) -> str | None:
    """Return the token of a request that was not handled yet; None if there is none."""
    token = token_of(metadata, annotation)
    return token if token != handled else None


def retry_requested(metadata: ObjectMeta, of: Draft | ReleaseStatus) -> str | None:
    """Return the token of a retry that was not handled yet."""
    return unhandled(metadata, RETRY_ANNOTATION, of.handled_retry if isinstance(of, Draft) else of.last_handled_retry)


def override_requested(metadata: ObjectMeta, of: Draft | ReleaseStatus) -> str | None:
    """Return the request to pass a closed window that was not handled yet."""
    return unhandled(metadata, OVERRIDE_ANNOTATION, of.handled_override if isinstance(of, Draft) else of.last_handled_override)


def commits_override_requested(metadata: ObjectMeta, of: Draft | ReleaseStatus) -> str | None:
    """Return the request to begin against the commit graph that was not handled yet."""
    handled = of.handled_override_commits if isinstance(of, Draft) else of.last_handled_override_commits
    return unhandled(metadata, OVERRIDE_COMMITS_ANNOTATION, handled)


def abort_requested(facts: Facts, draft: Draft) -> str | None:
    """Return the token of an abort that was not handled yet."""
    return unhandled(facts.release.metadata, ABORT_ANNOTATION, draft.handled_abort)


def refresh_requested(release: Release, status: ReleaseStatus) -> bool:
    """Return whether the source is to be resolved again. Never at first sight: a token that is there from the start was handled before."""
    return not is_first_sight(status) and unhandled(release.metadata, REFRESH_ANNOTATION, status.last_handled_refresh) is not None


def is_first_sight(status: ReleaseStatus | ReleaseSetStatus) -> bool:
    """Return whether this operator has never written this object's status."""
    return status.observed_generation is None or status.observed_generation < 0


def acknowledge_old(facts: Facts, draft: Draft) -> Changed | None:
    """Record the tokens that are there at first sight as handled: they are from before (a restored cluster, a re-created object)."""
    if not is_first_sight(facts.status):
        return None
    draft.handled_retry = token_of(facts.release.metadata, RETRY_ANNOTATION)
    draft.handled_abort = token_of(facts.release.metadata, ABORT_ANNOTATION)
    draft.handled_refresh = token_of(facts.release.metadata, REFRESH_ANNOTATION)
    draft.handled_override = token_of(facts.release.metadata, OVERRIDE_ANNOTATION)
    draft.handled_override_commits = token_of(facts.release.metadata, OVERRIDE_COMMITS_ANNOTATION)
    return Changed("requests from before are acknowledged")


def acknowledge_refresh(facts: Facts, draft: Draft) -> Changed | None:
    """Acknowledge a refresh that was carried out, or that cannot be; one that met a passing fault is tried again."""
    problem = facts.wanted.problem
    if not refresh_requested(facts.release, facts.status) or isinstance(problem, Retryable):
        return None
    draft.handled_refresh = token_of(facts.release.metadata, REFRESH_ANNOTATION)
    if problem is not None:
        draft.event("Warning", "RefreshFailed", "Resolve", f"the source was not resolved again: {problem.message}")
    elif not facts.wanted.refreshed:
        draft.event("Normal", "RefreshUnchanged", "Resolve", "the source was resolved again and means the same digests")
    return Changed("the refresh is acknowledged")


def has_request(release: Release) -> bool:
    """Return whether a Release carries any request that was not handled yet, an override too."""
    status = release.status or ReleaseStatus()
    overrides = (override_requested(release.metadata, status), commits_override_requested(release.metadata, status))
    return is_request_pending(release, status) or any(o is not None for o in overrides)


def is_request_pending(release: Release, status: ReleaseStatus) -> bool:
    """Return whether a retry, refresh or abort waits to be handled."""
    handled = {
        RETRY_ANNOTATION: status.last_handled_retry,
        REFRESH_ANNOTATION: status.last_handled_refresh,
        ABORT_ANNOTATION: status.last_handled_abort,
    }
    return any(unhandled(release.metadata, name, done) is not None for name, done in handled.items())
