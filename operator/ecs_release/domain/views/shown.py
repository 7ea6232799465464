"""A deployment set, or an attempt of a Release on its own, or what is overdue, as views show it: the same from the same statuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.change import Change
from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.api.promotion import OVERDUE, AwaitedPromotion
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry, SetWave
from ecs_release.domain.artifacts.claimed_hash import confirmed_hash
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.attempts import ADOPTED, covers
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.model.conditions import FALSE, TRUE, find
from ecs_release.domain.ports.commits import Span
from ecs_release.domain.promotion.overdue import text_of
from ecs_release.domain.rules.attempt_commits import span_of
from ecs_release.domain.sets.child_state import LEFT, is_stuck
from ecs_release.domain.sets.decision import ROLLBACK
from ecs_release.domain.sets.facts import attempt_since, set_source_hash
from ecs_release.domain.views.services import (
    HELD,
    ShownService,
    idle_services,
    proven_since,
    service_of,
    services_of_set,
    standing,
)
from ecs_release.domain.views.verdicts import ARRIVED, REPLACING, Verdict, verdict_of

OVERDUE_ID = "overdue"
_NO_COMMIT = "-"
_MOVES = "Progressing"
_NEVER = datetime.min.replace(tzinfo=UTC)


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
    idle: tuple[str, ...] = ()
    """Services of a set of which no task was wanted at its end, so that nothing proves what they would run."""
    is_idle: bool = False
    """That is so of all its services."""
    is_proven: bool = False
    """Nothing ran at its end, and what it brings was proven to run since."""
    is_forgotten: bool = False
    """The history has no room for it any more: nothing is known but what its view says."""
    told: int | None = None
    """How often it was said that promotions of `services` are overdue; 0: none waits any more. None: this is a deployment set."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self.outcome)

    @property
    def verdict(self) -> Verdict | None:
        """What its end tells; None while it goes on."""
        found = verdict_of(self.kind, self.cause, self.outcome)
        if found is Verdict.NOTHING_RUNS and self.is_proven:
            return Verdict.LIVE
        return Verdict.NOTHING_RUNS if found in ARRIVED and self.is_idle else found

    @property
    def is_good(self) -> bool:
        """Whether it has ended as was wanted, proven: what it brings runs, or a rollback has brought back what ran before."""
        return self.verdict in ARRIVED


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
        services = tuple(services_of_set(status, children, entry.start_time)) if latest else ()
        idle, is_idle = idle_services(status, children, entry)
        found.append(
            Shown(
                **_whose(RELEASE_SET, release_set, installation), **_why(entry), id=entry.id, is_latest=latest,
                is_replaced=any(_replaces(RELEASE_SET, newer) for newer in history[:index]),
                start_time=entry.start_time, service_set=release_set.spec.service_set,
                url=_url(release_set.spec.change) if is_asked_for else "",
                commit=_commit(entry.hash, _resolved(status, entry) if latest else ()),
                waiting_for=_waits(status) if is_asked_for and not entry.outcome else "",
                waves=tuple(status.waves or ()) if latest else (),
                services=services, spans=_spans([c for c in children if attempt_since(c, entry.start_time)]) if latest else (),
                idle=idle, is_idle=is_idle,
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
        latest = all(_finds(newer, entry) for newer in history[:index])
        found.append(
            Shown(
                **_whose(RELEASE, release, installation), **_why(entry), id=entry.attempt_id, is_latest=latest,
                is_replaced=any(_replaces(RELEASE, newer) and not _finds(newer, entry) for newer in history[:index]),
                start_time=entry.start_time, service_set=service_set, url=entry.url or "",
                commit=_commit(entry.hash, [i.to_hash for i in entry.images or () if not i.unlisted]),
                waiting_for=_waits(status) if latest and asked_for and not entry.outcome else "",
                services=(service_of(release.spec.service, status, *standing(status, entry, asked_for)),) if latest else (),
                spans=_spans([release]) if latest else (), is_proven=proven_since(status, entry),
            )
        )  # fmt: skip
    return tuple(found)


def forgotten(of: Shown, an_id: str, outcome: str, *, is_replaced: bool) -> Shown:
    """Return an earlier deployment set of the same object, of which only a view is left."""
    cause = ROLLBACK if of.kind == RELEASE_SET and outcome == Reason.ROLLED_BACK else ""
    return Shown(
        id=an_id, kind=of.kind, namespace=of.namespace, name=of.name, uid=of.uid, project=of.project, service_set=of.service_set,
        environment=of.environment, installation=of.installation, is_latest=False, is_replaced=is_replaced, start_time=_NEVER, cause=cause,
        outcome=outcome, is_forgotten=True,
    )  # fmt: skip


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


def _replaces(kind: str, newer: HistoryEntry | SetHistoryEntry) -> bool:
    """Return whether it has taken the place of what ran."""
    return verdict_of(kind, newer.cause, newer.outcome) in REPLACING


def _finds(newer: HistoryEntry, entry: HistoryEntry) -> bool:
    """Return whether it has deployed nothing, and found what the earlier one had deployed."""
    return _deployed_nothing(newer) and _brings(newer) == _brings(entry)


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


def _commit(asked: str | None, resolved: Sequence[str | None]) -> str:
    """Return the one commit that a deployment set brings: what it was resolved to, else what was asked for; empty for several."""
    commits = {c for one in resolved if (c := confirmed_hash(one))}
    commit = max(commits, key=len, default=asked or "")
    return commit if is_commit_hash(commit) and all(commit.startswith(one) for one in commits) else ""


def _resolved(status: ReleaseSetStatus, entry: SetHistoryEntry) -> list[str | None]:
    """List the hashes of what the latest deployment set brings; of what is kept, or has left the set, none.

    A rollback brings back what ran before. What it has to leave as it is names no commit, so that there is not one.
    """
    found: list[str | None] = []
    for service in status.services or ():
        if service.origin or service.state == LEFT:
            continue
        if entry.cause != ROLLBACK:
            found += [image.release_hash for image in service.images or ()]
        elif is_stuck(service):
            found.append(_NO_COMMIT)
        else:
            found += [image.release_hash for image in service.previous or ()]
    return found


def _waits(status: ReleaseStatus | ReleaseSetStatus) -> str:
    """Return what keeps something that is under way from going on: what it waits for, a suspension, or a refusal."""
    ready = find(status.conditions, ConditionType.READY)
    reconciling = find(status.conditions, ConditionType.RECONCILING)
    if ready is None or reconciling is None:
        return ""
    if reconciling.status == TRUE:
        return ready.message if ready.status == FALSE else ""
    # What is suspended or only observed may run what is wanted, and still not go on.
    is_held = ready.status != TRUE or ready.reason in HELD
    is_moving = isinstance(status, ReleaseSetStatus) and ready.reason not in HELD and any(s.state == _MOVES for s in status.services or ())
    return ready.message if is_held and not is_moving else ""


def _asked_for(release: Release) -> bool:
    """Return whether the latest attempt is of what is asked for now: else the conditions are about something newer, which waits."""
    pin, rollout = (release.status.pin, release.status.rollout) if release.status else (None, None)
    return pin is not None and covers(rollout, pin) and pin.source_hash == source_hash(release.spec.source)


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
