"""What happened, by a status, as notifications: the same status always gives the same ones, so that they can be sent again.

Of what was sent only a time is kept (`Environment.status.notifiedTime`). After a restart all that happened since then is sent again, with
the same ids. The sources are the attempts in a status's history and its latest drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.drift_status import LastDrift
from ecs_release.api.environment import Environment
from ecs_release.api.meta import ObjectMeta, shared_fields
from ecs_release.api.names import LABEL_SERVICE_SET, RELEASE, RELEASE_SET
from ecs_release.api.notification import (
    Notification,
    NotificationData,
    NotificationType,
    NotifiedCommit,
    NotifiedImage,
    NotifiedPerson,
    NotifiedTarget,
)
from ecs_release.api.promotion import AwaitedImage
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, PinnedImage, ReleaseStatus, Rollout, RunningDigest
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import SetHistoryEntry
from ecs_release.domain.decision.attempts import ADOPTED, GOOD, proofs
from ecs_release.domain.ports.commits import Commit
from ecs_release.domain.promotion.overdue import text_of
from ecs_release.domain.verification.proof import Match

_ROLLED_BACK = "RolledBack"
_Image: TypeAlias = PinnedImage | RunningDigest | AwaitedImage


class _Kinds(NamedTuple):
    """The types of what begins and ends."""

    started: NotificationType
    succeeded: NotificationType
    rolled_back: NotificationType
    failed: NotificationType


_DEPLOYMENT = _Kinds(NotificationType.STARTED, NotificationType.SUCCEEDED, NotificationType.ROLLED_BACK, NotificationType.FAILED)
_SET = _Kinds(NotificationType.SET_STARTED, NotificationType.SET_SUCCEEDED, NotificationType.SET_ROLLED_BACK, NotificationType.SET_FAILED)


@dataclass(frozen=True, slots=True)
class Origin:
    """The sending installation, and the Environment. `service_set` is that of the Release's service, if the Project has it.

    `listed` returns the newest commits of those that an attempt brings, as far as they are still known: no status has them.
    """

    installation: str
    environment: Environment
    service_set: str = ""
    listed: Callable[[AttemptCommits], Sequence[Commit]] = lambda _: ()


def release_notifications(release: Release, place: Origin) -> tuple[Notification, ...]:
    """List the notifications of all that happened by a Release's status, oldest first."""
    status = release.status
    if status is None:
        return ()
    found = [*_drift(release, status, place), *_overdue(release, status, place)]
    for entry in reversed(status.history or ()):
        found += _attempt(release, status, entry, place)
    return tuple(sorted(found, key=lambda n: n.time))


def set_notifications(release_set: ReleaseSet, place: Origin) -> tuple[Notification, ...]:
    """List the notifications of all that happened by a ReleaseSet's status: its deployment sets, oldest first."""
    found: list[Notification] = []
    for entry in reversed((release_set.status.history if release_set.status else None) or ()):
        found += _deployment_set(release_set, entry, place)
    return tuple(sorted(found, key=lambda n: n.time))


def _attempt(release: Release, status: ReleaseStatus, entry: HistoryEntry, place: Origin) -> Iterator[Notification]:
    rollout = status.rollout if status.rollout and status.rollout.attempt_id == entry.attempt_id else None
    if _is_no_rollout(entry, rollout):
        return
    fields = _fields_of(entry, place) | {
        "images": [NotifiedImage.model_validate(image.to_kubernetes()) for image in entry.images or ()] or None,
        "links": rollout.links.to_kubernetes() if rollout and rollout.links else None,
    }
    data = _of_release(release, place, **fields)
    yield from _from_start_to_end(f"{entry.attempt_id}.", _DEPLOYMENT, entry, data, place)


def _from_start_to_end(
    number: str, kinds: _Kinds, entry: HistoryEntry | SetHistoryEntry, data: NotificationData, place: Origin
) -> Iterator[Notification]:
    """Yield that something began and, if it has ended, how; `number` is what their ids begin with."""
    if entry.start_time is None:
        return
    of_the_end = ("message", "outcome", "completion_time", "lead_time_seconds", "interventions")
    begun = data.model_copy(update=dict.fromkeys(of_the_end))
    yield _notification(f"{number}{_last_word(kinds.started)}", kinds.started, entry.start_time, begun, place)
    if entry.outcome and entry.completion_time is not None:
        rolled_back = kinds.rolled_back if entry.outcome == _ROLLED_BACK else kinds.failed
        kind = kinds.succeeded if entry.outcome in GOOD else rolled_back
        yield _notification(f"{number}{_last_word(kind)}", kind, entry.completion_time, data, place)


def _is_no_rollout(entry: HistoryEntry, rollout: Rollout | None) -> bool:
    """Return whether an entry was no rollout: what ran already was adopted, or the outcome was read from our tags after a restore.

    Those begin and end in one pass. Times of the latest attempt are in microseconds, those of older ones in seconds: an attempt that
    ended so soon never reached ECS.
    """
    if entry.cause == ADOPTED:
        return True
    if rollout is not None:
        return rollout.start_time == rollout.completion_time
    return entry.start_time == entry.completion_time and (bool(entry.deployment_id) or entry.outcome == _ROLLED_BACK)


def _drift(release: Release, status: ReleaseStatus, place: Origin) -> Iterator[Notification]:
    last = status.last_drift
    if last is None or last.start_time is None:
        return
    begun = f"{last.start_time:%Y%m%dt%H%M%S}"
    data = _of_release(release, place, **_drifted(status, last))
    at_first = data.model_copy(update={"completion_time": None})
    yield _notification(f"{begun}.drifted", NotificationType.DRIFTED, last.start_time, at_first, place)
    if last.end_time is not None:
        yield _notification(f"{begun}.in-sync", NotificationType.IN_SYNC, last.end_time, data, place)


def _drifted(status: ReleaseStatus, last: LastDrift) -> dict[str, Any]:
    """Return what runs instead of what: by container while the drift lasts, afterwards in a sentence only."""
    running, found = status.running, {}
    if last.end_time is None and running is not None:
        author = running.changed_by
        found = {
            "images": _difference(status),
            "task_definition": running.task_definition,
            "changed_by": NotifiedPerson(arn=author.arn, user_agent=author.user_agent) if author else None,
        }
    return {
        **found,
        **shared_fields(NotificationData, last),
        "completion_time": last.end_time,
        "hash": status.summary.hash if status.summary else None,
    }


def _difference(status: ReleaseStatus) -> list[NotifiedImage]:
    """List the containers that run another digest than the wanted one: the most frequent of those."""
    runs = {c.name: c.digests or [] for c in (status.running.containers if status.running else None) or ()}
    found: list[NotifiedImage] = []
    wanted = proofs(status.pin) if status.pin is not None else {}
    for image in (status.pin.images if status.pin else None) or ():
        other = next((d for d in runs.get(image.container, ()) if wanted[image.container].match(d.digest) is Match.NO), None)
        if other is not None:
            found.append(_change(image.container, image, other))
    return found


def _change(container: str, before: _Image | None, after: _Image) -> NotifiedImage:
    return NotifiedImage(
        container=container,
        from_digest=before.digest if before else None,
        from_hash=before.release_hash if before else None,
        to_digest=after.digest,
        to_hash=after.release_hash,
    )


def _overdue(release: Release, status: ReleaseStatus, place: Origin) -> Iterator[Notification]:
    """Yield the latest word that a promotion is overdue; the words before it are in no status any more."""
    waits = status.promotion
    if waits is None or waits.told_time is None or waits.since_time is None:
        return
    runs = {
        c.name: next((d for d in c.digests or () if d.tasks), None) for c in (status.running.containers if status.running else None) or ()
    }
    images = [_change(image.container, runs.get(image.container), image) for image in waits.images or ()]
    data = _of_release(
        release, place, promoted_from=waits.environment, reminder=waits.told, hash=waits.hash, images=images or None,
        message=text_of(waits), start_time=waits.since_time,
    )  # fmt: skip
    number = f"{waits.since_time:%Y%m%dt%H%M%S}.overdue.{waits.told or 1}"
    yield _notification(number, NotificationType.OVERDUE, waits.told_time, data, place)


def _deployment_set(release_set: ReleaseSet, entry: SetHistoryEntry, place: Origin) -> Iterator[Notification]:
    meta, spec = release_set.metadata, release_set.spec
    status = release_set.status
    services = [s.name for s in (status.services if status else None) or ()]
    data = NotificationData(
        **_whose(RELEASE_SET, meta, place),
        project=spec.project_ref.name,
        service_set=spec.service_set,
        services=services or None,
        target=_environment_target(place),
        attempt_id=entry.id,
        **_fields_of(entry, place),
    )
    yield from _from_start_to_end(f"{entry.id}.set-", _SET, entry, data, place)


def _fields_of(entry: HistoryEntry | SetHistoryEntry, place: Origin) -> dict[str, Any]:
    """Return what a history says of an attempt or a deployment set, but for images. Of its commits the history knows only the range."""
    return shared_fields(NotificationData, entry) | {
        "commits": _commits(entry, place),
        "completion_time": entry.completion_time if entry.outcome else None,
    }


def _commits(entry: HistoryEntry | SetHistoryEntry, place: Origin) -> list[NotifiedCommit] | None:
    listed = place.listed(entry.commit_range) if entry.commit_range is not None else ()
    return [NotifiedCommit(hash=c.hash, subject=c.subject, author=c.author, committed_time=c.committed_at) for c in listed] or None


def _of_release(release: Release, place: Origin, **what: Any) -> NotificationData:
    meta, spec, status = release.metadata, release.spec, release.status
    target = status.target if status else None
    where = _environment_target(place)
    if target is not None:
        where = NotifiedTarget(
            account_id=target.account_id or where.account_id,
            region=target.region or where.region,
            cluster=target.cluster or where.cluster,
            service_arn=target.service_arn,
        )
    owner = next((o for o in meta.owner_references or () if o.controller and o.kind == RELEASE_SET), None)
    return NotificationData(
        **_whose(RELEASE, meta, place),
        project=spec.project_ref.name,
        service=spec.service,
        service_set=(meta.labels or {}).get(LABEL_SERVICE_SET) or place.service_set or None,
        release_set=owner.name if owner else None,
        target=where,
        **what,
    )


def _whose(kind: str, meta: ObjectMeta, place: Origin) -> dict[str, Any]:
    return {
        "installation": place.installation,
        "environment": place.environment.metadata.name,
        "kind": kind,
        "namespace": meta.namespace or "",
        "name": meta.name,
        "uid": meta.uid,
    }


def _environment_target(place: Origin) -> NotifiedTarget:
    spec = place.environment.spec
    return NotifiedTarget(account_id=spec.aws.account_id, region=spec.aws.region, cluster=spec.target.cluster)


def _last_word(kind: NotificationType) -> str:
    return kind.split(".")[-2]


def _notification(number: str, kind: NotificationType, time: datetime, data: NotificationData, place: Origin) -> Notification:
    return Notification(
        id=f"{data.uid}.{number}",
        source=f"//ecs-release.dev/{place.installation}/{place.environment.metadata.name}",
        type=str(kind),
        subject=f"{data.kind.lower()}/{data.namespace}/{data.name}",
        time=time,
        data=data,
    )
