"""Makes traces up by chance, plays them, and reduces those that break a rule."""

from __future__ import annotations

import dataclasses
import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.model.actions import Action, choose
from tests.model.faults import FRESH, LATE, WILD, WRITE_FAULTS
from tests.model.oracle import Violation
from tests.model.run import Run, Trace, play
from tests.model.traces import BREAKS, WHOLE, Shown
from tests.model.world import Switches

_LENGTH = 30
_REST: Action = ("rest",)
_INSERTED, _ANSWERED = 0.1, 0.7
"""How often something is inserted into a known trace, and how many releases that pause are answered."""
_MADE_UP = 4
"""Each fourth trace is made up, the others vary a known one, one after the other. What was wrong once is near to what is wrong next: all of
the mutants are found so, each within two rounds, while one that is drawn by chance may be missing for long."""


def make_up_switches(chance: random.Random) -> Switches:
    """Draw how AWS behaves and how things are set up."""
    has_set, staged = chance.random() < 0.3, chance.random() < 0.25
    return Switches(
        strategy=chance.choice(("BLUE_GREEN", "LINEAR", "CANARY")) if staged else "ROLLING",
        pauses=staged and chance.random() < 0.5,
        has_set=has_set,
        promotes=has_set and chance.random() < 0.3,
        uses_tag=not has_set and chance.random() < 0.2,
        on_failure=chance.choice(("Halt", "Halt", "RollBack", "Continue")),
        controller=chance.choice(("ECS", "ECS", "ECS", "CODE_DEPLOY")) if has_set else "ECS",
        breaker=chance.random() < 0.7,
        rollback=chance.random() < 0.8,
        alarms=chance.random() < 0.2,
        reuses_ids=chance.random() < 0.5,
        platforms=chance.random() < 0.5,
        shows_platform=chance.random() < 0.5,
        starts_by_service=chance.random() < 0.25,
        has_deployments_api=chance.random() < 0.6,
        scaling_is_progress=chance.random() < 0.25,
        rollback_s=chance.choice((0.0, 5.0, 50.0)),
        desired=chance.choice((0, 1, 2, 2)),
        base_latest=chance.random() < 0.25,
        corrects=chance.random() < 0.4,
        has_ledger=chance.random() < 0.3,
        container_count=chance.choice((1, 1, 2)),
        deadline_s=chance.choice((120, 600)),
    )


@dataclass
class Found:
    """A violation, and the least trace that shows it."""

    violation: Violation
    trace: Trace
    seed: int


@dataclass
class Tally:
    """What many runs did."""

    runs: int = 0
    steps: int = 0
    writes: int = 0
    passes: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by the faults that they met."""
    during: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Deeds by the faults that hit before the next one."""
    reasons: Counter[str] = field(default_factory=Counter)
    set_reasons: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    found: dict[str, Found] = field(default_factory=dict)
    cpu_s: float = 0.0
    decision_s: float = 0.0
    """How much of it went into the domain's decisions."""

    def add(self, run: Run) -> None:
        """Count one run in."""
        self.runs += 1
        self.writes += run.writes
        self.passes += run.passes
        self.actions += run.actions
        self.met += run.faults.met
        self.during += run.during
        self.reasons += run.oracle.reasons
        self.outcomes += run.oracle.outcomes
        self.set_reasons += run.oracle.set_reasons


def make_up(seed: int, length: int = _LENGTH) -> Trace:
    """Make a trace up, or vary one that has shown a mistake before. The same seed gives the same."""
    return _answered(_made_up(seed, length))


def _made_up(seed: int, length: int) -> Trace:
    chance = random.Random(seed)
    turn, place = divmod(seed, _MADE_UP)
    if place:
        known = list((BREAKS | WHOLE).values())
        return _vary(known[(turn * (_MADE_UP - 1) + place) % len(known)], seed, chance)
    switches = dataclasses.replace(make_up_switches(chance), asks_graph=seed % 5 == 0, pauses_twice=turn % 2 == 1)
    actions: list[Action] = [("lag", chance.choice((FRESH, FRESH, LATE, WILD)))]
    while len(actions) < length:
        actions += choose(chance)
    return Trace(switches, seed, (*actions, _REST))


def _vary(shown: Shown, seed: int, chance: random.Random) -> Trace:
    """Vary a trace: other delays, at times something more in between, at times another setting."""
    actions: list[Action] = []
    for action in shown.actions:
        if chance.random() < _INSERTED:
            actions += choose(chance)
        actions.append(action)
    switches = shown.switches
    if chance.random() < _INSERTED:
        name = chance.choice([f.name for f in dataclasses.fields(Switches)])
        switches = dataclasses.replace(switches, **{name: getattr(make_up_switches(chance), name)})
    return Trace(switches, seed, tuple(actions) if actions[-1] == _REST else (*actions, _REST))


def _answered(trace: Trace) -> Trace:
    """Answer hooks where deployments pause, half of the answers in trouble: by chance alone hardly any comes while one waits."""
    if not trace.switches.pauses or any(action[:2] == ("fault", "continue_service_deployment") for action in trace.actions):
        return trace
    chance, actions = random.Random(f"answers of {trace.seed}"), list[Action]()
    for action in trace.actions:
        actions.append(action)
        if action[0] == "release" and chance.random() < _ANSWERED:
            actions.append(("run", chance.choice((30, 60, 120))))
            if chance.random() < 0.5:
                actions.append(("fault", "continue_service_deployment", chance.choice(WRITE_FAULTS)))
            actions += [("approve", chance.choice(("CONTINUE", "ROLLBACK")), False), ("run", chance.choice((10, 60)))]
            if trace.switches.pauses_twice:
                # What is lost is still in doubt when somebody answers the other one.
                actions += [("answer_hook", chance.random() < 0.8), ("run", chance.choice((10, 60)))]
    return dataclasses.replace(trace, actions=tuple(actions))


def walk(
    seeds: Iterable[int], minutes: float, off: Iterable[str] = (), *, only: Iterable[str] = (), say: Callable[[str], None] = print
) -> Tally:
    """Play made-up traces until so much time of the CPU is used up, or one of the rules in `only` was broken.

    A rule that was broken once is not asked any more: it would hide others.
    """
    tally, off, only = Tally(), set(off), tuple(only)
    # The collector of garbage would go through all modules again and again: a fourth of the time.
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for seed in seeds:
        if time.process_time() - began > 60 * minutes or (only and tally.found):
            break
        trace = make_up(seed)
        try:
            run = play(trace, off)
        except Exception as error:
            error.add_note(f"seed {seed}: {trace.to_json()}")
            raise
        tally.add(run)
        tally.steps += sum(run.actions.values())
        for violation in run.violations[:1]:
            if violation.rule in tally.found:
                continue
            if only and not any(fnmatchcase(violation.rule, pattern) for pattern in only):
                off.add(violation.rule)
                continue
            least = trace if only else reduced(trace, violation.rule, off)
            again = play(least, off)
            shown = next((v for v in again.violations if v.rule == violation.rule), violation)
            tally.found[violation.rule] = Found(shown, least, seed)
            off.add(violation.rule)
            say(f"seed {seed}: {shown.rule}: {shown.message}\n  {least.to_json()}")
    tally.cpu_s = time.process_time() - began
    return tally


def breaks(trace: Trace, rule: str, off: Iterable[str] = ()) -> bool:
    """Return whether a trace breaks a rule."""
    try:
        run = play(trace, set(off))
    except Exception:
        return rule == "crash"
    return any(v.rule == rule for v in run.violations)


def reduced(trace: Trace, rule: str, off: Iterable[str] = (), seconds: float = 60.0) -> Trace:
    """Leave out all that is not needed to break the rule, as far as time allows: actions by halves, then switches, then lags."""
    end = time.monotonic() + seconds
    actions, size = list(trace.actions), max(1, len(trace.actions) // 2)
    while size >= 1 and time.monotonic() < end:
        index, changed = 0, False
        while index < len(actions) and time.monotonic() < end:
            fewer = actions[:index] + actions[index + size :]
            if breaks(dataclasses.replace(trace, actions=tuple(fewer)), rule, off):
                actions, changed = fewer, True
            else:
                index += size
        if not changed or size > 1:
            size //= 2
    trace = dataclasses.replace(trace, actions=tuple(actions))
    usual = Switches()
    for name, value in dataclasses.asdict(trace.switches).items():
        if value != getattr(usual, name) and time.monotonic() < end:
            simpler = dataclasses.replace(trace, switches=dataclasses.replace(trace.switches, **{name: getattr(usual, name)}))
            trace = simpler if breaks(simpler, rule, off) else trace
    return trace
