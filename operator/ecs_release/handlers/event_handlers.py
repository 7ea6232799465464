"""The event handlers of the watched kinds: each hands an event on, and does nothing else.

There are no create, update, resume or delete handlers, timers, daemons or indices: so kopf writes no annotation, no finalizer and no
status, and keeps no object in memory. An `on.event` handler is never retried, so it must not do anything that can fail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import kopf

from ecs_release.api.names import CLUSTER_SCOPED, ENVIRONMENT, GROUP, PLURALS, PROJECT, RELEASE, RELEASE_SET, VERSION

log = logging.getLogger(__name__)

WATCHED = (ENVIRONMENT, PROJECT, RELEASE_SET, RELEASE)
WATCHED_EVERYWHERE = tuple(kind for kind in WATCHED if kind in CLUSTER_SCOPED)
"""The cluster-scoped kinds."""


class Sink(Protocol):
    """The receiver of events, called in its own event loop."""

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object."""


class AsyncSink(Protocol):
    """The same, called from kopf's event loop."""

    async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""

    async def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object."""


def build_registry(sink: AsyncSink, kinds: Iterable[str] = WATCHED) -> kopf.OperatorRegistry:
    """Register one event handler for each kind."""
    registry = kopf.OperatorRegistry()
    for kind in kinds:
        kopf.on.event(GROUP, VERSION, PLURALS[kind], registry=registry, id=kind)(_handler(kind, sink))
    return registry


def _handler(kind: str, sink: AsyncSink) -> Any:
    async def handle(event: Mapping[str, Any], **_: object) -> None:
        body = event["object"]
        meta = body["metadata"]
        try:
            if event["type"] == "DELETED":
                await sink.deleted(kind, meta.get("namespace", ""), meta["name"], meta["uid"])
            else:
                # A plain dictionary: kopf's own views are read-only, and reference more than the object.
                await sink.changed(kind, body)
        except Exception:
            log.exception("cannot take in %s %s/%s", kind, meta.get("namespace", ""), meta.get("name"))

    return handle
