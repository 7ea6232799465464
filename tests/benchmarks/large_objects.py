"""Memory with Releases that are as large as tenants can make them: the chart's limit must hold at the start, at a restart and at rest."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.fleet_bed import Fleet, fleet, until
from tests.benchmarks.results import Result

RELEASES = 500
ANNOTATIONS = 250_000
"""Bytes of annotations of each Release: the API server admits 256 KiB."""
EMOJI = "\N{GRINNING FACE}"
"""One of them in a text makes Python keep each of its characters in four bytes."""
LIMIT_MB = 512.0
"""The chart's limit of memory."""
_REST_S = 60.0


def measure() -> list[Result]:
    """Measure without large annotations, and with them."""
    with fleet(RELEASES) as bed:
        plain = _memory(bed, "as they are")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: _enlarge(bed, name), bed.statuses()))
        return [*plain, *_memory(bed, f"with {ANNOTATIONS // 1000} kB of annotations each")]


def _enlarge(bed: Fleet, name: str) -> None:
    bed.patch(name, {"metadata": {"annotations": {"example.com/large": EMOJI + "x" * (ANNOTATIONS - 100)}}})


def _memory(bed: Fleet, what: str) -> list[Result]:
    results = []
    for moment in ("start", "restart"):
        bed.operator.log.write_text("")
        bed.operator.start()
        bed.operator.wait_until_ready(600)
        until(lambda: bed.operator.metric("ecs_release_reconcile_duration_seconds_count", kind="Release") >= RELEASES, "passes", 900, 1.0)
        if moment == "restart":
            time.sleep(_REST_S)
            results.append(_result(f"{RELEASES} Releases {what}: memory, at rest", bed.operator.memory_mb()))
        results.append(_result(f"{RELEASES} Releases {what}: memory, peak at the {moment}", bed.operator.memory_mb("VmHWM")))
        print(f"  {results[-1].name}: {results[-1].value:.0f} MB", flush=True)
        bed.operator.stop()
    return results


def _result(name: str, value: float) -> Result:
    return Result(name, value, "MB", bound=LIMIT_MB)
