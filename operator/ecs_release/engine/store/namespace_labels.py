"""Labels of namespaces, by which Environments admit them: read when they are needed, and kept for some seconds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Clock

FRESH_S = 10.0
"""How old labels may be that decide over a namespace."""
PATIENCE_S = 30.0
"""How long Releases wait for the labels of an older claimant's namespace. While they cannot be read, that one cannot act, either."""
_AGAIN_S = 1.0
_AT_ONCE = 8
_KEPT = 10_000


class LabelReader(Protocol):
    """The part of `domain.ports.Cluster` that reads labels."""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return a namespace's labels; None if it does not exist or may not be read."""


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """The answer about a namespace. Labels are None if it does not exist or may not be read: then no selector admits it."""

    labels: Mapping[str, str] | None
    read_s: float


class NamespaceLabels:
    """Reads labels: one request for all who ask about a namespace at the same time, and few requests at once."""

    def __init__(self, reader: LabelReader, clock: Clock, changed: Callable[[str], None]) -> None:
        """`changed` is called with a namespace whose labels were read for the first time, or have changed."""
        self._reader = reader
        self._clock = clock
        self._changed = changed
        self._known: OrderedDict[str, KnownLabels] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Problem | None]] = {}
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    def known(self, namespace: str) -> KnownLabels | None:
        """Return the latest answer about a namespace, however old; None if there was none yet."""
        return self._known.get(namespace)

    def is_given_up(self, namespace: str) -> bool:
        """Return whether the labels of a namespace are not known although they were asked for long ago."""
        asked = self._asked.get(namespace)
        return asked is not None and self._clock.monotonic() - asked >= PATIENCE_S

    async def read(self, namespace: str) -> Mapping[str, str] | None:
        """Return labels that were read a few seconds ago at most. Raises Problem."""
        known = self._known.get(namespace)
        if known is None or self._clock.monotonic() - known.read_s >= FRESH_S:
            problem = await asyncio.shield(self._task(namespace))
            if problem is not None:
                raise problem
            known = self._known[namespace]
        return known.labels

    async def read_unknown(self, namespaces: Collection[str], within_s: float) -> None:
        """Ask for labels that are not known, and wait for them for some seconds. Those that come later are told of by `changed`."""
        now = self._clock.monotonic()
        unknown = [n for n in namespaces if n not in self._known and now - self._failed.get(n, -_AGAIN_S) >= _AGAIN_S]
        if unknown:
            await asyncio.wait([self._task(namespace) for namespace in unknown], timeout=within_s)

    def end(self) -> None:
        """Cancel the requests under way."""
        for task in self._reading.values():
            task.cancel()

    def _task(self, namespace: str) -> asyncio.Task[Problem | None]:
        task = self._reading.get(namespace)
        if task is None:
            if namespace not in self._known:
                self._asked.setdefault(namespace, self._clock.monotonic())
                _limit(self._asked)
            task = self._reading[namespace] = asyncio.create_task(self._read(namespace), name=f"labels of {namespace}")
        return task

    async def _read(self, namespace: str) -> Problem | None:
        try:
            async with self._gate:
                labels = await self._reader.namespace_labels(namespace)
        except Problem as problem:
            self._failed[namespace] = self._clock.monotonic()
            _limit(self._failed)
            return problem
        finally:
            del self._reading[namespace]
        before = self._known.pop(namespace, None)
        self._known[namespace] = KnownLabels(labels, self._clock.monotonic())
        _limit(self._known)
        self._asked.pop(namespace, None)
        self._failed.pop(namespace, None)
        if before is None or before.labels != labels:
            self._changed(namespace)
        return None


def _limit(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
