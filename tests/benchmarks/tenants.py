"""What one tenant costs the others: how an event's cost grows with its Releases, and how long a neighbour waits while it does its worst."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Event
from typing import Any

from ecs_release.api.names import RELEASE
from tests.benchmarks.large_objects import LIMIT_MB
from tests.benchmarks.results import Result
from tests.benchmarks.tenant_bed import NEIGHBOUR, Bed, tenant_bed
from tests.benchmarks.watched import Watched, watched
from tests.benchmarks.worsts import WORSTS, Worst
from tests.builders.simulated_time import run_simulated
from tests.builders.tenant_fleet import EVENTS, TenantFleet, instructions
from tests.e2e.bed import condition

SIZES = (10, 100, 1000, 5000)
ONLY = os.environ.get("BENCH_TENANT_ONLY", "")
"""Words of the worsts to measure; empty: all, and growth."""
_GROWTH = 1.5
_ROUNDS = 50
_LEAST_S = 0.25
"""Twice as long is half a second, which is always allowed."""
_DEADLINE_S = 120.0
_THREADS = 8


def measure() -> list[Result]:
    """Measure growth in this process, and the neighbour's decisions with a control plane."""
    return [*(() if ONLY else growth()), *(result for worst in WORSTS if ONLY in worst.what for result in _measure(worst))]


def growth() -> list[Result]:
    """Count the interpreter's instructions for each event, with ever more Releases of one tenant."""
    found = {size: run_simulated(_costs(size)) for size in SIZES}
    return [
        Result(f"{name}: instructions with {size} Releases of one tenant, against {SIZES[0]}", found[size][name], "", found[SIZES[0]][name], _GROWTH)
        for name in EVENTS
        for size in SIZES[1:]
    ]  # fmt: skip


async def _costs(size: int) -> dict[str, int]:
    fleet = TenantFleet(size)
    await fleet.ready()
    found = {}
    for name, event in EVENTS.items():
        await event(fleet)
        found[name] = await instructions(lambda event=event: event(fleet))  # type: ignore[misc]
    return found


def _measure(worst: Worst) -> list[Result]:
    """Measure how long the neighbour waits, half of the times after a restart; then with an operator that does not see the tenant.

    That one gets the same load: the same requests for the same objects, as many a second.
    """
    with tenant_bed() as bed, watched(bed.api, "releases", NEIGHBOUR) as seen:
        load = _Load(bed, worst)
        load.make()
        with load.changing():
            times = _times(bed, seen, _ROUNDS)
        peak = bed.operator.memory_mb("VmHWM")
        bed.start_operator()
        with load.changing():
            times += _times(bed, seen, _ROUNDS)
        peak, a_second = max(peak, bed.operator.memory_mb("VmHWM")), load.changes_a_second
        bed.start_operator(NEIGHBOUR)
        with load.changing(a_second):
            quiet = _times(bed, seen, 2 * _ROUNDS)
    print(
        f"  {worst.what}: {_p90(times):.3f} s, quiet {_p90(quiet):.3f} s, {a_second:.0f} changes a second, {peak:.0f} MB, "
        f"at most {max(times):.2f} s (the {times.index(max(times)) + 1}. of {len(times)})", flush=True,
    )  # fmt: skip
    return [
        Result(f"a neighbour's decision, p90, while {worst.what}", _p90(times), "s", max(_p90(quiet), _LEAST_S), 2, n=len(times)),
        Result(f"quiet, the same load unseen: while {worst.what}", _p90(quiet), "s", n=len(quiet)),
        Result(f"memory, peak, while {worst.what}", peak, "MB", bound=LIMIT_MB),
    ]


def _p90(times: list[float]) -> float:
    return statistics.quantiles(times, n=10)[-1]


def _times(bed: Bed, seen: Watched, rounds: int) -> list[float]:
    """Suspend the neighbour's Release and let it go on: from the patch until the decision is in status."""
    times = []
    for number in range(rounds):
        on = number % 2 == 0
        begun = time.monotonic()
        bed.patch(RELEASE, NEIGHBOUR, "web", {"spec": {"suspend": on}})
        times.append(seen.until("web", lambda body, on=on: _decided(body, on=on), _DEADLINE_S) - begun)  # type: ignore[misc]
    return times


def _decided(body: dict[str, Any], *, on: bool) -> bool:
    status = body.get("status") or {}
    is_new = status.get("observedGeneration") == body["metadata"]["generation"]
    return is_new and (condition(status, "Ready").get("reason") == "Suspended") is on


@dataclass
class _Load:
    """One client that does a tenant's worst, one request after the other."""

    bed: Bed
    worst: Worst
    made: int = 0
    taken_s: float = 0.0

    @property
    def changes_a_second(self) -> float:
        """How many it has made so far."""
        return self.made / self.taken_s

    def make(self) -> None:
        """Make the objects."""
        self.worst.prepare(self.bed)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda number: self.worst.make(self.bed, number), range(self.worst.size)))

    @contextmanager
    def changing(self, at_most_a_second: float | None = None) -> Iterator[None]:
        """Make changes until the end of the block, as fast as they are answered or so many a second. Raises what failed there."""
        stop = Event()
        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(self._change, stop, at_most_a_second)
            try:
                yield
            finally:
                stop.set()
        changing.result()

    def _change(self, stop: Event, at_most_a_second: float | None) -> None:
        begun = time.monotonic()
        for number in count():
            due = begun + number / at_most_a_second if at_most_a_second else 0.0
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            self.worst.change(self.bed, self.made)
            self.made += 1
        self.taken_s += time.monotonic() - begun
