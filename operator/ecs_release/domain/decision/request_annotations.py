"""Requests that are not state: annotations of `<token>` or `<token>/<reason>`, each acted on once and acknowledged in status.

Annotation continue names what it answers, too: `<token>/<hookID>/<CONTINUE or ROLLBACK>/<reason>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ecs_release.api.bounded_types import text_of
from ecs_release.api.environment import Environment
from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import (
    ABORT_ANNOTATION,
    CONTINUE_ANNOTATION,
    OVERRIDE_ANNOTATION,
    OVERRIDE_COMMITS_ANNOTATION,
    REFRESH_ANNOTATION,
    RETRY_ANNOTATION,
)
from ecs_release.api.release import Release
from ecs_release.api.release_status import RefusedRequest, ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.decision.decision import Changed, Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.interventions import CONTINUE, ROLLBACK
from ecs_release.domain.model.errors import Retryable

HANDLED = {
    RETRY_ANNOTATION: "retry",
    REFRESH_ANNOTATION: "refresh",
    ABORT_ANNOTATION: "abort",
    OVERRIDE_ANNOTATION: "override",
    OVERRIDE_COMMITS_ANNOTATION: "override_commits",
    CONTINUE_ANNOTATION: "continue",
}
"""What acknowledges each annotation: `last_handled_...` of a status, `handled_...` of a draft."""
_as_in_status, _long_as_in_status = text_of(256), text_of(1024)


class Answers(Protocol):
    """A draft, of a Release or a ReleaseSet, in which a request is answered."""

    refused_request: RefusedRequest | None

    def event(self, kind: str, reason: str, action: str, note: str) -> None:
        """Add an Event."""


HOOK_REQUEST_FORM = f"it is not of the form {CONTINUE_ANNOTATION}=<token>/<hookID>/<CONTINUE or ROLLBACK>/<reason>"


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What annotation continue asks for: how to answer which lifecycle hook, and why."""

    hook_id: str
    action: str
    reason: str = ""


def hook_request(value: str) -> HookRequest | None:
    """Parse annotation continue; None if it is not of its form."""
    token, _, rest = value.partition("/")
    hook_id, _, rest = rest.partition("/")
    action, _, reason = rest.partition("/")
    known = bool(token and hook_id) and action in (CONTINUE, ROLLBACK)
    return HookRequest(hook_id, action, reason.strip()) if known else None


def token_of(metadata: ObjectMeta, annotation: str) -> str | None:
    """Return the value that an object's annotation holds, as a status holds it; None if there is none."""
    value = (metadata.annotations or {}).get(annotation)
    # An answer to a hook holds more than a token and a reason.
    bounded = _long_as_in_status if annotation == CONTINUE_ANNOTATION else _as_in_status
    return bounded(value) if value else None


def reason_of(request: str | None) -> str:
    """Return the reason of a request; an empty string if it has none."""
    token, _, reason = (request or "").partition("/")
    return reason.strip() if token else ""


def _lacks_reason(annotation: str, request: str) -> bool:
    """Return whether a request gives no reason. An answer to a hook that is not of its form is refused for that."""
    if annotation != CONTINUE_ANNOTATION:
        return not reason_of(request)
    asked = hook_request(request)
    return asked is not None and not asked.reason


def refused(environment: Environment, metadata: ObjectMeta, status: ReleaseStatus | ReleaseSetStatus) -> dict[str, str]:
    """Return the requests that wait and lack the reason that the Environment requires, by annotation.

    What is there at first sight is old, and acknowledged as such.
    """
    if environment.spec.reasons != "Required" or is_first_sight(status):
        return {}
    waiting = {a: unhandled(metadata, a, getattr(status, f"last_handled_{name}")) for a, name in HANDLED.items()}
    return {annotation: token for annotation, token in waiting.items() if token is not None and _lacks_reason(annotation, token)}


def without(metadata: ObjectMeta, requests: Mapping[str, str]) -> ObjectMeta:
    """Return metadata as if some requests had not been made."""
    left = {name: value for name, value in (metadata.annotations or {}).items() if name not in requests}
    return metadata.model_copy(update={"annotations": left}) if requests else metadata


def refuse(draft: Answers, requests: Mapping[str, str], environment: str) -> None:
    """Answer requests that lack a reason: they are acknowledged, so that they are over, and change nothing."""
    for annotation, token in requests.items():
        form = "<token>/<hookID>/<action>/<reason>" if annotation == CONTINUE_ANNOTATION else "<token>/<reason>"
        why = f"Environment {environment!r} requires a reason. Ask again with {annotation}={form}, or kubectl ecs-release --reason"
        refuse_one(draft, annotation, token, why)


def refuse_one(draft: Answers, annotation: str, token: str, why: str, so: str = "nothing is changed") -> None:
    """Answer a request that cannot be carried out: it is acknowledged, and changes nothing, unless `so` says otherwise."""
    verb = annotation.partition("/")[2]
    text = f"{verb} {token!r} is refused, and {so}: {why}"
    setattr(draft, f"handled_{HANDLED[annotation]}", token)
    draft.refused_request = RefusedRequest(request=verb, token=token, message=text)
    draft.event("Warning", "RequestRefused", "Refuse", text)


def standing_refusal(draft: Answers, before: ReleaseStatus | ReleaseSetStatus) -> RefusedRequest | None:
    """Return the refusal for status: a new one, or the one that stands there if no other request was answered since."""
    names = HANDLED.values()
    same = all(getattr(draft, f"handled_{name}") == getattr(before, f"last_handled_{name}") for name in names)
    return draft.refused_request or (before.refused_request if same else None)


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


def hook_answer_requested(metadata: ObjectMeta, of: Draft | ReleaseStatus) -> str | None:
    """Return the answer to a lifecycle hook that was not handled yet."""
    return unhandled(metadata, CONTINUE_ANNOTATION, of.handled_continue if isinstance(of, Draft) else of.last_handled_continue)


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
    draft.handled_continue = token_of(facts.release.metadata, CONTINUE_ANNOTATION)
    return Changed("requests from before are acknowledged")


def refuse_unreasoned(facts: Facts, draft: Draft) -> Changed | None:
    """Answer the requests that the Environment refuses, because they give no reason."""
    if not facts.refused_requests:
        return None
    refuse(draft, facts.refused_requests, facts.release.spec.environment_ref.name)
    return Changed("requests without a reason are refused")


def aborted_text(draft: Draft) -> str:
    """Return that an attempt was aborted and, if the request gave a reason, why."""
    return "aborted on request" + (f" ({draft.handled_abort})" if reason_of(draft.handled_abort) else "")


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
    """Return whether a Release carries any request that was not handled yet, an override or an answer to a hook too."""
    status, metadata = release.status or ReleaseStatus(), release.metadata
    overrides = (override_requested(metadata, status), commits_override_requested(metadata, status))
    others = (*overrides, hook_answer_requested(metadata, status))
    return is_request_pending(release, status) or any(o is not None for o in others)


def is_request_pending(release: Release, status: ReleaseStatus) -> bool:
    """Return whether a retry, refresh or abort waits to be handled."""
    handled = {
        RETRY_ANNOTATION: status.last_handled_retry,
        REFRESH_ANNOTATION: status.last_handled_refresh,
        ABORT_ANNOTATION: status.last_handled_abort,
    }
    return any(unhandled(release.metadata, name, done) is not None for name, done in handled.items())
