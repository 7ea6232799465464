"""Walks through made-up traces, replays one, or reduces one."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.model import figures
from tests.model.actions import CHOICES
from tests.model.crash_points import SCENARIOS, crash_everywhere, to_rest
from tests.model.driver import timed_decisions
from tests.model.inventory import FAULTS, rules
from tests.model.known import KNOWN
from tests.model.mutants import MUTANTS, copy_with, is_found
from tests.model.run import Run, Trace, play
from tests.model.walker import Tally, reduced, walk

_MOST_MINUTES = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if a rule did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--all-rules", action="store_true", help="judge by the rules that are known to be broken, too")
    commands = parser.add_subparsers(dest="command", required=True)
    walking = commands.add_parser("walk", help="play made-up traces, and reduce those that break a rule")
    walking.add_argument("--seed", type=int, help="the first trace's seed, the next ones follow; random if absent")
    walking.add_argument("--minutes", type=float, default=1.0, help=f"for how long, at most {_MOST_MINUTES:.0f}")
    walking.add_argument("--strict", action="store_true", help="fail if some action or fault was never met, too")
    walking.add_argument("--only", nargs="*", default=(), help="end as soon as one of these rules, or patterns, is broken")
    mutating = commands.add_parser("mutants", help="make mended mistakes again, each in a copy of the operator: the walk has to find them")
    mutating.add_argument("names", nargs="*", help="which; absent: all")
    mutating.add_argument("--seconds", type=float, default=60.0, help="of CPU for each walk")
    mutating.add_argument("--seeds", type=int, default=3, help="how many walks for each")
    crashing = commands.add_parser("crash", help="let the operator die at each of its calls, in each of the scenarios")
    crashing.add_argument("names", nargs="*", help="which scenarios; absent: all")
    replaying = commands.add_parser("replay", help="play a trace, as walk prints it")
    replaying.add_argument("trace", help="JSON, or a file that holds it")
    reducing = commands.add_parser("reduce", help="leave out of a trace all that is not needed to break a rule")
    reducing.add_argument("trace", help="JSON, or a file that holds it")
    reducing.add_argument("rule", help="the rule that it breaks")
    chosen = parser.parse_args(arguments)
    off = frozenset() if chosen.all_rules else frozenset(KNOWN)
    if chosen.command == "walk":
        seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6) * 1000
        return _walk(count(seed), seed, min(chosen.minutes, _MOST_MINUTES), off, strict=chosen.strict, only=chosen.only)
    if chosen.command == "crash":
        return _crash(chosen.names or list(SCENARIOS))
    if chosen.command == "mutants":
        return _mutants(chosen.names or list(MUTANTS), chosen.seeds, chosen.seconds)
    trace = Trace.from_json(chosen.trace if chosen.trace.startswith("{") else Path(chosen.trace).read_text())
    if chosen.command == "reduce":
        print(reduced(trace, chosen.rule, off, seconds=600).to_json())
        return 0
    return _replay(trace, off)


def _mutants(names: Sequence[str], walks: int, seconds: float) -> int:
    missed, kept = 0, {}
    for name in names:
        took: list[float] = []
        with TemporaryDirectory() as folder:
            copy = copy_with(MUTANTS[name], Path(folder))
            for _ in range(walks):
                seed = random.SystemRandom().randrange(10**6) * 1000
                found = is_found(copy, MUTANTS[name].rules, seed, seconds)
                missed += found is None
                took += [found.cpu_s] if found else []
                print(f"{name}: {f'{found.cpu_s:.0f} s, {found.line}' if found else f'NOT FOUND from seed {seed} on'}", flush=True)
        kept[name] = {"found": len(took), "walks": walks, "longest_s": max(took, default=seconds)}
    print(f"{missed} of {len(names) * walks} walks found nothing")
    figures.keep("mutants", kept)
    return 1 if missed else 0


def _crash(names: Sequence[str]) -> int:
    broken, kept = 0, {}
    for name in names:
        hit, found = crash_everywhere(SCENARIOS[name])
        print(
            f"{name}: {hit.total()} crash points, {len(found)} violations; {', '.join(f'{c} {n}' for c, n in hit.most_common())}",
            flush=True,
        )
        for point, violation in found:
            print(f"  {point}: {violation.rule}: {violation.message}")
        if found:
            print(f"  {to_rest(SCENARIOS[name]).to_json()}")
        broken += len(found)
        kept[name] = {"points": hit.total(), "calls": dict(hit.most_common()), "violations": len(found)}
    figures.keep("crashes", kept)
    return 1 if broken else 0


def _walk(seeds: Iterator[int], first: int, minutes: float, off: frozenset[str], *, strict: bool, only: Sequence[str]) -> int:
    with timed_decisions() as taken:
        tally = walk(seeds, minutes, off, only=only)
    tally.decision_s = sum(taken)
    print(f"seeds {first} to {first + tally.runs - 1}: {tally.steps} steps, {tally.passes} passes, {tally.writes} statuses written")
    print(f"{tally.cpu_s:.0f} s of CPU: {tally.steps / tally.cpu_s:.0f} steps and {tally.passes / tally.cpu_s:.0f} passes a second")
    print(f"{tally.decision_s:.0f} s of it for the decisions alone: {tally.steps / max(tally.decision_s, 0.001):.0f} steps a second")
    for title, counts in (("reasons", tally.reasons), ("of sets", tally.set_reasons), ("outcomes", tally.outcomes)):
        print(f"{title}: {', '.join(f'{name} {number}' for name, number in counts.most_common())}")
    _print_met(tally)
    missed = sorted(_missed(tally))
    if missed:
        print(f"never met: {', '.join(missed)}")
    print(f"{len(tally.found)} rules were broken: {', '.join(sorted(tally.found)) or 'none'}")
    if not only:
        figures.keep("walk", _figures(tally, first))
        asked = [rule for rule in rules() if not any(fnmatchcase(rule, pattern) for pattern in off)]
        deeds = sorted(name for name, number in tally.actions.items() if number)
        figures.keep("met", {"rules": asked, "deeds": deeds, "faults": _faults_met(tally)})
    return 1 if tally.found or (strict and missed) else 0


def _figures(tally: Tally, first: int) -> dict[str, str | int]:
    """What a walk has done, as the page has it."""
    return {
        "seeds": f"{first} to {first + tally.runs - 1}",
        "minutes of CPU": round(tally.cpu_s / 60),
        "histories": tally.runs,
        "steps": tally.steps,
        "steps a second of CPU, with the whole engine": round(tally.steps / tally.cpu_s),
        "steps a second of CPU, of the decisions alone": round(tally.steps / max(tally.decision_s, 0.001)),
        "passes of the operator": tally.passes,
        "statuses that were written and judged": tally.writes,
        "calls that met a fault": sum(tally.met.values()),
        "rules that were broken": ", ".join(sorted(tally.found)) or "none",
    }


def _print_met(tally: Tally) -> None:
    """Print how often each deed met each fault before the next one."""
    kinds = sorted({fault for _, fault in tally.during})
    width = max(map(len, CHOICES))
    print(f"{'':{width}} {'all':>6} {' '.join(f'{k:>12}' for k in kinds)}")
    for name in sorted(CHOICES):
        row = " ".join(f"{tally.during[name, kind]:12}" for kind in kinds)
        print(f"{name:{width}} {tally.actions[name]:6} {row}")
    print("calls by fault: " + ", ".join(f"{call} {fault} {n}" for (call, fault), n in sorted(tally.met.items())))


def _missed(tally: Tally) -> Iterator[str]:
    yield from (name for name in CHOICES if not tally.actions[name])
    met = _faults_met(tally)
    yield from (fault for fault in FAULTS if fault not in met)


def _faults_met(tally: Tally) -> list[str]:
    return sorted(f"{call} {fault}" for (call, fault), number in tally.met.items() if number)


def _replay(trace: Trace, off: frozenset[str]) -> int:
    with Run(trace.switches, trace.seed, off) as run:
        for action in trace.actions:
            run.apply(action)
            status = (run.scene.objects.get(run.scene.key()) or {}).get("status") or {}
            ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), {})
            said = f"{ready.get('status')} {ready.get('reason')}: {ready.get('message')}"
            print(f"{run.loop.time():9.1f} {' '.join(map(str, action)):40} {said[:150]}")
            for found in run.violations:
                print(f"          BROKEN {found.rule} at {found.time:.1f}: {found.message}")
            run.violations.clear()
        print(f"calls: {run.scene.calls}")
        for deployment, fate in run.scene.ecs.fates.items():
            print(f"{deployment}: {fate}")
        for entry in reversed(status.get("history") or ()):
            print({k: v for k, v in entry.items() if k in ("attemptID", "cause", "outcome", "message", "deploymentID", "taskDefinition")})
    return 1 if play(trace, off).violations else 0


if __name__ == "__main__":
    sys.exit(main())
