"""Plays a trace: the world, the processes and the oracle together, action by action."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.builders.fake_ledger import FakeLedger
from tests.builders.simulated_time import SimulatedTimeLoop
from tests.model.actions import DEEDS, Action
from tests.model.driver import Process
from tests.model.ecs import COMPLETED
from tests.model.faults import Faults
from tests.model.objects import Key
from tests.model.oracle import GRACE_S, Oracle, Violation
from tests.model.scene import Scene
from tests.model.world import Switches

LEASE_S = 15.0
REST_S = 1500.0
"""How long nothing happens before a run is at rest: longer than any deadline, grace and lag together."""
_CLOSINGS = 5
SPINS, SPINS_S = 60, 60.0
QUIET_S, SWEPT_S = 2 * 86_400.0, 2 * 3_600.0


@dataclass(frozen=True)
class Trace:
    """All that one run takes: how AWS behaves, a seed for delays, and what happens."""

    switches: Switches = field(default_factory=Switches)
    seed: int = 0
    actions: tuple[Action, ...] = ()

    def to_json(self) -> str:
        """Write it down, to be replayed. Switches that are as usual are left out."""
        usual = dataclasses.asdict(Switches())
        switches = {k: v for k, v in dataclasses.asdict(self.switches).items() if v != usual[k]}
        return json.dumps({"switches": switches, "seed": self.seed, "actions": self.actions})

    @staticmethod
    def from_json(text: str) -> Trace:
        """Read what `to_json` wrote."""
        read = json.loads(text)
        return Trace(Switches(**read["switches"]), read["seed"], tuple(tuple(a) for a in read["actions"]))


@dataclass
class Run:
    """One run. `violations` are what did not hold so far."""

    switches: Switches = field(default_factory=Switches)
    seed: int = 0
    off: frozenset[str] = frozenset()
    actions: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        logging.disable(logging.CRITICAL)
        random.seed(self.seed)
        self.scene = Scene(self.switches)
        self.faults = Faults(self.seed)
        self.oracle = Oracle(self.scene, self.off)
        self.loop = SimulatedTimeLoop()
        self.loop._selector_.now = self.scene.timeline.now
        self.ledger = FakeLedger() if self.switches.has_ledger else None
        self.writes = 0
        self.is_over = False
        self.deed = "run"
        self.during: Counter[tuple[str, str]] = Counter()
        self._lately: deque[float] = deque(maxlen=SPINS)
        self.passes = 0
        self.offset_s = 0.0
        self.process = self._process()
        self._in_loop(self._start())

    @property
    def violations(self) -> list[Violation]:
        """What did not hold."""
        return self.oracle.found

    def apply(self, action: Action) -> None:
        """Have something happen, and judge what came of it."""
        name, *arguments = action
        if self.is_over:
            return
        self.actions[name] += 1
        before = Counter(self.faults.met)
        self._in_loop(self._apply(name, arguments))
        self.process.raise_error()
        self.oracle.judge_calls()
        self._note_met(name, {fault for _, fault in self.faults.met - before})

    def _note_met(self, name: str, hit: set[str]) -> None:
        """Note which faults hit after each deed, and under which lag, until the next one."""
        if name in ("crash", "hand_over"):
            hit = {*hit, name, *(("clock-off",) if self.offset_s else ())}
        elif name not in ("run", "rest", "quiet", "lag", "fault", "outage"):
            self.deed = name
        self.during.update((self.deed, fault) for fault in (*hit, self.faults.lag))

    def close(self) -> None:
        """End all."""
        self.is_over = True
        self.process.kill()
        for _ in range(_CLOSINGS):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(15))
        self.loop.close()
        logging.disable(logging.NOTSET)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # What an action does.

    async def _apply(self, name: str, arguments: list[Any]) -> None:
        self.scene.timeline.advance(self.loop.time())
        match name, arguments:
            case "run", [seconds]:
                await asyncio.sleep(seconds)
            case "lag", [lag]:
                self.faults.lag = lag
            case "fault", [call, fault]:
                self.faults.expect(call, fault)
            case "outage", [side, seconds]:
                self.faults.outages[side] = self.loop.time() + seconds
                self.oracle.outages_s += seconds + (self.switches.deadline_s if seconds >= GRACE_S else 0)
            case "crash", [offset_s]:
                self.offset_s = float(offset_s)
                self.process.kill()
                self._died(self.process)
            case "hand_over", [overlap_s, offset_s]:
                self.offset_s = float(offset_s)
                self._hand_over(overlap_s)
            case "rest", []:
                await self._rest()
            case "quiet", []:
                await self._rest()
                await self._quiet()
            case _:
                DEEDS[name](self.scene, *arguments)
        self.scene.timeline.advance(self.loop.time())
        self._tell_of_faults()

    async def _rest(self) -> None:
        """End all faults, and let everything come to rest."""
        self.faults.clear()
        for name in list(self.scene.ecs.frozen):
            self.scene.ecs.thaw(name)
        if self.process.link.is_cut:
            await asyncio.sleep(LEASE_S + 1)
        await asyncio.sleep(REST_S)
        if self.process.link.is_cut or self.loop.time() - max(self.faults.last, self.process.started) < REST_S - 60:
            return
        self.scene.timeline.advance(self.loop.time())
        for name in self.scene.services:
            self.oracle.judge_rest(name)

    async def _quiet(self) -> None:
        """Where all is at rest two days change no status."""
        states = [s.now for s in self.scene.ecs.services.values()]
        if any(s.primary.state != COMPLETED or len(s.running) != s.desired for s in states) or self.process.link.is_cut:
            return
        # What nobody tells of, such as a revision that was registered, is found by sweeps.
        await asyncio.sleep(SWEPT_S)
        before = self._statuses()
        await asyncio.sleep(QUIET_S)
        for key, after in self._statuses().items():
            if before.get(key) != after:
                self.oracle.say("quiet/changed", f"{key}: {_difference(before.get(key) or {}, after or {})}")

    def _statuses(self) -> dict[Key, Any]:
        kinds = ("Release", "ReleaseSet")
        return {k: b.get("status") for kind in kinds for k, b in self.scene.objects.of_kind(kind)}

    # Processes.

    def _process(self) -> Process:
        return Process(self.scene, self.faults, self.offset_s, self.ledger, self._wrote, self._died, self._passed)

    async def _start(self) -> None:
        self.process.start()

    def _died(self, process: Process) -> None:
        """Have another one begin once the lease has run out."""
        if self.is_over:
            return
        self.faults.last = self.loop.time()
        if process is self.process:
            self.loop.call_later(LEASE_S, self._succeed, process)

    def _succeed(self, before: Process) -> None:
        if self.process is before:
            self.process = self._process()
            self.process.start()

    def _hand_over(self, overlap_s: float) -> None:
        """The lease goes to another process; the old one goes on for a while, and may change nothing any more."""
        if self.process.link.is_cut:
            return
        before = self.process
        before.fence()
        self.loop.call_later(overlap_s, before.kill)
        self.faults.last = self.loop.time()
        self.process = self._process()
        self.process.start()

    def _wrote(self, key: str, body: Mapping[str, Any]) -> None:
        self.writes += 1
        if body["kind"] in ("Release", "ReleaseSet"):
            self.scene.timeline.advance(self.loop.time())
            self._tell_of_faults()
            self.oracle.wrote(body)
            if body["kind"] == "Release":
                self._count_write()

    def _tell_of_faults(self) -> None:
        self.oracle.last_fault, self.oracle.slow = self.faults.last, self.faults.slow

    def _count_write(self) -> None:
        """End the run where statuses are written without end: time would hardly pass any more."""
        now = self.loop.time()
        self._lately.append(now)
        if len(self._lately) == SPINS and now - self._lately[0] < SPINS_S and not self.is_over:
            self.oracle.say("engine/spins", f"{SPINS} statuses were written within {now - self._lately[0]:.0f} s")
            self.is_over = True
            self.process.kill()

    def _passed(self, kind: str, result: str) -> None:
        self.passes += kind == "Release"
        if result == "error":
            self.oracle.say("engine/error", f"a pass over a {kind} has raised an error")

    def _in_loop(self, work: Any) -> None:
        self.loop.run_until_complete(work)


def play(trace: Trace, off: Iterable[str] = (), *, stop: bool = True) -> Run:
    """Play a trace, to its end or to the first violation. The run is closed."""
    with Run(trace.switches, trace.seed, frozenset(off)) as run:
        for action in trace.actions:
            run.apply(action)
            if stop and run.violations:
                break
    return run


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return "; ".join(f"{k}: {before.get(k)} -> {after.get(k)}" for k in sorted({*before, *after}) if before.get(k) != after.get(k))[:600]
