"""Events (events.k8s.io/v1): aggregated into series, paced, and never waited for.

The same Event again counts up the series of the first one, as client-go's recorder does; beyond the queue's bound Events are dropped and
counted, for they are news and not the record of what happened (that is `status.history`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ecs_release.api.meta import to_microtime
from ecs_release.api.names import API_VERSION, FIELD_MANAGER
from ecs_release.cluster.client import MERGE, ApiServer
from ecs_release.domain.errors import Conflict, NotFound, Problem
from ecs_release.domain.ports import EventNote, ObjectKey

log = logging.getLogger(__name__)

_QUEUE, _REMEMBERED = 1000, 5000
_NOTE = 1024
_A_SECOND = 20
_FLUSH_S = 3.0

Series: TypeAlias = tuple[str, EventNote]


@dataclass(slots=True)
class _Posted:
    namespace: str
    name: str
    count: int = 1


class EventRecorder:
    """Posts Events in the background while `run` runs."""

    def __init__(self, server: ApiServer, instance: str) -> None:
        """`instance` names this process, such as its pod."""
        self._server = server
        self._instance = instance
        self._waiting: asyncio.Queue[tuple[ObjectKey, str, EventNote, datetime]] = asyncio.Queue(_QUEUE)
        self._posted: OrderedDict[Series, _Posted] = OrderedDict()
        self.dropped = 0

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Take an Event. Never waits: it is dropped and counted where too many wait."""
        try:
            self._waiting.put_nowait((key, uid, note, datetime.now(UTC)))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Post until cancelled; what waits then is still posted, for at most three seconds."""
        try:
            while True:
                await self._post(*await self._waiting.get())
                await asyncio.sleep(1 / _A_SECOND)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    while not self._waiting.empty():
                        await self._post(*self._waiting.get_nowait())

    async def _post(self, key: ObjectKey, uid: str, note: EventNote, when: datetime) -> None:
        series = (uid, note)
        try:
            posted = self._posted.get(series)
            if posted is None or not await self._count_up(posted, when):
                self._posted[series] = await self._create(key, uid, note, when)
            self._posted.move_to_end(series)
            while len(self._posted) > _REMEMBERED:
                self._posted.popitem(last=False)
        except (Problem, Conflict, NotFound) as problem:
            log.debug("an Event on %s was not recorded: %s", key, problem)

    async def _count_up(self, posted: _Posted, when: datetime) -> bool:
        """Add one to an Event's series. False where it is gone (they live for an hour)."""
        series = {"count": posted.count + 1, "lastObservedTime": to_microtime(when)}
        path = f"/apis/events.k8s.io/v1/namespaces/{posted.namespace}/events/{posted.name}"
        try:
            await self._server.request("PATCH", path, body={"series": series}, content_type=MERGE)
        except NotFound:
            return False
        posted.count += 1
        return True

    async def _create(self, key: ObjectKey, uid: str, note: EventNote, when: datetime) -> _Posted:
        # Events of cluster-scoped objects live in the namespace default (client-go, tools/events).
        namespace = key.namespace or "default"
        name = f"{key.name}.{secrets.token_hex(8)}"
        regarding: dict[str, Any] = {"apiVersion": API_VERSION, "kind": key.kind, "name": key.name, "uid": uid}
        if key.namespace:
            regarding["namespace"] = key.namespace
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": to_microtime(when),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": self._instance,
            "action": note.action,
            "reason": note.reason,
            "regarding": regarding,
            "note": note.note.encode()[:_NOTE].decode(errors="ignore"),
            "type": note.type,
        }
        await self._server.request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)
        return _Posted(namespace, name)
