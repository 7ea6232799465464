"""What one scrape of /metrics costs with the conditions of 5,000 Releases: in the process alone, for it calls nobody."""

from __future__ import annotations

import asyncio
import gzip
import statistics
import time
import tracemalloc
from datetime import UTC, datetime

from ecs_release.api.conditions import ConditionType
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.metrics_state import EngineState
from ecs_release.engine.store.store import ReleaseFacts
from ecs_release.metrics.registry import Metrics
from tests.benchmarks.results import Result

RELEASES, ENVIRONMENTS = 5000, 20
_KINDS = [kind for kind in ConditionType if kind not in (ConditionType.AUTHENTICATED, ConditionType.OBSERVED)]


def measure() -> list[Result]:
    """Measure."""
    metrics = Metrics("0")
    metrics.show(EngineState(tuple(_release(n) for n in range(RELEASES)), (), 0, 0, 0, 0.0), {})
    began = time.process_time()
    packed = metrics.render()
    cpu_s = time.process_time() - began
    lags = asyncio.run(_lags(metrics))
    tracemalloc.start()
    metrics.render()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    text = f"of {RELEASES} Releases with their conditions"
    return [
        Result(f"one scrape {text}: CPU", cpu_s, "s", n=1),
        Result("the event loop waits for it meanwhile, median", statistics.median(lags), "s", n=len(lags)),
        Result("the same, 99th percentile", statistics.quantiles(lags, n=100)[98], "s", bound=0.025, n=len(lags)),
        Result("memory that it takes, at most", peak / 1e6, "MB", bound=2, n=1),
        Result("text", len(gzip.decompress(packed)) / 1e6, "MB", n=1),
        Result("text, packed", len(packed) / 1e6, "MB", n=1),
    ]


def _release(number: int) -> ReleaseFacts:
    conditions = tuple((kind, ("True", "False", "Unknown")[(number // 500 + n) % 3]) for n, kind in enumerate(_KINDS))
    return ReleaseFacts(
        key=ObjectKey("Release", f"team-{number % 20}", f"service-{number:04}-production"), uid=str(number),
        created=datetime(2026, 1, 1, tzinfo=UTC), project="project", service=f"service-{number:04}",
        environment=f"production-{number % ENVIRONMENTS}", fingerprint=0, phase="Ready", conditions=conditions,
    )  # fmt: skip


async def _lags(metrics: Metrics) -> list[float]:
    """Return how late a task that wants to run every millisecond comes, while a scrape is rendered."""
    lags: list[float] = []

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(max(0.0, time.perf_counter() - began - 0.001))

    beating = asyncio.create_task(beat())
    await asyncio.to_thread(metrics.render)
    beating.cancel()
    return lags
