"""`status --watch` off a terminal: a line for each thing that changed, so that a build's log tells how it went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ecs_release.api.meta import to_time
from ecs_release.api.release import Release
from ecs_release.cli.kubectl.status.readiness import standing
from ecs_release.cli.kubectl.status.snapshot import Scene
from ecs_release.cli.kubectl.status.tree import new_tasks
from ecs_release.cli.kubectl.terminal.tables import plain


def changes(before: Scene | None, after: Scene, now: datetime) -> list[str]:
    """Return the lines that tell what is different."""
    was = dict(_said(before)) if before is not None else {}
    lines = [f"{to_time(now)}  {name}  {text}" for name, text in _said(after) if text and was.get(name) != text]
    if after.lost and (before is None or before.lost != after.lost):
        lines.append(f"{to_time(now)}  {plain(after.lost)}")
    return lines


def _said(scene: Scene) -> Iterator[tuple[str, str]]:
    """Say of the object, and of each service of a set, how it stands."""
    yield scene.reference, _standing(scene.body, with_message=True)
    for body in sorted(scene.children.values(), key=lambda b: str(b["spec"]["service"])):
        yield body["spec"]["service"], _standing(body, with_message=standing(body).phase != "Ready") + _tasks(body)


def _standing(body: dict[str, object], *, with_message: bool) -> str:
    stand = standing(body)
    if not stand.current:
        return f"Pending  {stand.message}"
    return plain(f"{stand.phase}  {stand.why if with_message else stand.reason}")


def _tasks(body: dict[str, object]) -> str:
    release = Release.model_validate(body)
    running = release.status.running if release.status else None
    if release.status is None or running is None:
        return ""
    return f"  ({running.running_count}/{running.desired_count} tasks, {new_tasks(release.status)} new)"
