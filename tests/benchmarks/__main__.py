"""Run all benchmarks; the exit code is 0 also where a bound is missed: the table says so, and docs/benchmarks.md why."""

from __future__ import annotations

from tests.benchmarks import release, scrape, sets
from tests.benchmarks.results import publish
from tests.e2e.bed import ROOT


def main() -> None:
    """Run the command."""
    print("Measuring from apply to UpdateService, one Release at a time (about a minute) ...", flush=True)
    results = release.measure()
    print(f"Measuring a set of {sets.SERVICES} services, by both methods (about five minutes) ...", flush=True)
    publish([*results, *sets.measure(), *scrape.measure()], ROOT / "build" / "bench.json")


if __name__ == "__main__":
    main()
