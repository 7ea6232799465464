"""Many scenarios side by side, each worker in a ground of its own, for a while; what was played is kept, so that it can be gone on with."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice

from tests.model import figures
from tests.reliability.calls import CrashPoint
from tests.reliability.crash_points import Ground, Played, ground, play, points
from tests.reliability.disturbances import DISTURBANCES, Disturbance
from tests.reliability.scenarios import SCENARIOS, Scenario
from tests.reliability.upgrades import RELEASES, TIME_SCALE, UPGRADES

STATE = figures.ROOT / "build" / "crash-points.json"
_MOST_PLAYS = 10_000
Task = Callable[[Ground], None]


class Workers:
    """Threads that play: most of the time they wait for processes."""

    def __init__(self, number: int, minutes: float, time_scale: float = 60.0) -> None:
        self._time_scale = time_scale
        self._until = time.monotonic() + minutes * 60
        self._own = threading.local()
        self._stack = ExitStack()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(number, thread_name_prefix="soak"))

    def do(self, tasks: Sequence[Task]) -> None:
        """Do tasks, and begin none after the time is over. Raises what one of them raises."""
        for future in [self._pool.submit(self._do, task) for task in tasks]:
            future.result()

    def _do(self, task: Task) -> None:
        if time.monotonic() > self._until:
            return
        if not hasattr(self._own, "ground"):
            self._own.ground = self._stack.enter_context(ground(self._time_scale))
        task(self._own.ground)

    def close(self) -> None:
        """End all."""
        self._stack.close()


@dataclass
class Crashes:
    """What the deaths at crash points have shown: `done` are the points that were tried, by scenario."""

    seed: int
    calls: dict[str, Counter[str]] = field(default_factory=dict)
    done: dict[str, list[str]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, name: str, point: CrashPoint | None, on: Ground) -> None:
        """Play a scenario, and note what came of it."""
        played = play(on, SCENARIOS[name], point)
        found = list(played.violations)
        if played.died > 1:
            found.append(f"it died {played.died} times")
        with self.lock:
            if point is None:
                self.calls[name] = played.calls
            else:
                self.done.setdefault(name, []).append(str(point))
                self.met[name] += min(played.died, 1)
            self.violations += _shown(f"{name}: {point or 'no crash'}", found)
            STATE.parent.mkdir(exist_ok=True)
            STATE.write_text(json.dumps({"seed": self.seed, "done": self.done, "met": self.met, "violations": self.violations}))


def crash(names: Sequence[str], seed: int, minutes: float, workers: int, at: CrashPoint | None = None) -> int:
    """Let the operator die at each of its calls. Goes on with a seed where the latest run with it ended. Returns 1 for a violation."""
    crashes = _begun(seed)
    print(f"seed {seed}", flush=True)
    with closing(Workers(workers, minutes)) as pool:
        pool.do([partial(crashes.play, name, None) for name in names])
        chance = random.Random(seed)
        wanted = [
            (name, point) for name in names if name in crashes.calls for point in ([at] if at else points(crashes.calls[name], chance))
        ]
        chance.shuffle(wanted)
        left = [(name, point) for name, point in wanted if str(point) not in crashes.done.get(name, ())]
        pool.do([partial(crashes.play, name, point) for name, point in left])
    kept = {
        name: {"points": sum(w == name for w, _ in wanted), "tried": len(crashes.done.get(name, ())), "met": crashes.met[name]}
        for name in names
    }
    for name, one in kept.items():
        print(f"{name}: {', '.join(f'{what} {n}' for what, n in one.items())}")
    print(f"{len(crashes.violations)} violations")
    figures.keep("processes", {"seed": seed, "violations": len(crashes.violations), "scenarios": kept})
    return 1 if crashes.violations else 0


def _begun(seed: int) -> Crashes:
    known = json.loads(STATE.read_text()) if STATE.exists() else {}
    if known.get("seed") != seed:
        return Crashes(seed)
    return Crashes(seed, done=known["done"], met=Counter(known["met"]), violations=known["violations"])


def faults(names: Sequence[str], seed: int, minutes: float, workers: int) -> int:
    """Let both wires misbehave, in one scenario after the other, each with the next seed. Returns 1 for a violation."""
    met, plays, violations = Counter[str](), Counter[str](), list[str]()
    lock = threading.Lock()

    def one(name: str, number: int, on: Ground) -> None:
        played: Played = play(on, SCENARIOS[name], faults=number)
        with lock:
            met.update(played.met)
            plays[name] += 1
            violations.extend(_shown(f"{name}: seed {number}", played.violations))

    with closing(Workers(workers, minutes)) as pool:
        pool.do([partial(one, name, number) for number, name in enumerate(islice(cycle(names), _MOST_PLAYS), seed)])
    print(f"seeds {seed} to {seed + plays.total() - 1}: {', '.join(f'{name} {n}' for name, n in plays.items())}")
    print(", ".join(f"{fault} {n}" for fault, n in met.most_common()))
    print(f"{len(violations)} violations")
    figures.keep("wires", {"seed": seed, "plays": plays.total(), "violations": len(violations), "faults": dict(sorted(met.items()))})
    return 1 if violations else 0


def disturb(names: Sequence[str], seed: int, minutes: float, workers: int) -> int:
    """Have each of the disturbances happen in scenarios that a seed chooses. Returns 1 for a violation."""
    chance = random.Random(seed)
    deploying = [name for name, scenario in SCENARIOS.items() if scenario.updates]
    chosen = [(name, chance.choice(deploying)) for name in islice(cycle(names or DISTURBANCES), _MOST_PLAYS)]
    with closing(Workers(workers, minutes)) as pool:
        return _disturb(pool, seed, "disturbances", [(d, s, SCENARIOS[s], DISTURBANCES[d]) for d, s in chosen])


def upgrade(names: Sequence[str], seed: int, minutes: float, workers: int) -> int:
    """Have operator and CRDs be replaced in the middle of releases. Returns 1 for a violation."""
    chosen = islice(cycle(names or UPGRADES), _MOST_PLAYS)
    with closing(Workers(workers, minutes, TIME_SCALE)) as pool:
        return _disturb(pool, seed, "upgrades", [(name, "releases", RELEASES, UPGRADES[name]) for name in chosen])


def _disturb(pool: Workers, seed: int, part: str, plays: Sequence[tuple[str, str, Scenario, Disturbance]]) -> int:
    done, violations, lock = Counter[str](), list[str](), threading.Lock()

    def one(name: str, where: str, scenario: Scenario, disturbance: Disturbance, on: Ground) -> None:
        played = play(on, scenario, disturbance=disturbance)
        with lock:
            done[name] += played.struck
            violations.extend(_shown(f"{name}, in {where}", played.violations))

    pool.do([partial(one, *each) for each in plays])
    print(f"seed {seed}: {', '.join(f'{name} {n}' for name, n in done.items())}\n{len(violations)} violations")
    figures.keep(part, {"seed": seed, "violations": len(violations), "plays": dict(done)})
    return 1 if violations else 0


def _shown(what: str, violations: Sequence[str]) -> list[str]:
    found = [f"{what}: {violation}" for violation in violations]
    for line in found:
        print(line, flush=True)
    return found
