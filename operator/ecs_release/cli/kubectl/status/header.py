"""The lines above the tree of `status`: the object, its phase, who changed it and why, and what blocks it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from ecs_release.api.change import Change
from ecs_release.api.names import APPLIED_BY_ANNOTATION
from ecs_release.api.release_status import PlannedImage
from ecs_release.api.windows import ClosedWindow
from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.status.tree import STYLES
from ecs_release.cli.kubectl.terminal.tables import plain
from ecs_release.domain.decision.suspension import environment_suspensions, spec_suspensions
from ecs_release.domain.model.image_names import short_digest
from ecs_release.pages.ages import age, since
from ecs_release.pages.observation import sweep_of
from ecs_release.pages.readiness import Verdict, readiness

_WIDTH = 14


def header(snapshot: Snapshot, now: datetime) -> list[Text]:
    """Return the lines above the tree."""
    return [_line(name, value) for name, value in _pairs(snapshot, now) if value]


def _pairs(snapshot: Snapshot, now: datetime) -> Iterator[tuple[str, Text | str | None]]:
    meta, spec, status = snapshot.body["metadata"], snapshot.body["spec"], snapshot.body.get("status") or {}
    state = readiness(snapshot.body)
    summary = status.get("summary") or {}
    yield "Name", f"{snapshot.reference} in namespace {meta['namespace']}"
    what = f"service set {spec['serviceSet']}" if "serviceSet" in spec else f"service {spec['service']}"
    yield "Project", f"{spec['projectRef']['name']}, {what}"
    yield "Environment", _environment(snapshot, now)
    mark, style = state.mark
    text = Text().append(f"{mark} {state.phase}", STYLES[style]).append(plain(state.why and f"  {state.why}"))
    yield "Status", text
    yield "Progress", summary.get("progress")
    yield "Wanted", summary.get("hash")
    yield "Running", summary.get("runningHash")
    change = Change.model_validate(spec.get("change") or {})
    yield "By", _by(change, (meta.get("annotations") or {}).get(APPLIED_BY_ANNOTATION))
    yield "Why", change.description
    yield "Link", change.url
    for blocked in blockers(snapshot, now):
        yield "Blocked by", Text(plain(blocked), STYLES["warn"])
    yield from (("Plan", line) for line in planned_steps(snapshot))
    if snapshot.connection_error:
        yield "Connection", Text(plain(snapshot.connection_error), STYLES["bad"])


def _line(name: str, value: Text | str | None) -> Text:
    line = Text().append(f"{name + ':':<{_WIDTH}}", STYLES["dim"])
    return line.append_text(value) if isinstance(value, Text) else line.append(plain(value or ""))


def _environment(snapshot: Snapshot, now: datetime) -> Text:
    text = Text(snapshot.body["spec"]["environmentRef"]["name"])
    environment = snapshot.environment
    if environment is None:
        return text
    aws = environment.spec.aws
    text.append(f"  {aws.account_id} {aws.region}, cluster {environment.spec.target.cluster}", STYLES["dim"])
    sweep = sweep_of(environment)
    if sweep.time is None:
        return text.append(", not observed yet", STYLES["warn"])
    if sweep.is_ahead(now):
        return text.append(f", observed {age((sweep.time - now).total_seconds())} from now: clocks differ", STYLES["warn"])
    style = STYLES["warn"] if sweep.is_stale(now) else STYLES["dim"]
    return text.append(f", observed {since(sweep.time, now)} ago", style)


def _by(change: Change, applied_by: str | None) -> str | None:
    """Return who made the change: as the spec claims, and as the API server has authenticated."""
    if change.requested_by and applied_by and change.requested_by != applied_by:
        return f"{change.requested_by} (applied by {applied_by})"
    return change.requested_by or (f"applied by {applied_by}" if applied_by else None)


def blockers(snapshot: Snapshot, now: datetime) -> Iterator[str]:
    """Yield what deliberately blocks an object now: mode, suspensions and windows."""
    environment, status = snapshot.environment, snapshot.body.get("status") or {}
    for suspended in environment_suspensions(environment, now):
        yield suspended.message
    described = snapshot.release or snapshot.release_set
    if described is not None:
        what = "nothing is changed in AWS" if snapshot.release is not None else "no further service starts"
        yield from (suspended.message for suspended in spec_suspensions(described.spec, now, what))
    closed = status.get("closedWindow")
    of_environment = environment.status.closed_window if environment is not None and environment.status is not None else None
    if closed:
        yield window_text(ClosedWindow.model_validate(closed))
    elif of_environment is not None and readiness(snapshot.body).verdict is not Verdict.READY:
        yield window_text(of_environment)


def window_text(closed: ClosedWindow) -> str:
    """Return which window is closed, and until when."""
    until = f"until {closed.next_open_time:%Y-%m-%d %H:%M} UTC" if closed.next_open_time else "and does not open within a year"
    return f"window {closed.name}, closed {until}: {closed.reason}"


def planned_steps(snapshot: Snapshot) -> Iterator[str]:
    """Yield what the operator would do if nothing blocked it."""
    if snapshot.release is not None:
        plan = snapshot.release.status.plan if snapshot.release.status else None
        if plan is not None and plan.images:
            yield image_steps(plan.images)
        return
    status = snapshot.release_set.status if snapshot.release_set else None
    for entry in (status.plan if status else None) or ():
        yield f"{entry.service}: {image_steps(entry.images or ())}"


def image_steps(images: list[PlannedImage] | tuple[PlannedImage, ...]) -> str:
    """Return the image before and after, for each container."""
    return ", ".join(
        f"{i.container} {i.from_hash or short_digest(i.from_digest or '') or 'nothing'}"
        f" to {i.to_hash or short_digest(i.to_digest or '') or 'what the source means'}"
        for i in images
    )
