"""`status --watch` off a terminal: a line for each change, for the log of a build."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ecs_release.api.meta import to_time
from ecs_release.api.release import Release
from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.terminal.tables import plain
from ecs_release.pages.readiness import readiness
from ecs_release.pages.tasks import new_tasks, task_counts


def changes(before: Snapshot | None, after: Snapshot, now: datetime) -> list[str]:
    """Return a line for each object whose state has changed."""
    was = dict(_states(before)) if before is not None else {}
    lines = [f"{to_time(now)}  {name}  {text}" for name, text in _states(after) if text and was.get(name) != text]
    if after.connection_error and (before is None or before.connection_error != after.connection_error):
        lines.append(f"{to_time(now)}  {plain(after.connection_error)}")
    return lines


def _states(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield the name and state of the object, and of each service of a set."""
    yield snapshot.reference, _state_text(snapshot.body, with_message=True)
    for body in sorted(snapshot.children.values(), key=lambda b: str(b["spec"]["service"])):
        yield body["spec"]["service"], _state_text(body, with_message=readiness(body).phase != "Ready") + _task_counts(body)


def _state_text(body: dict[str, object], *, with_message: bool) -> str:
    state = readiness(body)
    if not state.current:
        return f"Pending  {state.message}"
    return plain(f"{state.phase}  {state.why if with_message else state.reason}")


def _task_counts(body: dict[str, object]) -> str:
    release = Release.model_validate(body)
    running = release.status.running if release.status else None
    if release.status is None or running is None:
        return ""
    return f"  ({task_counts(release.status)} tasks, {new_tasks(release.status)} new)"
