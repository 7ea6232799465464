"""Lists and watches our kinds, everywhere or in some namespaces, as client-go's informers do, until the process ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ecs_release.api.names import CLUSTER_SCOPED, ENVIRONMENT, PLURALS
from ecs_release.board.freshness import Freshness
from ecs_release.cluster.api_server import NAMES_ONLY, ApiServer, Gone
from ecs_release.domain.model.api_paths import ApiPath, all_objects, objects_in
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, Problem

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_BRIEF_S = 1.0
_REFUSED_S = 5.0


class Sink(Protocol):
    """Takes in objects."""

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""

    def retain(self, kind: str, there: set[tuple[str, str]], within: str = "") -> None:
        """Forget all objects of a kind but these, by namespace and name: in a namespace, or (empty) in all."""


class Several:
    """Passes objects on to several sinks."""

    def __init__(self, *sinks: Sink) -> None:
        """They are told in this order."""
        self._sinks = sinks

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        for sink in self._sinks:
            sink.changed(kind, body)

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        for sink in self._sinks:
            sink.deleted(kind, namespace, name)

    def retain(self, kind: str, there: set[tuple[str, str]], within: str = "") -> None:
        """Forget all objects of a kind but these, in a namespace or (empty) in all."""
        for sink in self._sinks:
            sink.retain(kind, there, within)


@dataclass(frozen=True, slots=True)
class Source:
    """What one watch is of: the objects of a kind, in a namespace or (empty) in all."""

    kind: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{PLURALS[self.kind]}{f' of namespace {self.namespace}' if self.namespace else ''}"

    @property
    def path(self) -> ApiPath:
        """Where they are listed."""
        return objects_in(self.kind, self.namespace) if self.namespace else all_objects(self.kind)


def sources_of(kinds: Iterable[str], namespaces: Sequence[str]) -> list[Source]:
    """Return what is to be watched of some kinds: in some namespaces, or (empty) in all."""
    return [Source(kind, name) for kind in kinds for name in (namespaces if namespaces and kind not in CLUSTER_SCOPED else [""])]


class Watch:
    """Keeps a sink up to date with one source."""

    def __init__(self, server: ApiServer, source: Source, sink: Sink, freshness: Freshness) -> None:
        """Nothing is read before `run`."""
        self._server = server
        self._source = source
        self._sink = sink
        self._freshness = freshness
        self._version = ""
        """What the watch goes on from; empty: list again."""
        self._refused_at: float | None = None
        self._is_left_out = False

    async def run(self) -> None:
        """Watch for ever. What breaks is begun again, from where it was if that is possible."""
        loop = asyncio.get_running_loop()
        pause_s = _FIRST_PAUSE_S
        while True:
            begun = loop.time()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Gone:
                # Until all has been listed, it is not known what has changed.
                self._version = ""
                self._freshness.lost(self._source)
            except Denied as error:
                self._version = ""
                await self._refused(error, loop.time())
            except (Problem, NotFound) as error:
                self._refused_at = None
                self._freshness.lost(self._source)
                log.warning("%s are not up to date: %s", self._source, error or "no such kind: apply the CRDs (crds/)")
            if loop.time() - begun > _BRIEF_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads requests
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _list(self) -> None:
        """Read all objects."""
        kind, there, version = self._source.kind, set[tuple[str, str]](), ""
        async for items, version in self._server.versioned_pages(self._source.path):  # noqa: B007 - that of the last page counts
            for body in items:
                there.add(_name(body))
                self._sink.changed(kind, body)
            # Thousands of objects are taken in while pages are served.
            await asyncio.sleep(0)
        self._sink.retain(kind, there, self._source.namespace)
        self._version = version

    async def _watch(self) -> None:
        """Take in what changes until the API server ends the watch."""
        kind = self._source.kind
        async for event in self._server.watch(self._source.path, self._version):
            body = event.get("object")
            if body is not None:
                self._version = body["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._sink.deleted(kind, *_name(body))
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self._sink.changed(kind, body)
            self._heard()

    def _heard(self) -> None:
        if self._is_left_out:
            log.info("%s may be read again: they are shown", self._source)
        self._refused_at, self._is_left_out = None, False
        self._freshness.heard(self._source)

    async def _refused(self, error: Denied, now: float) -> None:
        """Leave a namespace out that may not be read any more: without its Role, and perhaps gone, it must not make the others old.

        Not at the first refusal: an API server that starts refuses before it knows its roles. Nor if all is refused.
        """
        self._refused_at = self._refused_at or now
        if self._source.namespace and now - self._refused_at >= _REFUSED_S and await self._is_let_in():
            self._sink.retain(self._source.kind, set(), self._source.namespace)
            self._freshness.leave_out(self._source, self._source.namespace)
            if not self._is_left_out:
                log.warning("%s are left out until they may be read: %s", self._source, error)
            self._is_left_out = True
        elif not self._is_left_out:
            self._freshness.lost(self._source)
            log.warning("%s are not up to date: %s", self._source, error)

    async def _is_let_in(self) -> bool:
        """Return whether what is in no namespace may be read."""
        try:
            await self._server.request("GET", all_objects(ENVIRONMENT), query=[("limit", "1")], accept=NAMES_ONLY)
        except (Problem, NotFound, Conflict):
            return False
        return True


def _name(body: Mapping[str, Any]) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]
