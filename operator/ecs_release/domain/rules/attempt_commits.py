"""Which commits an attempt brings, and how long they took: a statistic in its history entry, which nothing decides by or waits for.

An attempt goes from what ran before and was proven to what it deploys, by the release hashes of both, whether a tag confirms them or a
manifest claims them. What is not known by the end of the attempt stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.release_status import HistoryEntry, ImageChange, LastReady, Rollout
from ecs_release.domain.artifacts.claimed_hash import given_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ports.commits import Commit, CommitRange, Relation, RelationKind, Span

_CHANGES = frozenset({"Requested", "Retry"})
"""Causes of attempts that bring commits for the first time: others take back or restore."""


def asked(facts: Facts) -> tuple[Span, ...]:
    """List what is to be asked: of the attempt that is under way, and of the one that may begin. Nothing at rest."""
    status, pin = facts.status, facts.wanted.pin
    history = status.history or ()
    found: list[Span | None] = []
    entry = _entry_of(status.rollout, history)
    if entry is not None and not entry.outcome and entry.commit_range is None:
        found.append(span_of(entry.images or (), _earlier(entry, history), status.last_ready))
    if pin is not None and may_begin(facts.release, pin, may_correct=facts.permission.may_correct):
        found.append(span_of(attempts.changes(facts, pin), history, status.last_ready))
    return tuple(dict.fromkeys(span for span in found if span is not None))


def note(facts: Facts, draft: Draft) -> None:
    """Enter into the latest attempt's history entry which commits it brings, once that is known, and how long they took."""
    entry = _entry_of(draft.rollout, draft.history)
    if entry is None:
        return
    earlier, found = _earlier(entry, draft.history), {}
    if entry.commit_range is None and facts.spans:
        span = span_of(entry.images or (), earlier, facts.status.last_ready)
        if span is not None and span in facts.spans:
            found["commit_range"] = facts.spans[span]
    noted = entry.model_copy(update=found)
    if noted.lead_time_seconds is None:
        noted = noted.model_copy(update={"lead_time_seconds": lead_time_s(noted, earlier)})
    if noted != entry:
        draft.enter(noted)


def span_of(images: Sequence[ImageChange], earlier: Sequence[HistoryEntry], last_ready: LastReady | None) -> Span | None:
    """Return from which commit to which an attempt goes, by its images and the attempts before it, newest first.

    None if nothing ran before, if nothing changes, if a commit is not known, or if containers go from or to different ones.
    """
    spans = set()
    for image in images:
        if image.unlisted or not image.from_digest:
            continue
        before, digest = _proven_before(image, earlier, last_ready)
        after = given_hash(image.to_hash) or ""
        if digest == image.to_digest:
            continue
        if not before or not after:
            return None
        if before != after:
            spans.add(Span(before, after))
    span = spans.pop() if len(spans) == 1 else None
    return span if span is not None and is_commit_hash(span.before) and is_commit_hash(span.after) else None


def summary(ends: Span, relation: Relation, of: CommitRange) -> AttemptCommits | None:
    """Return what is recorded of an attempt by how the ends of its span, full hashes, relate; None if nothing lies between them.

    `of` are the commits that it brings or, if it brings none, those that it takes back. The oldest, by its committer's time, is known
    only if all are listed.
    """
    if relation.kind is RelationKind.SAME or not of.commits:
        return None
    first = min(of.commits, key=_committed) if len(of.commits) == of.total else None
    return AttemptCommits(
        before=ends.before,
        after=ends.after,
        added=relation.behind,
        removed=relation.ahead or None,
        first=first.hash if first else None,
        last=of.commits[0].hash,
        first_time=first.committed_at if first else None,
        authors=len({commit.author for commit in of.commits}),
    )


def lead_time_s(entry: HistoryEntry, earlier: Sequence[HistoryEntry]) -> int | None:
    """Return how many seconds the oldest commit that an attempt brings took to run; None if that is not known, or it brings none."""
    commits, ended = entry.commit_range, entry.completion_time
    if entry.outcome not in attempts.PROVEN or entry.cause not in _CHANGES or commits is None or not commits.added:
        return None
    if commits.first_time is None or ended is None or not new_digests(entry, earlier):
        return None
    return max(0, int((ended - commits.first_time).total_seconds()))


def new_digests(entry: HistoryEntry, history: Sequence[HistoryEntry]) -> set[str]:
    """Return the digests that an attempt brings and that, as far as the history goes, no other one has deployed or found running."""
    proven = (past for past in history if past.attempt_id != entry.attempt_id and past.outcome in attempts.PROVEN)
    ran = {image.to_digest for past in proven for image in past.images or ()}
    brought = {i.to_digest for i in entry.images or () if not i.unlisted and i.to_digest and i.to_digest != i.from_digest}
    return {digest for digest in brought if digest not in ran}


def _proven_before(image: ImageChange, earlier: Sequence[HistoryEntry], last_ready: LastReady | None) -> tuple[str, str]:
    """Return hash and digest of what a container ran before: not what an attempt had brought that never was proven."""
    commit, digest = given_hash(image.from_hash) or "", image.from_digest or ""
    ready = {(i.container, i.digest) for i in (last_ready.images if last_ready else None) or ()}
    for past in _unproven(earlier):
        if (image.container, digest) in ready:
            break
        brought = next((i for i in past.images or () if i.container == image.container and not i.unlisted), None)
        if brought is not None and (brought.to_digest == digest or (commit and given_hash(brought.to_hash) == commit)):
            commit, digest = given_hash(brought.from_hash) or "", brought.from_digest or ""
    return commit, digest


def _unproven(earlier: Sequence[HistoryEntry]) -> Iterator[HistoryEntry]:
    """Yield the attempts since the last one that was proven, newest first."""
    for past in earlier:
        if past.outcome in attempts.PROVEN:
            return
        yield past


def _entry_of(rollout: Rollout | None, history: Sequence[HistoryEntry]) -> HistoryEntry | None:
    return next((e for e in history if rollout is not None and e.attempt_id == rollout.attempt_id), None)


def _earlier(entry: HistoryEntry, history: Sequence[HistoryEntry]) -> Sequence[HistoryEntry]:
    ids = [e.attempt_id for e in history]
    return history[ids.index(entry.attempt_id) + 1 :]


def _committed(commit: Commit) -> float:
    return commit.committed_at.timestamp() if commit.committed_at is not None else float("inf")
