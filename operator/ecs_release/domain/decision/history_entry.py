"""The entry of an attempt in a Release's history: who, why, when, from which digests to which, and how it ended."""

from __future__ import annotations

from ecs_release.api.meta import shared_fields
from ecs_release.api.names import REFRESH_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.record_status import AttemptRecord
from ecs_release.api.release_status import HistoryEntry, Rollout
from ecs_release.domain.artifacts.pin_key import Membership, pin_key
from ecs_release.domain.artifacts.source import display_hash
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import reason_of, token_of
from ecs_release.domain.model.applied_by import applied_by

REQUESTED_AT_START = frozenset({"Retry", "DriftCorrection", "BaseRevisionChanged"})
"""Causes of attempts that something else than a new source requests."""


def entry(facts: Facts, draft: Draft, rollout: Rollout) -> HistoryEntry:
    """Return the entry of an attempt in the history: who, why, when, from which digests to which, and how it ended.

    Who and why are those of the spec at its beginning; its own deployment stays named when another of the same digests took over.
    """
    before = next((e for e in draft.history if e.attempt_id == rollout.attempt_id), None)
    if before is not None:
        return before.model_copy(
            update={
                "outcome": rollout.outcome,
                "message": rollout.message,
                "completion_time": rollout.completion_time,
                "deployment_id": before.deployment_id or rollout.deployment_id,
                "task_definition": rollout.task_definition,
                "interventions": rollout.interventions,
                "record": (before.record or AttemptRecord()).model_copy(
                    update={"request_id": rollout.request_id, "service_deployment_arn": rollout.service_deployment_arn}
                ),
            }
        )
    fields = shared_fields(HistoryEntry, facts.release.spec.change, rollout) | {
        "hash": display_hash(facts.release.spec.source, draft.pin) or None,
        "applied_by": applied_by(facts.release.metadata),
        "reason": _reason(facts, rollout),
        "record": _record(facts, draft, rollout),
    }
    return HistoryEntry(**fields)


def _reason(facts: Facts, rollout: Rollout) -> str | None:
    """Return the reason of the request that an attempt begins by, if it gives one."""
    asked = RETRY_ANNOTATION if rollout.cause == "Retry" else REFRESH_ANNOTATION if facts.wanted.refreshed else ""
    return reason_of(token_of(facts.release.metadata, asked)) or None


def _record(facts: Facts, draft: Draft, rollout: Rollout) -> AttemptRecord:
    """Return what is for the ledger and nowhere else in status. Of a child at rest the set is that of its last entry."""
    member, images = facts.permission.member, {i.container: i.to_digest or "" for i in rollout.images or () if not i.unlisted}
    requested = draft.pin.resolved_time if draft.pin is not None and rollout.cause not in REQUESTED_AT_START else rollout.start_time
    before = next((e.record for e in draft.history if e.record and e.source_hash == rollout.source_hash), None)
    if member is None and before is not None and before.release_set:
        member = Membership(before.release_set, before.set_source_hash or "", before.pin or "")
    return AttemptRecord(
        pin=member.pin if member else pin_key({facts.release.spec.service: images}),
        release_set=member.release_set if member else None,
        set_source_hash=(member.source_hash or None) if member else None,
        requested_time=requested,
        request_id=rollout.request_id,
    )
