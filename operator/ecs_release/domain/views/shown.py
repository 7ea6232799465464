"""A deployment set, or an attempt of a Release on its own, or what is overdue, as views show it: the same from the same statuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.change import Change
from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.drift_status import LastDrift
from ecs_release.api.names import LABEL_SERVICE, RELEASE, RELEASE_SET
from ecs_release.api.promotion import OVERDUE, AwaitedPromotion
from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence, HistoryEntry, ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry, SetWave
from ecs_release.domain.artifacts.claimed_hash import confirmed_hash
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.attempts import ADOPTED, GOOD, covers
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.commits import Span
from ecs_release.domain.promotion.overdue import text_of
from ecs_release.domain.rules.attempt_commits import span_of
from ecs_release.domain.sets.facts import attempt_since, set_source_hash

OVERDUE_ID = "overdue"
_ROLLBACK = "Rollback"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ShownService:
    """A service of the deployment set: its state in a word (of a set: SetService.state, of a Release: its phase), and why."""

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


@dataclass(frozen=True, slots=True)
class Shown:
    """One deployment set, or what is overdue. `is_latest`: the object has begun no other since; `is_replaced`: a later one has succeeded.

    `commit` is the one commit that it brings, perhaps abbreviated; empty if it is not one.
    """

    id: str
    kind: str
    namespace: str
    name: str
    uid: str
    project: str
    service_set: str
    environment: str
    installation: str
    is_latest: bool
    is_replaced: bool
    start_time: datetime
    hash: str = ""
    commit: str = ""
    cause: str = ""
    outcome: str = ""
    message: str = ""
    requested_by: str = ""
    applied_by: str = ""
    description: str = ""
    reason: str = ""
    url: str = ""
    completion_time: datetime | None = None
    waiting_for: str = ""
    """What it waits for, in a sentence, if nothing of it is under way; only of the latest."""
    waves: tuple[SetWave, ...] = ()
    services: tuple[ShownService, ...] = ()
    spans: tuple[Span, ...] = ()
    """From which commit to which its services go, as far as that is known; hashes may be abbreviated."""
    told: int | None = None
    """How often it was said that promotions of `services` are overdue; 0: none waits any more. None: this is a deployment set."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self.outcome)

    @property
    def is_good(self) -> bool:
        """Whether it has ended as was wanted: what it brings runs, or a rollback has brought back what ran before."""
        return _is_good(self.kind, self.cause, self.outcome)


def deployment_sets(release_set: ReleaseSet, children: Sequence[Release], installation: str) -> tuple[Shown, ...]:
    """List the deployment sets of a ReleaseSet, newest first. Of the latest the services are described, by the children's statuses."""
    status = release_set.status or ReleaseSetStatus()
    found, history = [], status.history or ()
    wanted = set_source_hash(release_set.spec)
    for index, entry in enumerate(history):
        if entry.start_time is None:
            continue
        latest = index == 0
        is_asked_for = latest and entry.source_hash in (None, wanted)
        services = tuple(_of_set(status, children, entry.start_time)) if latest else ()
        found.append(
            Shown(
                **_whose(RELEASE_SET, release_set, installation), **_why(entry), id=entry.id, is_latest=latest,
                is_replaced=any(_is_good(RELEASE_SET, newer.cause, newer.outcome) for newer in history[:index]),
                start_time=entry.start_time, service_set=release_set.spec.service_set,
                url=_url(release_set.spec.change) if is_asked_for else "",
                commit=_commit(entry.hash, [i.release_hash for s in status.services or () if not s.origin for i in s.images or ()], latest),
                waiting_for=_waits(status) if is_asked_for and not entry.outcome else "",
                waves=tuple(status.waves or ()) if latest else (),
                services=services, spans=_spans([c for c in children if attempt_since(c, entry.start_time)]) if latest else (),
            )
        )  # fmt: skip
    return tuple(found)


def attempts(release: Release, service_set: str, installation: str) -> tuple[Shown, ...]:
    """List the attempts of a Release on its own, newest first, without those that deployed nothing."""
    status = release.status or ReleaseStatus()
    found, history = [], status.history or ()
    asked_for = _asked_for(release)
    for index, entry in enumerate(history):
        if entry.start_time is None or _deployed_nothing(entry):
            continue
        latest = all(_deployed_nothing(newer) and _brings(newer) == _brings(entry) for newer in history[:index])
        found.append(
            Shown(
                **_whose(RELEASE, release, installation), **_why(entry), id=entry.attempt_id, is_latest=latest,
                is_replaced=not latest and any(_is_good(RELEASE, newer.cause, newer.outcome) for newer in history[:index]),
                start_time=entry.start_time, service_set=service_set, url=entry.url or "",
                commit=_commit(entry.hash, [i.to_hash for i in entry.images or () if not i.unlisted], is_latest=True),
                waiting_for=_waits(status) if latest and asked_for and not entry.outcome else "",
                services=(_service(release.spec.service, status, *_standing(status, entry, asked_for)),) if latest else (),
                spans=_spans([release]) if latest else (),
            )
        )  # fmt: skip
    return tuple(found)


def overdue(of: Release | ReleaseSet, releases: Sequence[Release], service_set: str, installation: str) -> Shown:
    """Return which of the releases are overdue, as was said last: `start_time`. What was said of one that is on its way still holds."""
    waits = [(r.spec.service, p, r) for r in releases if (p := r.status.promotion if r.status else None) is not None and p.told_time]
    late = [(service, p, r) for service, p, r in waits if p.state == OVERDUE]
    hashes = {p.hash for _, p, _ in late}
    return Shown(
        **_whose(RELEASE if isinstance(of, Release) else RELEASE_SET, of, installation), id=OVERDUE_ID, is_latest=bool(late),
        is_replaced=False, start_time=max((p.told_time for _, p, _ in waits if p.told_time), default=_NEVER), service_set=service_set,
        hash=(hashes.pop() or "") if len(hashes) == 1 else "", told=max((p.told or 1 for _, p, _ in waits), default=0),
        services=tuple(ShownService(service, OVERDUE, text_of(p), p.hash or "") for service, p, _ in late),
        spans=tuple(dict.fromkeys(span for _, p, r in late for span in _awaited_spans(r, p))),
    )  # fmt: skip


def _awaited_spans(release: Release, waits: AwaitedPromotion) -> Iterator[Span]:
    """Yield from which commit to which a promotion would go, as far as tags confirm both."""
    runs = {
        c.name: c.digests or () for c in (release.status.running.containers if release.status and release.status.running else None) or ()
    }
    for image in waits.images or ():
        before = next((confirmed_hash(d.release_hash) for d in runs.get(image.container, ()) if d.tasks), None) or ""
        after = confirmed_hash(image.release_hash) or ""
        if before != after and is_commit_hash(before) and is_commit_hash(after):
            yield Span(before, after)


def _is_good(kind: str, cause: str | None, outcome: str | None) -> bool:
    return outcome in GOOD or (kind == RELEASE_SET and cause == _ROLLBACK and outcome == Reason.ROLLED_BACK)


def _deployed_nothing(entry: HistoryEntry) -> bool:
    return entry.cause == ADOPTED or entry.outcome == Reason.REAPPEARED_OLDER


def _brings(entry: HistoryEntry) -> dict[str, str | None]:
    return {image.container: image.to_digest for image in entry.images or () if not image.unlisted}


def _whose(kind: str, of: Release | ReleaseSet, installation: str) -> dict[str, Any]:
    meta, spec = of.metadata, of.spec
    return {
        "kind": kind, "namespace": meta.namespace or "", "name": meta.name, "uid": meta.uid, "project": spec.project_ref.name,
        "environment": spec.environment_ref.name, "installation": installation,
    }  # fmt: skip


def _why(entry: HistoryEntry | SetHistoryEntry) -> dict[str, Any]:
    texts = ("hash", "cause", "outcome", "message", "requested_by", "applied_by", "description", "reason")
    return {**{name: getattr(entry, name) or "" for name in texts}, "completion_time": entry.completion_time if entry.outcome else None}


def _url(change: Change | None) -> str:
    return (change.url if change else None) or ""


def _commit(asked: str | None, resolved: Sequence[str | None], is_latest: bool) -> str:  # noqa: FBT001
    """Return the one commit that a deployment set brings: what it was resolved to, else what was asked for."""
    commits = {c for one in resolved if (c := confirmed_hash(one))} if is_latest else set()
    commit = commits.pop() if len(commits) == 1 else asked or ""
    return commit if is_commit_hash(commit) else ""


def _waits(status: ReleaseStatus | ReleaseSetStatus) -> str:
    ready = find(status.conditions, ConditionType.READY)
    reconciling = find(status.conditions, ConditionType.RECONCILING)
    waits = ready is not None and ready.status == "False" and reconciling is not None and reconciling.status == "True"
    return ready.message if waits and ready is not None else ""


def _of_set(status: ReleaseSetStatus, children: Sequence[Release], began: datetime) -> Iterator[ShownService]:
    known = {(c.metadata.labels or {}).get(LABEL_SERVICE, c.spec.service): c for c in children}
    for line in status.services or ():
        child = known.get(line.name)
        its_status = (child.status if child is not None else None) or ReleaseStatus()
        has_begun = child is not None and attempt_since(child, began) is not None
        message = line.message or (_message(its_status) if has_begun else "")
        service = _service(line.name, its_status, line.state or "", message, line.hash or "")
        yield service if has_begun else replace(service, evidence=(), links=None)


def _asked_for(release: Release) -> bool:
    """Return whether the latest attempt is of what is asked for now: else the conditions are about something newer, which waits."""
    pin, rollout = (release.status.pin, release.status.rollout) if release.status else (None, None)
    return pin is not None and covers(rollout, pin) and pin.source_hash == source_hash(release.spec.source)


def _standing(status: ReleaseStatus, entry: HistoryEntry, asked_for: bool) -> tuple[str, str]:  # noqa: FBT001
    """Return the state and the message of the service of an attempt."""
    if asked_for:
        return status.phase or "Pending", _message(status)
    return "Ready" if entry.outcome in GOOD else "Failed" if entry.outcome else "Progressing", entry.message or ""


def _message(status: ReleaseStatus) -> str:
    ready = find(status.conditions, ConditionType.READY)
    return ready.message if ready is not None else ""


def _service(name: str, status: ReleaseStatus, state: str, message: str, its_hash: str = "") -> ShownService:
    rollout, ready, last = status.rollout, find(status.conditions, ConditionType.READY), status.last_drift or LastDrift()
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


def _spans(releases: Sequence[Release]) -> tuple[Span, ...]:
    """List from which commit to which the latest attempts go, each once: by the commit graph, else by the hashes of their images."""
    found = dict[Span, None]()
    for release in releases:
        history = (release.status.history if release.status else None) or []
        span = _span(history) if history else None
        if span is not None:
            found[span] = None
    return tuple(found)


def _span(history: Sequence[HistoryEntry]) -> Span | None:
    latest, *earlier = history
    commits = latest.commit_range
    if commits is None:
        return span_of(latest.images or (), earlier, None)
    return Span(commits.before, commits.after) if commits.before and commits.after and commits.added else None
