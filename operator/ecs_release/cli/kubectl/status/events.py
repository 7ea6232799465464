"""Kubernetes' Events about an object: what the operator said of it in the last hour."""

from __future__ import annotations

from datetime import datetime

from ecs_release.cli.kubectl.client.api_server import Api, Object
from ecs_release.cli.kubectl.terminal.durations import since
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.tables import Cell, Row

_MOST = 8


def events_of(api: Api, body: Object) -> list[Object]:
    """Read the newest Events about an object, oldest first; none where they may not be read: they are an extra."""
    meta = body["metadata"]
    path = f"/apis/events.k8s.io/v1/namespaces/{meta['namespace']}/events"
    try:
        found, _ = api.list_at(path, fields=f"regarding.uid={meta['uid']}")
    except CommandError:
        return []
    return sorted(found, key=_time)[-_MOST:]


def rows(events: list[Object], now: datetime) -> list[Row]:
    """Lay Events out: how long ago, what, which words."""
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
