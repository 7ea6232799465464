"""Processes of the operator in the model: the whole real engine behind the model's ports, on a simulated loop, each with its own clock.

Whatever knows names of the engine is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unittest.mock import patch

from ecs_release.domain.decision.decision import Decision
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.release.decide import decide
from ecs_release.engine.engine import Engine
from ecs_release.engine.release import reconciler
from ecs_release.engine.runtime.meter import NoMeter
from ecs_release.engine.runtime.settings import EngineSettings
from tests.model.faults import FRESH, Faults
from tests.model.objects import Body, Key
from tests.model.ports import Link, ModelAws, ModelCluster, ModelCommits
from tests.model.scene import Scene
from tests.model.world import time_of

SETTINGS = EngineSettings(workers=4, sweep_time_interval_s=3600.0)
"""What people see is as usual; an Environment at rest is written more seldom, which saves half of the work of quiet days."""


@dataclass(frozen=True)
class OwnClock:
    """A process's clock: off by some seconds."""

    offset_s: float

    def now(self) -> datetime:
        return time_of(asyncio.get_running_loop().time() + self.offset_s)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@contextmanager
def timed_decisions() -> Iterator[list[float]]:
    """Measure the domain's decisions about Releases: the list that is yielded gets the seconds of CPU of each."""
    taken: list[float] = []

    def timed(facts: Facts) -> Decision:
        began = time.process_time()
        try:
            return decide(facts)
        finally:
            taken.append(time.process_time() - began)

    with patch.object(reconciler, "decide", timed):
        yield taken


class _Passes(NoMeter):
    """Tells how passes have ended."""

    def __init__(self, passed: Callable[[str, str], None]) -> None:
        self._passed = passed

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        self._passed(kind, result)


@dataclass
class Process:
    """One process of the operator."""

    scene: Scene
    faults: Faults
    offset_s: float
    ledger: Any
    wrote: Callable[[str, Mapping[str, Any]], None]
    died: Callable[[Process], None]
    passed: Callable[[str, str], None]
    started: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to act: it has got the lease."""
        loop = asyncio.get_running_loop()
        self.started = loop.time()
        self.link = Link(self.scene, self.faults, self._crash)
        cluster = ModelCluster(self.link, self.wrote)
        self.engine = Engine(
            cluster, ModelAws(self.link, self.ledger), OwnClock(self.offset_s), SETTINGS, _Passes(self.passed), self.ledger,
            commits=ModelCommits(self.link) if self.scene.switches.asks_graph else None,
        )  # fmt: skip
        for key, body in list(self.scene.objects.bodies.items()):
            self._changed(key, body)
        self.scene.objects.watchers.append(self._told)
        leading = asyncio.Event()
        leading.set()
        self._tasks.append(loop.create_task(self.engine.run(leading)))

    def fence(self) -> None:
        """Take its lease away: from now on it may change nothing, and it does not know that yet."""
        self.link.is_fenced = True

    def kill(self) -> None:
        """End at once: nothing that it does reaches the world any more."""
        if self.link.is_cut:
            return
        self.link.is_cut = True
        self.scene.objects.watchers.remove(self._told)
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Wait until nothing of it is left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def raise_error(self) -> None:
        """Raise what has ended it, unless it was killed."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and not self.link.is_cut and task.exception() is not None:
                raise RuntimeError("the engine has ended") from task.exception()

    def _crash(self) -> None:
        self.kill()
        self.died(self)

    def _told(self, key: Key, body: Body | None, uid: str) -> None:
        delay = 0.01
        if self.faults.lag != FRESH:
            delay = self.faults.chance.choice((0.01, 0.5, 2.0))
            # Calls may be quick again by then: what they rest on is old all the same.
            self.faults.slow = max(self.faults.slow, asyncio.get_running_loop().time() + delay)
        # A watch keeps the order, and a loop does not between calls that are due at the same moment.
        due = max(getattr(self, "_watch_due", 0.0) + 1e-6, asyncio.get_running_loop().time() + delay)
        self._watch_due = due
        asyncio.get_running_loop().call_at(due, self._changed, key, body, uid)

    def _changed(self, key: Key, body: Body | None, uid: str = "") -> None:
        if self.link.is_cut:
            return
        if body is None:
            self.engine.deleted(*key, uid)
        else:
            self.engine.changed(key[0], body)
