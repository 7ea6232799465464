"""What the page of a set shows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecs_release.api.change import Change
from ecs_release.api.meta import to_time
from ecs_release.api.names import APPLIED_BY_ANNOTATION
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetService, SetWave
from ecs_release.domain.decision.attempts import GOOD
from ecs_release.domain.model.conditions import find
from ecs_release.pages.history import Attempt, Code, attempt_data, attempt_of
from ecs_release.pages.matrix import Column, environment_data
from ecs_release.pages.readiness import Readiness, readiness

# Mark and style of each state of a service, as of a Release's phases. The state itself is always shown beside the mark.
_MARKS = {
    "Ready": ("✔", "good"),
    "Failed": ("✖", "bad"),
    "Progressing": ("◐", "busy"),
    "Waiting": ("◷", "warn"),
}
_OTHER = ("○", "dim")
_ENDED = frozenset({"Ready", "Failed"})


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service of the set. `began` is when this deployment set started it, `ended` when it was Ready or had failed; None: not yet."""

    name: str
    state: str
    mark: str
    style: str
    hash: str
    message: str
    note: str
    reverting: bool
    began: datetime | None
    ended: datetime | None
    has_page: bool


@dataclass(frozen=True, slots=True)
class WaveLines:
    """A wave and its services. `number` is empty for services that are in no wave any more."""

    number: str
    state: str
    began: datetime | None
    ended: datetime | None
    services: tuple[ServiceLine, ...]


@dataclass(frozen=True, slots=True)
class SetDetails:
    """All that the page shows, at one point in time."""

    time: datetime
    namespace: str
    name: str
    project: str
    service_set: str
    column: Column
    """Its Environment."""
    readiness: Readiness
    progress: str
    wanted: str
    wanted_commit: str
    running: str
    running_commit: str
    compare: str
    requested_by: str
    applied_by: str
    description: str
    url: str
    url_page: str
    on_failure: str
    max_parallel: int
    waiting_since: datetime | None
    waves: tuple[WaveLines, ...]
    history: tuple[Attempt, ...]

    @property
    def environment(self) -> str:
        """The name of its Environment."""
        return self.column.name

    @property
    def is_under_way(self) -> bool:
        """Whether a service was started that has not ended."""
        return any(one.began and not one.ended for wave in self.waves for one in wave.services)


def describe(
    body: Mapping[str, Any],
    children: Mapping[str, Mapping[str, Any]],
    paged: Collection[str],
    column: Column,
    code: Code,
    now: datetime,
) -> SetDetails:
    """Return what is to be shown of a ReleaseSet. Raises ValidationError if this version cannot read it.

    `children` are its Releases by name, as far as they are there, `paged` the services that have pages of their own, and `column` is its
    Environment's.
    """
    release_set = ReleaseSet.model_validate(body)
    meta, spec, status = release_set.metadata, release_set.spec, release_set.status or ReleaseSetStatus()
    change, summary = spec.change or Change(), (body.get("status") or {}).get("summary") or {}
    wanted, running = str(summary.get("hash") or ""), str(summary.get("runningHash") or "")
    releases = {name: Release.model_validate(child) for name, child in children.items()}
    return SetDetails(
        time=now,
        namespace=meta.namespace or "",
        name=meta.name,
        project=spec.project_ref.name,
        service_set=spec.service_set,
        column=column,
        readiness=readiness(body),
        progress=str(summary.get("progress") or ""),
        wanted=wanted,
        wanted_commit=code.commit(wanted),
        running=running,
        running_commit=code.commit(running),
        compare=code.compare(running, wanted) if running and wanted else "",
        requested_by=change.requested_by or "",
        applied_by=(meta.annotations or {}).get(APPLIED_BY_ANNOTATION) or "",
        description=change.description or "",
        url=change.url or "",
        url_page=code.page(change.url),
        on_failure=spec.strategy.on_failure,
        max_parallel=spec.strategy.max_parallel,
        waiting_since=status.waiting_since,
        waves=tuple(_waves(status, releases, paged)),
        history=tuple(attempt_of(entry.to_kubernetes(), code) for entry in status.history or ()),
    )


def child_names(body: Mapping[str, Any]) -> list[str]:
    """Return the names of a set's Releases."""
    services = (body.get("status") or {}).get("services") or ()
    return [str(one["release"]) for one in services if one.get("release")]


def _waves(status: ReleaseSetStatus, releases: Mapping[str, Release], paged: Collection[str]) -> Iterator[WaveLines]:
    """Yield the waves in their order, and then what is in none."""
    services = {one.name: one for one in status.services or ()}
    for wave in status.waves or ():
        lines = tuple(_line(services.pop(name), wave, releases, paged) for name in wave.services or () if name in services)
        yield WaveLines(wave.name, wave.state or "", wave.start_time, wave.completion_time, lines)
    if services:
        yield WaveLines("", "", None, None, tuple(_line(one, None, releases, paged) for one in services.values()))


def _line(service: SetService, wave: SetWave | None, releases: Mapping[str, Release], paged: Collection[str]) -> ServiceLine:
    state = service.state or "Pending"
    mark, style = _MARKS.get(state, _OTHER)
    return ServiceLine(
        name=service.name,
        state=state,
        mark=mark,
        style=style,
        hash=service.hash or "",
        message=service.message or "",
        note=service.note or "",
        reverting=service.reverting,
        began=service.start_time,
        ended=_ended(service, wave, releases.get(service.release or "")),
        has_page=service.name in paged,
    )


def _ended(service: SetService, wave: SetWave | None, child: Release | None) -> datetime | None:
    """Return when a service that was started had come to its state, by its Release's attempt, else by its condition, else by its wave.

    What is later than the end of its wave is about something else: drift that was corrected, or what somebody has deployed since.
    """
    if service.start_time is None or service.state not in _ENDED:
        return None
    # Times in a status may be whole seconds.
    began, status = service.start_time.replace(microsecond=0), (child.status if child else None) or ReleaseStatus()
    last, ready = wave.completion_time if wave else None, find(status.conditions, "Ready")
    candidates = (_attempt_end(status, began, is_good=service.state == "Ready"), ready.last_transition_time if ready else None, last)
    return next((time for time in candidates if time is not None and began <= time and (last is None or time <= last)), service.start_time)


def _attempt_end(status: ReleaseStatus, began: datetime, *, is_good: bool) -> datetime | None:
    """Return when the first attempt since then ended that ended so: one before it was tried again, one after it is another's."""
    ends = [
        attempt.completion_time
        for attempt in status.history or ()
        if attempt.start_time is not None and attempt.start_time >= began and attempt.outcome and (attempt.outcome in GOOD) is is_good
    ]
    return min((end for end in ends if end is not None), default=None)


def data(shown: SetDetails) -> dict[str, Any]:
    """Return the page as data for JSON."""
    state = shown.readiness
    return {
        "time": to_time(shown.time),
        "namespace": shown.namespace,
        "name": shown.name,
        "project": shown.project,
        "serviceSet": shown.service_set,
        "environment": environment_data(shown.column),
        "phase": state.phase,
        "reason": state.reason,
        "message": state.message,
        "progress": shown.progress,
        "wanted": shown.wanted,
        "running": shown.running,
        "compare": shown.compare,
        "requestedBy": shown.requested_by,
        "appliedBy": shown.applied_by,
        "description": shown.description,
        "url": shown.url,
        "onFailure": shown.on_failure,
        "maxParallel": shown.max_parallel,
        "waitingSince": _time(shown.waiting_since),
        "waves": [_wave_data(one) for one in shown.waves],
        "history": [attempt_data(one) for one in shown.history],
    }


def _wave_data(wave: WaveLines) -> dict[str, Any]:
    return {
        "number": wave.number,
        "state": wave.state,
        "startTime": _time(wave.began),
        "completionTime": _time(wave.ended),
        "services": [_line_data(one) for one in wave.services],
    }


def _line_data(line: ServiceLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "state": line.state,
        "hash": line.hash,
        "message": line.message,
        "note": line.note,
        "goesBack": line.reverting,
        "startTime": _time(line.began),
        "completionTime": _time(line.ended),
    }


def _time(time: datetime | None) -> str | None:
    return to_time(time) if time is not None else None
