"""From a change of a Release to what was decided of it, in status: by the operator, and by a script that decides nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.benchmarks.fleet_bed import NAMESPACE, Fleet
from tests.benchmarks.results import Result
from tests.benchmarks.watched import Watched, watched
from tests.e2e.bed import GROUP, VERSION, condition

_SINGLE, _AT_ONCE = 100, 100
_THREADS = 16
_DEADLINE_S = 30.0
_LARGE = 5000

_Change = Callable[[str], object]
_There = Callable[[dict[str, Any]], bool]


def decisions(bed: Fleet) -> dict[str, Result]:
    """Suspend Releases and let them go on: from the patch until everybody sees what was decided."""
    names = list(bed.statuses())
    with watched(bed.api, "releases", NAMESPACE) as seen:
        rounds = [(partial(_suspend, bed, on), partial(_decided, on)) for on in (True, False)]
        times = _timed(seen, names, rounds)
    bounds = (25, 400) if bed.releases == _LARGE else (None, None)
    return _results("from a patch to its decision in status", *times, bounds)


def decisions_alone(bed: Fleet) -> dict[str, Result]:
    """Patch a label and write the status, with no operator there: what the API server takes for the least that a decision can be.

    All statuses are at the end what they were before.
    """
    before = bed.statuses()
    names = list(before)
    with watched(bed.api, "releases", NAMESPACE) as seen:
        rounds = [(partial(_write, bed, text), partial(_written, text)) for text in ("one", "two")]
        times = _timed(seen, names, rounds)
    for name in {*names[:_SINGLE], *names[-_AT_ONCE:]}:
        status = {k: v for k, v in before[name].items() if k != "version"}
        bed.api.patch_namespaced_custom_object_status(GROUP, VERSION, NAMESPACE, "releases", name, {"status": status})
    found = _results("a patch and a status write alone, by a script", *times, (None, None))
    return {f"{short} alone": result for short, result in found.items()}


def _results(what: str, single: list[float], burst: list[float], bounds: tuple[int | None, int | None]) -> dict[str, Result]:
    return {
        f"{what} single": Result(f"{what}, p99", 1000 * _p99(single), "ms", bound=bounds[0], n=len(single)),
        f"{what} median": Result(f"{what}, median", 1000 * statistics.median(single), "ms", n=len(single)),
        f"{what} burst": Result(f"{what}, {_AT_ONCE} at once, p99", 1000 * _p99(burst), "ms", bound=bounds[1], n=len(burst)),
    }


def _timed(seen: Watched, names: list[str], rounds: list[tuple[_Change, _There]]) -> tuple[list[float], list[float]]:
    """Return the seconds of changes one by one, and of all at once."""
    single = [_one(seen, name, *way) for name in names[:_SINGLE] for way in rounds]
    return single, [t for way in rounds for t in _many(seen, names[-_AT_ONCE:], *way)]


def _one(seen: Watched, name: str, change: _Change, there: _There) -> float:
    begun = time.monotonic()
    change(name)
    return seen.until(name, there, _DEADLINE_S) - begun


def _many(seen: Watched, names: Iterable[str], change: _Change, there: _There) -> list[float]:
    """Change all at once; each counts from the beginning. One thread waits: a hundred would take the time that is measured."""
    begun = time.monotonic()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(change, names))
    return [seen.until(name, there, _DEADLINE_S) - begun for name in names]


def _suspend(bed: Fleet, suspended: bool, name: str) -> None:
    bed.patch(name, {"spec": {"suspend": suspended}})


def _decided(suspended: bool, found: dict[str, Any]) -> bool:
    return bool(condition(found["status"], "Ready").get("reason") == ("Suspended" if suspended else "Succeeded"))


def _write(bed: Fleet, text: str, name: str) -> None:
    found = bed.patch(name, {"metadata": {"labels": {"example.com/round": text}}})
    del found["metadata"]["managedFields"]
    found["status"]["conditions"][0]["message"] = text
    bed.api.replace_namespaced_custom_object_status(GROUP, VERSION, NAMESPACE, "releases", name, found)


def _written(text: str, found: dict[str, Any]) -> bool:
    return bool(found["status"]["conditions"][0]["message"] == text)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
