"""Requests that are not state: annotations that hold a token, each acted on once and acknowledged in status."""

from __future__ import annotations

from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import ABORT_ANNOTATION, OVERRIDE_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.errors import Retryable

_MAX_TOKEN = 256


def token_of(metadata: ObjectMeta, annotation: str) -> str | None:
    """Return the token that an object's annotation holds, cut to what a status may hold; None where there is none."""
    value = (metadata.annotations or {}).get(annotation)
    return value[:_MAX_TOKEN] if value else None


def retry_wanted(facts: Facts, draft: Draft) -> str | None:
    """Return the token of a retry that was not handled yet."""
    token = token_of(facts.release.metadata, RETRY_ANNOTATION)
    return token if token != draft.handled_retry else None


def abort_wanted(facts: Facts, draft: Draft) -> str | None:
    """Return the token of an abort that was not handled yet."""
    token = token_of(facts.release.metadata, ABORT_ANNOTATION)
    return token if token != draft.handled_abort else None


def refresh_wanted(release: Release, status: ReleaseStatus) -> bool:
    """Tell whether the source is to be resolved again. Never at first sight: a token that is there from the start is old news."""
    token = token_of(release.metadata, REFRESH_ANNOTATION)
    return token is not None and not is_first_sight(status) and token != status.last_handled_refresh


def is_first_sight(status: ReleaseStatus | ReleaseSetStatus) -> bool:
    """Tell whether this operator has never written this object's status."""
    return status.observed_generation is None or status.observed_generation < 0


def acknowledge_old(facts: Facts, draft: Draft) -> None:
    """Record the tokens that are there at first sight as handled: they are from before (a restored cluster, a re-created object)."""
    if is_first_sight(facts.status):
        draft.handled_retry = token_of(facts.release.metadata, RETRY_ANNOTATION)
        draft.handled_abort = token_of(facts.release.metadata, ABORT_ANNOTATION)
        draft.handled_refresh = token_of(facts.release.metadata, REFRESH_ANNOTATION)
        draft.handled_override = token_of(facts.release.metadata, OVERRIDE_ANNOTATION)


def acknowledge_refresh(facts: Facts, draft: Draft) -> None:
    """Acknowledge a refresh that was carried out, or that cannot be; one that met a passing fault is tried again."""
    if not refresh_wanted(facts.release, facts.status) or isinstance(facts.pin_problem, Retryable):
        return
    draft.handled_refresh = token_of(facts.release.metadata, REFRESH_ANNOTATION)
    if facts.pin_problem is not None:
        draft.say("Warning", "RefreshFailed", "Resolve", f"the source was not resolved again: {facts.pin_problem.message}")
    elif not facts.refreshed:
        draft.say("Normal", "RefreshUnchanged", "Resolve", "the source was resolved again and means the same digests")


def is_asked(release: Release) -> bool:
    """Tell whether a Release carries any request that was not handled yet, to pass a window too."""
    status = release.status or ReleaseStatus()
    override = token_of(release.metadata, OVERRIDE_ANNOTATION)
    return pending(release, status) or (override is not None and override != status.last_handled_override)


def pending(release: Release, status: ReleaseStatus) -> bool:
    """Tell whether any request waits to be handled."""
    handled = {
        RETRY_ANNOTATION: status.last_handled_retry,
        REFRESH_ANNOTATION: status.last_handled_refresh,
        ABORT_ANNOTATION: status.last_handled_abort,
    }
    return any((token := token_of(release.metadata, name)) is not None and token != done for name, done in handled.items())
