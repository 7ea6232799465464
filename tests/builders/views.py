"""A sink of views that throttles, refuses, hangs, loses answers and lists late; and the cluster whose statuses say what it shows."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ecs_release.domain.model.errors import Ambiguous, Conflict, NotFound
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.domain.ports.views import Created, Part, Place
from ecs_release.engine.store.store import Store
from ecs_release.engine.views.views import Views


def no_views(store: Store, cluster: Cluster, clock: Clock) -> Views:
    """An operator without connections."""
    return Views(store, cluster, clock, "default", (), {}, lambda _: None)


@dataclass
class Thing:
    """Something that was created at a sink. It is listed from `listed_at` on."""

    receipt: str
    key: str
    address: str
    listed_at: float
    content: Mapping[str, Any]
    below: str = ""
    changes: int = 0
    sections: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What it shows, by the owner that the content names."""

    def show(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.sections[content.get("owner", "")] = content


@dataclass
class FakeViewSink:
    """The port `ViewSink`. `loses` answers of creations are lost after they were carried out; `late_s`: lists lag so much."""

    site: str = "github.com"
    takes_s: float = 0.05
    late_s: float = 0.0
    loses: int = 0
    hangs: bool = False
    problem: Exception | None = None
    refuses: dict[str, Exception] = field(default_factory=dict)
    """What is refused, by the name of the part, the address, or the commit."""
    creates_current: bool = True
    busy_s: float = 0.0
    hourly: int = 0
    things: dict[str, Thing] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    _made: int = 0

    @property
    def spent(self) -> int:
        return sum(call != "find" for call in self.calls)

    def ready_in_s(self) -> float:
        return self.busy_s

    async def _call(self, name: str, place: Place, part: Part) -> None:
        self.calls.append(name)
        await asyncio.sleep(1e9 if self.hangs else self.takes_s)
        if self.problem is not None:
            raise self.problem
        refused = next((p for name, p in self.refuses.items() if name in (part.name, place.address, part.content.get("ref"))), None)
        if refused is not None:
            raise refused

    async def find(self, place: Place, part: Part) -> list[str]:
        await self._call("find", place, part)
        now = asyncio.get_running_loop().time()
        return [t.receipt for t in self.things.values() if t.key == part.key and t.address == place.address and t.listed_at <= now]

    async def create(self, place: Place, part: Part) -> Created:
        await self._call("create", place, part)
        self._made += 1
        receipt = str(self._made)
        listed_at = asyncio.get_running_loop().time() + self.late_s
        self.things[receipt] = Thing(receipt, part.key, place.address, listed_at, part.content, place.below)
        self.things[receipt].show(part.content)
        if self.loses:
            self.loses -= 1
            raise Ambiguous("the answer was lost")
        return Created(receipt, self.creates_current)

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        await self._call("change", place, part)
        if receipt in self.things:
            self.things[receipt].show(part.content)
            self.things[receipt].changes += 1

    async def remove(self, place: Place, receipt: str, part: Part) -> None:
        await self._call("remove", place, part)
        if self.things.pop(receipt, None) is not None:
            self.removed.append(receipt)

    async def close(self) -> None:
        pass

    @property
    def shown(self) -> list[Mapping[str, Any]]:
        return [thing.content for thing in self.things.values()]


@dataclass
class StatusCluster:
    """Objects, whose statuses are written with the version that they were read with. `fails` writes are answered by a Conflict."""

    objects: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    conflicts: int = 0
    writes: int = 0
    reads: int = 0

    def put(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change an object, as somebody else does."""
        meta = body["metadata"]
        key = ObjectKey(body["kind"], meta.get("namespace", ""), meta["name"])
        before = self.objects.get(key)
        version = str(int(before["metadata"]["resourceVersion"]) + 1) if before else "1"
        self.objects[key] = {**copy.deepcopy(dict(body)), "metadata": {**meta, "resourceVersion": version}}
        return self.objects[key]

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        self.reads += 1
        found = self.objects.get(key)
        return copy.deepcopy(found) if found is not None else None

    async def list_labelled(self, kind: str, namespace: str, label: str, value: str, *, most: int) -> list[Mapping[str, Any]]:
        return [
            copy.deepcopy(body)
            for key, body in self.objects.items()
            if (key.kind, key.namespace) == (kind, namespace) and (body["metadata"].get("labels") or {}).get(label) == value
        ]

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        found = self.objects.get(key)
        if found is None:
            raise NotFound(str(key))
        if self.conflicts or found["metadata"]["resourceVersion"] != resource_version:
            self.conflicts -= bool(self.conflicts)
            raise Conflict(str(key))
        self.writes += 1
        return copy.deepcopy(self.put({**found, "status": dict(status)}))


@contextmanager
def counting(sink: FakeViewSink) -> Iterator[list[str]]:
    """The calls that are made meanwhile."""
    before = len(sink.calls)
    found: list[str] = []
    yield found
    found += sink.calls[before:]
