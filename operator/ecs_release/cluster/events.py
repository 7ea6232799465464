"""Events (events.k8s.io/v1): aggregated into series, rate-limited, and posted in the background.

A repeated Event increases the count of its series, as client-go's recorder does (KEP-383); waiting repetitions are counted together
before anything is sent. Namespaces take turns. Beyond the limits Events are dropped and counted, those of the namespace with the most:
the record of what happened is `status.history`, not Events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ecs_release.api.meta import to_microtime
from ecs_release.api.names import API_VERSION, FIELD_MANAGER
from ecs_release.api.visible_text import visible
from ecs_release.cluster.api_server import MERGE, ApiServer
from ecs_release.domain.model.api_paths import ApiPath, group_path
from ecs_release.domain.model.errors import Conflict, NotFound, Problem
from ecs_release.domain.model.unicode import well_formed
from ecs_release.domain.ports.protocols import EventNote, ObjectKey

log = logging.getLogger(__name__)

_WAITING, _REMEMBERED = 1000, 5000
# Limits of the API server's validation (pkg/apis/core/validation/events.go).
_NOTE_BYTES, _NAME_CHARACTERS = 1024, 128
_BURST, _A_SECOND = 50, 10
_FLUSH_S = 3.0

Series: TypeAlias = tuple[ObjectKey, str, EventNote]
"""Object, its uid, and what happened to it."""


@dataclass(slots=True)
class _Waiting:
    first: datetime
    last: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class _Posted:
    name: str
    count: int


class EventRecorder:
    """Posts Events in the background while `run` runs."""

    def __init__(self, server: ApiServer, instance: str) -> None:
        """`instance` is the name of this process, such as its pod."""
        self._server = server
        self._instance = instance[:_NAME_CHARACTERS]
        self._waiting: OrderedDict[str, OrderedDict[Series, _Waiting]] = OrderedDict()
        self._posted: OrderedDict[Series, _Posted] = OrderedDict()
        self._news = asyncio.Event()
        self._failing = False
        self.dropped = 0

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Queue an Event. Never blocks: if too many wait it is dropped and counted."""
        series, now = (key, uid, note), datetime.now(UTC)
        ours = self._waiting.setdefault(_namespace(key), OrderedDict())
        if (waiting := ours.get(series)) is not None:
            waiting.last, waiting.count = now, waiting.count + 1
        else:
            ours[series] = _Waiting(now, now)
            if sum(map(len, self._waiting.values())) > _WAITING:
                _, newest = max(self._waiting.values(), key=len).popitem()
                self.dropped += newest.count
        self._news.set()

    async def run(self) -> None:
        """Post until cancelled; waiting Events are then posted for at most three more seconds."""
        loop = asyncio.get_running_loop()
        tokens, filled = float(_BURST), loop.time()
        try:
            while True:
                await self._news.wait()
                tokens, filled = min(_BURST, tokens + (loop.time() - filled) * _A_SECOND), loop.time()
                if tokens < 1:
                    await asyncio.sleep(max(0.001, (1 - tokens) / _A_SECOND))
                    continue
                tokens -= 1
                await self._post_next()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    while self._waiting:
                        await self._post_next()

    async def _post_next(self) -> None:
        """Post the oldest Event of the next namespace. It is removed after the answer, so that a shutdown meanwhile still posts it."""
        if not self._waiting:
            self._news.clear()
            return
        namespace, ours = next(iter(self._waiting.items()))
        self._waiting.move_to_end(namespace)
        if not ours:
            # Its last one was dropped.
            del self._waiting[namespace]
            return
        series, waiting = next(iter(ours.items()))
        taken = waiting.count
        try:
            await self._post(series, replace(waiting))
            self._failing = False
        except (Problem, Conflict, NotFound) as problem:
            self.dropped += taken
            # Warn once when failures begin: there may be many Events.
            log.log(logging.DEBUG if self._failing else logging.WARNING, "an Event on %s was not recorded: %s", series[0], problem)
            self._failing = True
        except Exception:
            # One Event that cannot be sent must not end the others, nor the process.
            log.exception("an Event on %s was not recorded", series[0])
            self.dropped += taken
        if waiting.count == taken:
            ours.pop(series, None)
        elif series in ours:
            waiting.count -= taken
            waiting.first = waiting.last
            ours.move_to_end(series)
        if not ours:
            del self._waiting[namespace]

    async def _post(self, series: Series, waiting: _Waiting) -> None:
        posted = self._posted.get(series)
        if posted is not None:
            posted = await self._count_up(series[0], posted, waiting)
        if posted is None:
            posted = await self._create(series, waiting)
        self._posted[series] = posted
        self._posted.move_to_end(series)
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)

    async def _count_up(self, key: ObjectKey, posted: _Posted, waiting: _Waiting) -> _Posted | None:
        """Increase the count of an Event's series. None if it does not exist any more (Events expire an hour after the last change)."""
        count = posted.count + waiting.count
        try:
            path = _path(key).below(posted.name)
            await self._server.request("PATCH", path, body={"series": _series(count, waiting.last)}, content_type=MERGE)
        except NotFound:
            return None
        return _Posted(posted.name, count)

    async def _create(self, series: Series, waiting: _Waiting) -> _Posted:
        key, uid, note = series
        regarding: dict[str, Any] = {"apiVersion": API_VERSION, "kind": key.kind, "name": key.name, "uid": uid}
        if key.namespace:
            regarding["namespace"] = key.namespace
        count = waiting.count
        body: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{key.name}.{secrets.token_hex(8)}", "namespace": _namespace(key)},
            "eventTime": to_microtime(waiting.first),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": self._instance,
            "action": note.action[:_NAME_CHARACTERS],
            "reason": note.reason[:_NAME_CHARACTERS],
            "regarding": regarding,
            "note": visible(well_formed(note.note)).encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "type": note.type,
        }
        if count > 1:
            body["series"] = _series(count, waiting.last)
        # After a lost answer and a retry the name is taken, by this Event itself.
        with contextlib.suppress(Conflict):
            await self._server.request("POST", _path(key), body=body)
        return _Posted(body["metadata"]["name"], count)


def _namespace(key: ObjectKey) -> str:
    # Events of cluster-scoped objects live in the namespace default (client-go, tools/events).
    return key.namespace or "default"


def _path(key: ObjectKey) -> ApiPath:
    return group_path("events.k8s.io", "namespaces", _namespace(key), "events")


def _series(count: int, last: datetime) -> dict[str, Any]:
    return {"count": count, "lastObservedTime": to_microtime(last)}
