"""The parts of a soak, one after the other, each a process of its own: `make soak`.

A part that finds something does not keep the next ones from running. A soak that was ended goes on when it is given its seed again: with
the parts that are left, and in that of the crash points with the points that are left.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence

from tests.model.figures import FRESH, ROOT

STATE = ROOT / "build" / "soak-parts.json"
_WHOLE_M = 20.0
_SHARES: Mapping[str, tuple[tuple[str, ...], float]] = {
    # The part, and how many minutes of twenty it gets; none: it is as long as it is.
    "walk": (("tests.model", "walk", "--seed", "{seed}", "--minutes", "{minutes}"), 1.0),
    "crash points of the model": (("tests.model", "crash"), 0.0),
    "mistakes": (("tests.model", "mutants"), 0.0),
    "inputs": (("tests.fuzz", "--seed", "{seed}", "--minutes", "{minutes}"), 0.25),
    "crash points": (("tests.reliability", "crash", "--seed", "{seed}", "--minutes", "{minutes}"), 0.75),
    "wires": (("tests.reliability", "faults", "--seed", "{seed}", "--minutes", "{minutes}"), 0.5),
    "disturbances": (("tests.reliability", "disturb", "--seed", "{seed}", "--minutes", "{minutes}"), 0.25),
    "upgrades": (("tests.reliability", "upgrade", "--seed", "{seed}", "--minutes", "{minutes}"), 0.15),
    "restarts": (("pytest", "tests/e2e", "-k", "soak"), 0.0),
}
PARTS = tuple(_SHARES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if a part has found something."""
    parser = ArgumentParser(prog="python -m tests.reliability.parts", description="Attacks the promises for about an hour.")
    parser.add_argument("parts", nargs="*", help=f"which parts; absent: {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, help="random if absent; that of a soak that was ended: go on with it")
    parser.add_argument("--minutes", type=float, default=_WHOLE_M, help="for the longest part; the others get their share")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    ended = begun(seed)
    print(f"soak: seed {seed}" + (f"; done already: {', '.join(ended)}" if ended else ""), flush=True)
    for part in chosen.parts or PARTS:
        if part in ended:
            continue
        started = time.monotonic()
        ended[part] = run(part, seed, chosen.minutes)
        STATE.write_text(json.dumps({"seed": seed, "ended": ended}))
        print(f"soak: {part}: exit code {ended[part]} after {time.monotonic() - started:.0f} s", flush=True)
    found = [part for part, code in ended.items() if code]
    said = f"something was found by {', '.join(found)}" if found else "nothing was found"
    print(f"soak: seed {seed}: {said}", flush=True)
    return 1 if found else 0


def begun(seed: int) -> dict[str, int]:
    """Return how the parts have ended that a soak of this seed has played; if there is none, what another one has kept is removed."""
    known = json.loads(STATE.read_text()) if STATE.exists() else {}
    if known.get("seed") == seed:
        return dict(known["ended"])
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps({"seed": seed, "ended": {}}))
    FRESH.unlink(missing_ok=True)
    return {}


def command(part: str, seed: int, minutes: float) -> list[str]:
    """Return the command of a part."""
    module, share = _SHARES[part]
    return [sys.executable, "-m", *(word.format(seed=seed, minutes=round(minutes * share, 2)) for word in module)]


def run(part: str, seed: int, minutes: float) -> int:
    """Run a part to its end. Returns its exit code."""
    return subprocess.run(command(part, seed, minutes), check=False, env={**os.environ, "ECS_RELEASE_TEST_SOAK": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
