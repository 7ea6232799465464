"""From a change of a Release to what was decided of it, in status: by the operator, and by a script that decides nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from tests.benchmarks.fleet_bed import NAMESPACE, Fleet
from tests.benchmarks.results import Result
from tests.benchmarks.watched import Watched, watched
from tests.e2e.bed import GROUP, VERSION, condition

_SINGLE, _AT_ONCE = 100, 100
_REPEATED = 3
"""Of few values the 99th percentile is mere chance."""
_THREADS = 16
_DEADLINE_S = 30.0
_BOUNDS = {"single": 1.5, "burst": 1.3}
"""Of the operator's time to the script's: what the API server needs on a machine is in both."""

_Change = Callable[[str], object]
_There = Callable[[dict[str, Any]], bool]


def decisions(bed: Fleet, alone: Mapping[str, Result]) -> dict[str, Result]:
    """Suspend Releases and let them go on: from the patch until everybody sees what was decided, against what `decisions_alone` has found."""
    names = list(bed.statuses())
    with watched(bed.api, "releases", NAMESPACE) as seen:
        rounds = [(partial(_suspend, bed, on), partial(_decided, on)) for on in (True, False)]
        times = _timed(seen, names, rounds)
    found = _results("from a patch to its decision in status", *times)
    return {short: replace(r, floor=alone[f"{short} alone"].value, bound=_BOUNDS.get(short)) for short, r in found.items()}


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
    found = _results("a patch and a status write alone, by a script", *times)
    return {f"{short} alone": result for short, result in found.items()}


def _results(what: str, single: list[float], burst: list[float]) -> dict[str, Result]:
    return {
        "single": Result(f"{what}, p99", 1000 * _p99(single), "ms", n=len(single)),
        "median": Result(f"{what}, median", 1000 * statistics.median(single), "ms", n=len(single)),
        "burst": Result(f"{what}, {_AT_ONCE} at once, p99", 1000 * _p99(burst), "ms", n=len(burst)),
    }


def _timed(seen: Watched, names: list[str], rounds: list[tuple[_Change, _There]]) -> tuple[list[float], list[float]]:
    """Return the seconds of changes one by one, and of all at once."""
    single = [_one(seen, name, *way) for name in names[:_SINGLE] for way in _REPEATED * rounds]
    return single, [t for way in _REPEATED * rounds for t in _many(seen, names[-_AT_ONCE:], *way)]


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
