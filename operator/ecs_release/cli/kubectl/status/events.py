"""The newest Events about an object."""

from __future__ import annotations

from datetime import datetime

from ecs_release.cli.kubectl.client.api_server import Api, Object
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.model.api_paths import group_path
from ecs_release.pages.ages import since

_MOST = 8


def events_of(api: Api, body: Object) -> list[Object]:
    """Read the newest Events about an object, oldest first; none if they may not be read, for `status` works without them."""
    meta = body["metadata"]
    path = group_path("events.k8s.io", "namespaces", meta["namespace"], "events")
    try:
        found, _ = api.list_at(path, fields=f"regarding.uid={meta['uid']}")
    except CommandError:
        return []
    return sorted(found, key=_time)[-_MOST:]


def rows(events: list[Object], now: datetime) -> list[Row]:
    """Return Events as rows: age, reason, note."""
    found: list[Row] = []
    for event in events:
        style = "warn" if event.get("type") == "Warning" else "dim"
        found.append([since(_when(event), now), Cell(str(event.get("reason") or ""), style), str(event.get("note") or "")])
    return found


def _time(event: Object) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _when(event: Object) -> datetime | None:
    text = _time(event)
    return datetime.fromisoformat(text) if text else None
