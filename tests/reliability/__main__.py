"""Plays scenarios with the real process: `crash` lets it die at its calls, `faults` lets its wires misbehave."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from tests.reliability.calls import CrashPoint
from tests.reliability.scenarios import SCENARIOS
from tests.reliability.soak import crash, faults

_WORKERS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("crash", "let the operator die at each of its calls"), ("faults", "let both wires misbehave")):
        command = commands.add_parser(name, help=what)
        command.add_argument("names", nargs="*", help="which scenarios; absent: all")
        command.add_argument("--seed", type=int, help="random if absent; crash goes on where the latest run with it ended")
        command.add_argument("--minutes", type=float, default=10, help="begin nothing after so many")
        command.add_argument("--workers", type=int, default=_WORKERS, help="how many scenarios are played at once")
    commands.choices["crash"].add_argument("--at", type=CrashPoint.parse, help="one crash point, as it is printed")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    names = chosen.names or list(SCENARIOS)
    if chosen.command == "faults":
        return faults(names, seed, chosen.minutes, chosen.workers)
    return crash(names, seed, chosen.minutes, chosen.workers, chosen.at)


if __name__ == "__main__":
    sys.exit(main())
