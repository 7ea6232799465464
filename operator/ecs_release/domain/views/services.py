"""The services of a deployment set, as views show them: how each stands, by the statuses of the Releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.drift_status import LastDrift
from ecs_release.api.names import LABEL_SERVICE, RELEASE
from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence, HistoryEntry, ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.sets.child_state import LEFT
from ecs_release.domain.sets.facts import attempt_since
from ecs_release.domain.views.verdicts import Verdict, verdict_of

IDLE, ENDED = "NothingRunning", "Ended"
"""States of services beside those that statuses have: none of its tasks is wanted, and nothing can be said of how it ended."""
HELD = frozenset({Reason.SUSPENDED, Reason.OBSERVING})
"""Reasons of Ready of what may run what is wanted, and still does not go on."""
_STATES = {Verdict.LIVE: "Ready", Verdict.NOTHING_RUNS: IDLE, Verdict.FAILED: "Failed"}


@dataclass(frozen=True, slots=True)
class ShownService:
    """A service of the deployment set: its state in a word (of a set: SetService.state, of a Release: its phase; else IDLE or ENDED).

    `message` says why.
    """

    name: str
    state: str
    message: str = ""
    hash: str = ""
    evidence: tuple[Evidence, ...] = ()
    links: Mapping[str, str] | None = None
    drift: str = ""
    """What runs instead, in a sentence, if something else does now."""
    drift_began: datetime | None = None
    """When the latest drift began; its end, if it is over, and what was said of it, are beside it."""
    drift_ended: datetime | None = None
    drift_said: str = ""


def services_of_set(status: ReleaseSetStatus, children: Sequence[Release], began: datetime) -> Iterator[ShownService]:
    """Yield the services of a set, whose deployment set began then."""
    known = {name_of(c): c for c in children}
    for line in status.services or ():
        child = known.get(line.name)
        its_status = (child.status if child is not None else None) or ReleaseStatus()
        has_begun = child is not None and attempt_since(child, began) is not None
        message = line.message or (_message(its_status) if has_begun else "")
        service = service_of(line.name, its_status, line.state or "", message, line.hash or "")
        yield service if has_begun else replace(service, evidence=(), links=None)


def idle_services(status: ReleaseSetStatus, children: Sequence[Release], entry: SetHistoryEntry) -> tuple[tuple[str, ...], bool]:
    """List the services of which nothing ran at the end of a deployment set, by the attempts that stood then, and was proven since.

    Also returns whether these are all that it has.
    """
    ended = entry.completion_time if entry.outcome else None
    if ended is None:
        return (), False
    members, found, others = {s.name for s in status.services or () if s.state != LEFT}, list[str](), False
    for child in children:
        its_status, name = child.status or ReleaseStatus(), name_of(child)
        stood = next((a for a in its_status.history or () if a.start_time is not None and a.start_time <= ended), None)
        if name not in members:
            continue
        if stood is not None and stood.outcome == Reason.NOTHING_RUNNING and not proven_since(its_status, stood):
            found.append(name)
        else:
            others = True
    return tuple(sorted(found)), bool(found) and not others


def proven_since(status: ReleaseStatus, entry: HistoryEntry) -> bool:
    """Return whether what an attempt brings was proven to run after it began."""
    last = status.last_ready
    if last is None or last.time is None or entry.start_time is None or last.pin_id is None:
        return False
    return last.pin_id == entry.pin_id and last.time >= entry.start_time


def name_of(child: Release) -> str:
    """Return the name of a child's service."""
    return (child.metadata.labels or {}).get(LABEL_SERVICE, child.spec.service)


def standing(status: ReleaseStatus, entry: HistoryEntry, asked_for: bool) -> tuple[str, str]:  # noqa: FBT001
    """Return the state and the message of the service of an attempt."""
    if asked_for:
        return _phase(status), _message(status)
    found = verdict_of(RELEASE, entry.cause, entry.outcome)
    return _STATES.get(found, ENDED) if found is not None else "Progressing", entry.message or ""


def _phase(status: ReleaseStatus) -> str:
    """Return the phase of a Release; of one that is held, whether it runs what is wanted."""
    ready = find(status.conditions, ConditionType.READY)
    if ready is not None and ready.reason in HELD:
        return "Ready" if ready.status == TRUE else "Waiting"
    return status.phase or "Pending"


def _message(status: ReleaseStatus) -> str:
    ready = find(status.conditions, ConditionType.READY)
    return ready.message if ready is not None else ""


def service_of(name: str, status: ReleaseStatus, state: str, message: str, its_hash: str = "") -> ShownService:
    """Return a service that stands so."""
    rollout, ready, last = status.rollout, find(status.conditions, ConditionType.READY), status.last_drift or LastDrift()
    state = IDLE if state == "Ready" and _runs_nothing(status) else state
    links = rollout.links.to_kubernetes() if rollout is not None and rollout.links is not None else None
    return ShownService(
        name=name,
        state=state,
        message=message,
        hash=its_hash or (status.summary.hash if status.summary else None) or "",
        evidence=tuple((rollout.evidence if rollout else None) or ()),
        links=links,
        drift=ready.message if ready is not None and ready.reason == Reason.DRIFTED else "",
        drift_began=last.start_time,
        drift_ended=last.end_time,
        drift_said=last.message or "",
    )


def _runs_nothing(status: ReleaseStatus) -> bool:
    """Return whether no task runs that would show what it runs; a suspension, say, takes the place of that in the reason of Ready."""
    found = (find(status.conditions, kind) for kind in (ConditionType.READY, ConditionType.IN_SYNC))
    return any(condition is not None and condition.reason == Reason.NOTHING_RUNNING for condition in found)
