"""Run benchmarks; the exit code is 0 also where a bound is missed: the table says so, and docs/benchmarks.md why."""

from __future__ import annotations

import sys

from tests.benchmarks import board, commits, fleet, large_objects, ledger, release, scrape, sets, sinks, tenants, worsts
from tests.benchmarks.results import publish
from tests.e2e.bed import ROOT

BENCHMARKS = {
    "release": (release.measure, "from apply to UpdateService, one Release at a time (about a minute)"),
    "sets": (sets.measure, f"a set of {sets.SERVICES} services, by both methods (about five minutes)"),
    "sinks": (sinks.measure, f"releases into {sinks.ENVIRONMENTS} Environments whose sinks hang (about ten minutes)"),
    "ledger": (ledger.measure, f"questions to a ledger of {ledger.ITEMS:,} items (about two minutes)"),
    "large": (large_objects.measure, f"{large_objects.RELEASES} Releases of {large_objects.ANNOTATIONS:,} bytes (about six minutes)"),
    "commits": (commits.measure, f"pairs of {commits.COMMITS:,} commits in the commits service (about two minutes)"),
    "board": (board.measure, f"the board of {board.RELEASES:,} Releases, with {board.VIEWERS} who look (about two minutes)"),
    "scrape": (scrape.measure, "a scrape of /metrics (seconds)"),
    "tenants": (
        tenants.measure,
        f"what {worsts.RELEASES} Releases of one tenant cost a neighbour, in {len(worsts.WORSTS)} ways (about half an hour)",
    ),
    "fleet": (fleet.measure, f"{' and '.join(map(str, fleet.SIZES))} Releases, watched (about forty minutes)"),
}


def main() -> None:
    """Run the command: all benchmarks, or those that are named."""
    results = []
    for name in sys.argv[1:] or BENCHMARKS:
        measure, what = BENCHMARKS[name]
        print(f"Measuring {what} ...", flush=True)
        results += measure()
    publish(results, ROOT / "build" / "bench.json")


if __name__ == "__main__":
    main()
