"""What ran before, by the attempts that status remembers: whether a commit was there, and since when what runs contains it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.release_status import HistoryEntry, ImageChange, ReleaseStatus
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.attempts import GOOD, PROVEN, proofs
from ecs_release.domain.presence.answers import Answer, Contains, Graph, answer, joined
from ecs_release.domain.verification.proof import Match

FAILURES = frozenset({"RolloutFailed", "RolledBack", "DeadlineExceeded"})
"""Outcomes of attempts that did not bring up what they were to bring."""


@dataclass(frozen=True, slots=True)
class Stay:
    """When something that contains the commit ran last: from when, if status remembers, and until when."""

    since: datetime | None
    until: datetime


def last_stay(status: ReleaseStatus, listed: Collection[str], graph: Graph) -> Stay | None:
    """Return when the commit was there last, if it was taken away since; None if status does not remember that."""
    until: datetime | None = None
    expected: dict[str, str | None] = {}
    since: datetime | None = None
    for entry in status.history or ():
        changes = _changes(entry, listed)
        if entry.outcome not in GOOD or not changes:
            continue
        brings = joined(answer(graph, c.to_hash, "") for c in changes).contains is Contains.YES
        was_there = _before(changes, graph).contains is Contains.YES
        if until is None:
            if was_there and not brings and entry.completion_time is not None:
                until, expected = entry.completion_time, {c.container: c.from_digest for c in changes}
            continue
        if {c.container: c.to_digest for c in changes} != expected:
            # Somebody else has deployed meanwhile: since when is not known.
            return Stay(None, until)
        since = entry.completion_time
        if not was_there:
            return Stay(since, until)
        expected = {c.container: c.from_digest for c in changes}
    return Stay(None, until) if until is not None else None


def last_failure(status: ReleaseStatus, listed: Collection[str], graph: Graph) -> HistoryEntry | None:
    """Return the latest attempt that was to bring the commit, and failed."""
    for entry in status.history or ():
        changes = _changes(entry, listed)
        if changes and entry.outcome in FAILURES and joined(answer(graph, c.to_hash, "") for c in changes).contains is Contains.YES:
            return entry
    return None


def ran_before(status: ReleaseStatus, listed: Collection[str], graph: Graph) -> Answer:
    """Return whether something that ran before contains the commit: Yes if one did; No if none did, as far as status remembers."""
    answers = list(_former(status, listed, graph))
    for kind in (Contains.YES, Contains.UNKNOWN):
        found = next((a for a in answers if a.contains is kind), None)
        if found is not None:
            return found
    return Answer(Contains.NO)


def live_since(status: ReleaseStatus, listed: Collection[str], graph: Graph) -> datetime | None:
    """Return since when what ran contains the commit, as far back as attempts follow upon each other without a gap."""
    running = status.running
    since, expected = (running.since_time if running is not None else None), _running_digests(status, listed)
    for entry in status.history or ():
        if entry.outcome not in GOOD:
            continue
        changes = _changes(entry, listed)
        if since is None or not changes or {c.container: c.to_digest for c in changes} != expected:
            break
        since = min(since, entry.completion_time or since)
        if _before(changes, graph).contains is not Contains.YES:
            break
        expected = {c.container: c.from_digest for c in changes}
    return since


def _former(status: ReleaseStatus, listed: Collection[str], graph: Graph) -> Iterator[Answer]:
    ready = status.last_ready
    if ready is not None and ready.images:
        yield joined(answer(graph, i.release_hash, f"an image of {i.container} that ran before") for i in ready.images)
    for entry in status.history or ():
        changes = _changes(entry, listed)
        if changes and entry.outcome in PROVEN:
            yield joined(answer(graph, c.to_hash, f"an image of {c.container} that ran before") for c in changes)
        if changes and all(c.from_digest for c in changes):
            yield _before(changes, graph)


def _before(changes: Collection[ImageChange], graph: Graph) -> Answer:
    return joined(answer(graph, c.from_hash, f"an image of {c.container} that ran before") for c in changes)


def _changes(entry: HistoryEntry, listed: Collection[str]) -> list[ImageChange]:
    return [i for i in entry.images or () if not i.unlisted and i.container in listed]


def _running_digests(status: ReleaseStatus, listed: Collection[str]) -> dict[str, str | None]:
    """Return the digest of each listed container; of a platform of a pinned manifest list, that of the list, as attempts have it."""
    wanted, pinned = (proofs(status.pin), digests_of(status.pin.images)) if status.pin is not None else ({}, {})
    found: dict[str, str | None] = {}
    for container in (status.running.containers if status.running is not None else None) or ():
        digest = next((d.digest for d in container.digests or () if d.tasks), None)
        if container.name in listed:
            is_pinned = container.name in wanted and wanted[container.name].match(digest) is Match.YES
            found[container.name] = pinned[container.name] if is_pinned else digest
    return found
