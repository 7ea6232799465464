"""Lists and watches our kinds, as client-go's informers do, until the process ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any, Protocol

from ecs_release.board.freshness import Freshness
from ecs_release.cluster.api_server import ApiServer, Gone
from ecs_release.domain.model.api_paths import all_objects
from ecs_release.domain.model.errors import NotFound, Problem

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_BRIEF_S = 1.0


class Sink(Protocol):
    """Takes in objects."""

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""

    def retain(self, kind: str, there: set[tuple[str, str]]) -> None:
        """Forget all objects of a kind but these, by namespace and name."""


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

    def retain(self, kind: str, there: set[tuple[str, str]]) -> None:
        """Forget all objects of a kind but these."""
        for sink in self._sinks:
            sink.retain(kind, there)


async def follow(server: ApiServer, kind: str, sink: Sink, freshness: Freshness) -> None:
    """Keep a sink up to date for ever. What breaks is begun again, from where it was if that is possible."""
    loop = asyncio.get_running_loop()
    version, pause_s = "", _FIRST_PAUSE_S
    while True:
        begun = loop.time()
        try:
            version = version or await _list(server, kind, sink)
            version = await _watch(server, kind, version, sink, freshness)
        except Gone:
            version = ""
        except _BrokenError as broken:
            version = broken.version
            freshness.lost(kind)
            log.warning("%s are not up to date: %s", kind, broken)
        except (Problem, NotFound) as error:
            freshness.lost(kind)
            log.warning("%s cannot be read: %s", kind, error or "no such kind: apply the CRDs (crds/)")
        if loop.time() - begun > _BRIEF_S:
            pause_s = _FIRST_PAUSE_S
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads requests
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


class _BrokenError(Exception):
    """A watch broke; the next may go on from `version`."""

    def __init__(self, version: str, why: Exception) -> None:
        super().__init__(str(why))
        self.version = version


async def _list(server: ApiServer, kind: str, sink: Sink) -> str:
    """Read all objects; returns the version of the list."""
    there, version = set[tuple[str, str]](), ""
    async for items, version in server.versioned_pages(all_objects(kind)):  # noqa: B007 - that of the last page counts
        for body in items:
            there.add(_name(body))
            sink.changed(kind, body)
        # Thousands of objects are taken in while pages are served.
        await asyncio.sleep(0)
    sink.retain(kind, there)
    return version


async def _watch(server: ApiServer, kind: str, version: str, sink: Sink, freshness: Freshness) -> str:
    """Take in what changes until the API server ends the watch; returns the version to go on from. Raises _BrokenError, Gone."""
    try:
        async for event in server.watch(all_objects(kind), version):
            body = event.get("object")
            if body is None:
                freshness.heard(kind)
                continue
            version = body["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                sink.deleted(kind, *_name(body))
            elif event["type"] in ("ADDED", "MODIFIED"):
                sink.changed(kind, body)
            freshness.heard(kind)
    except Problem as error:
        raise _BrokenError(version, error) from error
    return version


def _name(body: Mapping[str, Any]) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]
