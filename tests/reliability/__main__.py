"""Plays scenarios with the real process: it dies at its calls, its wires misbehave, it is disturbed, it is replaced by another version."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from tests.reliability.calls import CrashPoint
from tests.reliability.disturbances import DISTURBANCES
from tests.reliability.scenarios import SCENARIOS
from tests.reliability.soak import crash, disturb, faults, upgrade
from tests.reliability.upgrades import UPGRADES

_WORKERS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, names in (
        ("crash", "let the operator die at each of its calls", SCENARIOS),
        ("faults", "let both wires misbehave", SCENARIOS),
        ("disturb", "have something happen in the middle of scenarios", DISTURBANCES),
        ("upgrade", "replace operator and CRDs in the middle of releases", UPGRADES),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("names", nargs="*", help=f"which; absent: all of {', '.join(map(repr, names))}")
        command.add_argument("--seed", type=int, help="random if absent; crash goes on where the latest run with it ended")
        command.add_argument("--minutes", type=float, default=10, help="begin nothing after so many")
        command.add_argument("--workers", type=int, default=_WORKERS, help="how many scenarios are played at once")
    commands.choices["crash"].add_argument("--at", type=CrashPoint.parse, help="one crash point, as it is printed")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    if chosen.command == "crash":
        return crash(chosen.names or list(SCENARIOS), seed, chosen.minutes, chosen.workers, chosen.at)
    if chosen.command == "faults":
        return faults(chosen.names or list(SCENARIOS), seed, chosen.minutes, chosen.workers)
    return (disturb if chosen.command == "disturb" else upgrade)(chosen.names, seed, chosen.minutes, chosen.workers)


if __name__ == "__main__":
    sys.exit(main())
