"""Makes inputs by chance for a while, and prints what did harm, reduced."""

from __future__ import annotations

import argparse
import gc
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.loop_turns import longest_turn
from tests.fuzz.targets import TARGETS, Target
from tests.model import figures

MOST_TURN_S = 0.05
"""CPU that one turn of the loop may take: nothing else is served meanwhile."""
_ROUND = 200
_MOST_FOUND = 5
_COLLECTED = 50
"""After how many inputs garbage is collected."""
_LONGEST_NOTE = 4000


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if an input did harm."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which targets; absent: all of {', '.join(map(repr, TARGETS))}")
    parser.add_argument("--seed", type=int, help="random if absent")
    parser.add_argument("--minutes", type=float, default=10.0, help="of CPU for all targets together")
    chosen = parser.parse_args(arguments)
    first = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    # What is logged of odd inputs is not for whoever looks on.
    logging.getLogger("ecs_release").addHandler(logging.NullHandler())
    names = chosen.names or list(TARGETS)
    inputs, found, longest = Counter[str](), Counter[str](), 0.0
    for name in names:
        turn = _fuzz(name, TARGETS[name], first, chosen.minutes * 60 / len(names), inputs, found)
        longest = max(longest, turn if TARGETS[name].runs_loop else 0.0)
    slow = longest > MOST_TURN_S
    print(f"seed {first}; longest turn of the loop {longest * 1000:.0f} ms of CPU{', too long' if slow else ''}")
    done = {"seed": first, "longest turn in ms of CPU": round(longest * 1000), "inputs": dict(inputs), "found": dict(found)}
    figures.keep("fuzz", done)
    return 1 if found or slow else 0


def _fuzz(name: str, target: Target, first: int, seconds: float, inputs: Counter[str], found: Counter[str]) -> float:
    """Make inputs of one target, round by round, each with a seed of its own. Returns the longest turn in seconds of CPU."""
    until, number = time.process_time() + seconds, first
    with longest_turn() as longest:
        while time.process_time() < until:

            def play(example: Any) -> None:
                inputs[name] += 1
                if inputs[name] % _COLLECTED == 0:
                    gc.collect()
                target.check(example)

            settled = settings(
                max_examples=_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=False,
                report_multiple_bugs=False, phases=(Phase.generate, Phase.shrink),
            )  # fmt: skip
            try:
                seed(number)(settled(given(target.inputs)(play)))()
            except Exception as error:  # whatever it is, it must not come of an input
                found[name] += 1
                notes = (note[:_LONGEST_NOTE] for note in getattr(error, "__notes__", ()))
                print(f"{name}, seed {number}: {type(error).__name__}: {str(error)[:_LONGEST_NOTE]}", *notes, sep="\n", flush=True)
            number += 1
            if found[name] == _MOST_FOUND:
                break
    print(f"{name}: {inputs[name]} inputs, {found[name]} of {number - first} rounds found something", flush=True)
    return longest[0]


if __name__ == "__main__":
    sys.exit(main())
