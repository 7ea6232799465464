"""What the page of a service in an environment shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecs_release.api.change import Change
from ecs_release.api.meta import to_time
from ecs_release.api.names import APPLIED_BY_ANNOTATION
from ecs_release.api.release import Release
from ecs_release.api.release_status import PinnedImage, ReleaseStatus, RunningContainer, TargetStatus
from ecs_release.domain.decision.attempts import is_open, proofs
from ecs_release.domain.ecs.console_links import service_links
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.verification.proof import ImageDigests, Match
from ecs_release.pages.attempts import merged, of_foreign
from ecs_release.pages.history import Attempt, Code, FailedTask, attempt_data, attempt_of, failed_task, failed_task_data
from ecs_release.pages.matrix import Column, Entry, data_of_cell, environment_data
from ecs_release.pages.tasks import new_tasks, task_counts

MOST_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class RunningImage:
    """A digest that tasks run. `as_wanted` is None for a container that is not released, and for what may no longer be so."""

    hash: str
    digest: str
    tasks: int
    as_wanted: bool | None


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container: what it is to run, and what it runs. Of one that is not released nothing is wanted."""

    name: str
    listed: bool
    wanted_hash: str
    wanted_digest: str
    repository: str
    runs: tuple[RunningImage, ...]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An attempt that is under way: how far it is."""

    stage: str
    traffic_percent: int | None
    awaiting: str
    began: datetime | None
    last_progress: datetime | None
    deployment: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its text."""

    text: str
    address: str


@dataclass(frozen=True, slots=True)
class OtherClaim:
    """Another Release that claims the same service. `refused`: the operator has said that it does not hold it."""

    release: str
    refused: bool


@dataclass(frozen=True, slots=True)
class ServiceDetails:
    """All that the page shows, at one point in time. `others` are more Releases that claim the same service."""

    time: datetime
    entry: Entry
    column: Column
    generation: int
    tasks: str
    new_tasks: int | None
    applied_by: str
    url: str
    url_page: str
    target: TargetStatus
    revision: str
    blocked_by: tuple[str, ...]
    opens: datetime | None
    under_way: UnderWay | None
    containers: tuple[ContainerRow, ...]
    failed_tasks: tuple[FailedTask, ...]
    history: tuple[Attempt, ...]
    links: tuple[Link, ...]
    commit: str
    wanted_commit: str
    release_set: str
    others: tuple[OtherClaim, ...] = ()
    doubtful: bool = False
    """Whether what runs was not observed lately, so that it may no longer be so."""
    ledger: str = ""
    """What is to be said of the ledger's part of the history; empty if it is there, or there is no ledger."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the Release itself. `of_ledger` are attempts as the ledger has them, joined; `ledger` what to say of them."""

    column: Column
    code: Code = field(default_factory=Code)
    others: tuple[OtherClaim, ...] = ()
    release_set: str = ""
    of_ledger: tuple[Mapping[str, Any], ...] = ()
    ledger: str = ""


def describe(body: Mapping[str, Any], entry: Entry, around: Surroundings, now: datetime) -> ServiceDetails:
    """Return what is to be shown of a Release. Raises ValidationError if this version cannot read it."""
    release = Release.model_validate(body)
    status = release.status or ReleaseStatus()
    change = release.spec.change or Change()
    target = status.target or TargetStatus()
    code, cell = around.code, entry.cell
    doubtful = around.column.stale or not cell.observed
    closed, rollout = status.closed_window, status.rollout
    return ServiceDetails(
        time=now,
        entry=entry,
        column=around.column,
        generation=release.metadata.generation,
        tasks=task_counts(status),
        new_tasks=new_tasks(status) if is_open(rollout) else None,
        applied_by=(release.metadata.annotations or {}).get(APPLIED_BY_ANNOTATION) or "",
        url=change.url or "",
        url_page=code.page(change.url),
        target=target,
        revision=((status.running.task_definition if status.running else None) or "").rpartition("/")[2],
        blocked_by=tuple((status.plan.blocked_by if status.plan else None) or ()),
        opens=closed.next_open_time if closed else None,
        under_way=_under_way(status),
        containers=tuple(_containers(status, doubtful=doubtful)),
        failed_tasks=tuple(failed_task(one, code) for one in (rollout.evidence if rollout else None) or ()),
        history=_history(status, around),
        links=tuple(_links(status, target, code, cell.running, cell.wanted)),
        commit=code.commit(cell.running),
        wanted_commit=code.commit(cell.wanted),
        release_set=around.release_set,
        others=around.others,
        doubtful=doubtful,
        ledger=around.ledger,
    )


def _history(status: ReleaseStatus, around: Surroundings) -> tuple[Attempt, ...]:
    of_status = [entry.to_kubernetes() for entry in status.history or ()] + [of_foreign(one) for one in status.foreign or ()]
    rollout = status.rollout
    if rollout is not None and rollout.evidence:
        evidence = [one.to_kubernetes() for one in rollout.evidence]
        of_status = [e | {"evidence": evidence} if e["attemptID"] == rollout.attempt_id else e for e in of_status]
    return tuple(attempt_of(entry, around.code) for entry in merged(of_status, around.of_ledger, MOST_ATTEMPTS))


def _under_way(status: ReleaseStatus) -> UnderWay | None:
    rollout = status.rollout
    if rollout is None or not is_open(rollout):
        return None
    return UnderWay(
        stage=rollout.stage or "not begun",
        traffic_percent=rollout.traffic_percent,
        awaiting=rollout.awaiting or "",
        began=rollout.start_time,
        last_progress=rollout.last_progress_time,
        deployment=rollout.deployment_id or "",
    )


def _containers(status: ReleaseStatus, *, doubtful: bool) -> Iterator[ContainerRow]:
    """Yield the containers that are released, and then the others."""
    pinned = {i.container: i for i in (status.pin.images if status.pin else None) or ()}
    shown = {c.name: c for c in (status.running.containers if status.running else None) or ()}
    wanted = proofs(status.pin) if status.pin and not doubtful else {}
    for name in dict.fromkeys([*pinned, *shown]):
        yield _container(name, pinned.get(name), shown.get(name), wanted.get(name))


def _container(name: str, image: PinnedImage | None, shown: RunningContainer | None, wanted: ImageDigests | None) -> ContainerRow:
    runs = tuple(
        RunningImage(d.release_hash or "", d.digest or "", d.tasks or 0, None if wanted is None else wanted.match(d.digest) is Match.YES)
        for d in (shown.digests if shown else None) or ()
    )
    if image is None:
        return ContainerRow(name, listed=False, wanted_hash="", wanted_digest="", repository="", runs=runs)
    wants = image.release_hash or image.tag or ""
    return ContainerRow(name, True, wants, image.digest or "", image.repository or "", runs)


def _links(status: ReleaseStatus, target: TargetStatus, code: Code, running: str, wanted: str) -> Iterator[Link]:
    """Yield where to read on: what lies between, and AWS's console."""
    if running and wanted and (compare := code.compare(running, wanted)):
        yield Link("Compare what runs with what is wanted", compare)
    last = next(iter(status.history or ()), None)
    brought = last.commit_range if last else None
    if brought and brought.before and brought.after and (compare := code.compare(brought.before, brought.after)):
        yield Link("Compare what the latest attempt changed", compare)
    recorded = status.rollout.links if status.rollout else None
    service = (target.service_arn or "").rpartition("/")[2]
    made = {}
    if target.account_id and target.region and target.cluster and service:
        made = service_links(ServiceKey(target.account_id, target.region, target.cluster, service))
    for text, name in (("Deployments in AWS's console", "service"), ("Events in AWS's console", "events")):
        address = (getattr(recorded, name) if recorded else None) or made.get(name)
        if link := code.page(address):
            yield Link(text, link)


def data(shown: ServiceDetails) -> dict[str, Any]:
    """Return the page as data for JSON."""
    entry, column = shown.entry, shown.column
    return {
        "time": to_time(shown.time),
        "namespace": entry.namespace,
        "project": entry.project,
        "service": entry.service,
        "serviceSet": entry.service_set,
        "releaseSet": shown.release_set,
        "environment": environment_data(column),
        **data_of_cell(entry.cell),
        "tasks": shown.tasks,
        "newTasks": shown.new_tasks,
        "appliedBy": shown.applied_by,
        "url": shown.url,
        "target": shown.target.to_kubernetes(),
        "taskDefinition": shown.revision,
        "blockedBy": list(shown.blocked_by),
        "nextOpenTime": to_time(shown.opens) if shown.opens else None,
        "rollout": _under_way_data(shown.under_way),
        "containers": [_container_data(one) for one in shown.containers],
        "failedTasks": [failed_task_data(one) for one in shown.failed_tasks],
        "history": [attempt_data(one) for one in shown.history],
        "ledger": shown.ledger,
        "links": [{"text": one.text, "address": one.address} for one in _all_links(shown)],
        "alsoClaimedBy": [one.release for one in shown.others],
    }


def _all_links(shown: ServiceDetails) -> Iterable[Link]:
    yield from shown.links
    for text, address in (("Commit that runs", shown.commit), ("Commit that is wanted", shown.wanted_commit)):
        if address:
            yield Link(text, address)


def _under_way_data(shown: UnderWay | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    return {
        "stage": shown.stage,
        "trafficPercent": shown.traffic_percent,
        "awaiting": shown.awaiting,
        "startTime": to_time(shown.began) if shown.began else None,
        "lastProgressTime": to_time(shown.last_progress) if shown.last_progress else None,
        "deploymentID": shown.deployment,
    }


def _container_data(shown: ContainerRow) -> dict[str, Any]:
    return {
        "name": shown.name,
        "released": shown.listed,
        "wantedHash": shown.wanted_hash,
        "wantedDigest": shown.wanted_digest,
        "repository": shown.repository,
        "runs": [{"hash": r.hash, "digest": r.digest, "tasks": r.tasks, "asWanted": r.as_wanted} for r in shown.runs],
    }
