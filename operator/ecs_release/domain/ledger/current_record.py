"""The current record of a service: what is wanted, what was deployed last, what it was Ready on, and what tasks show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, TypeAlias

from ecs_release.api.conditions import ConditionType
from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent, Stage
from ecs_release.api.meta import shared_fields
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus, Rollout, Running
from ecs_release.domain.decision.attempts import aims_at
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.conditions import FALSE, find
from ecs_release.domain.ports.ledger_acknowledgements import START


def whole_seconds(time: datetime | None) -> datetime | None:
    """Cut a time to seconds, as a status keeps it: a record made before the status is written must equal one made after it is read."""
    return time.replace(microsecond=0) if time is not None else None


def identity(facts: Facts, status: ReleaseStatus) -> dict[str, Any]:
    """Return the fields that identify the service."""
    release, target = facts.release, status.target
    aws = facts.place.environment.spec.aws if facts.place.environment else None
    return {
        "installation": facts.limits.installation,
        "namespace": release.metadata.namespace or "",
        "project": release.spec.project_ref.name,
        "service_set": facts.service_set or None,
        "service": release.spec.service,
        "environment": release.spec.environment_ref.name,
        "account_id": (target.account_id if target else None) or (aws.account_id if aws else None),
        "region": (target.region if target else None) or (aws.region if aws else None),
        "cluster": target.cluster if target else None,
        "service_arn": target.service_arn if target else None,
        "release": release.metadata.name,
        "release_uid": release.metadata.uid,
    }


LaterEntries: TypeAlias = Collection[tuple[str, Stage]]
"""Entries of attempts, by id and stage, that are recorded later."""


def current_record(facts: Facts, status: ReleaseStatus, later: LaterEntries = ()) -> LedgerCurrent:
    """Make the current record from a status, but of attempts only what is not recorded `later`."""
    in_sync = find(status.conditions, ConditionType.IN_SYNC)
    at_rest = status.rollout is None or bool(status.rollout.outcome)
    return LedgerCurrent(
        **identity(facts, status),
        wanted=_wanted(status),
        deployed=_deployed(status, later),
        ready=_ready(status),
        observed=_observed(status.running),
        foreign=_foreign(status),
        drifted=True if at_rest and in_sync is not None and in_sync.status == FALSE else None,
        observed_time=facts.now,
    )


def checksum(current: LedgerCurrent) -> str:
    """Return a hash of what a current record says, of 16 hexadecimal digits: without its time and its message, which change for nothing.

    And without the release number, which the ledger assigns.
    """
    content = current.to_kubernetes()
    content.pop("observedTime")
    for name in ("message", "number"):
        content.get("deployed", {}).pop(name, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _wanted(status: ReleaseStatus) -> CurrentPart | None:
    pin = status.pin
    if pin is None:
        return None
    images = [CurrentImage(container=i.container, digest=i.digest, hash=i.release_hash) for i in pin.images or ()]
    shown = status.summary.hash if status.summary else None
    return CurrentPart(images=images, hash=shown, source_hash=pin.source_hash, pin_id=pin.id, time=pin.resolved_time)


def _deployed(status: ReleaseStatus, later: LaterEntries) -> CurrentPart | None:
    """Return the latest attempt; the one before it, if the ledger does not have the start of that yet."""
    rollout, history = status.rollout, status.history or ()
    if rollout is None:
        return None
    if (rollout.attempt_id, Stage.START) in later:
        earlier = next((e for e in history if (e.attempt_id, Stage.START) not in later), None)
        if earlier is None:
            return None
        return _attempt(
            earlier, [CurrentImage(container=i.container, digest=i.to_digest, hash=i.to_hash) for i in earlier.images or ()], later
        )
    hashes = {i.container: i.to_hash for i in rollout.images or ()}
    images = [CurrentImage(container=c, digest=d, hash=hashes.get(c)) for c, d in aims_at(rollout).items()]
    return _attempt(rollout, images, later, next((e for e in history if e.attempt_id == rollout.attempt_id), None))


def _attempt(
    attempt: Rollout | HistoryEntry, images: list[CurrentImage], later: LaterEntries, entry: HistoryEntry | None = None
) -> CurrentPart:
    """Return an attempt without its end, if that is recorded later. `entry` adds who and why to the latest one."""
    ended = attempt.outcome and (attempt.attempt_id, Stage.END) not in later
    fields = shared_fields(CurrentPart, entry, attempt)
    fields |= {"images": images or None, "time": (attempt.completion_time if ended else None) or attempt.start_time}
    return CurrentPart(**(fields if ended else fields | {"outcome": None, "message": None}))


def _ready(status: ReleaseStatus) -> CurrentPart | None:
    last = status.last_ready
    if last is None:
        return None
    images = [CurrentImage(container=i.container, digest=i.digest, hash=i.release_hash) for i in last.images or ()]
    return CurrentPart(images=images, source_hash=last.source_hash, pin_id=last.pin_id, time=last.time)


def _foreign(status: ReleaseStatus) -> CurrentPart | None:
    """Return the newest foreign deployment that the ledger has as begun: if the Release is deleted, its end is made from this."""
    newest = next((f for f in status.foreign or () if f.state == START), None)
    if newest is None:
        return None
    images = [CurrentImage(container=i.container, digest=i.from_digest, hash=i.from_hash) for i in newest.images or ()]
    return CurrentPart(**shared_fields(CurrentPart, newest) | {"images": images or None, "time": whole_seconds(newest.start_time)})


def _observed(running: Running | None) -> CurrentPart | None:
    """Return what most tasks run in each container."""
    if running is None:
        return None
    images = []
    for container in running.containers or ():
        shown = next((d for d in container.digests or () if d.digest), None)
        images.append(
            CurrentImage(container=container.name, digest=shown.digest if shown else None, hash=shown.release_hash if shown else None)
        )
    return CurrentPart(**shared_fields(CurrentPart, running), images=images or None, time=whole_seconds(running.since_time))
