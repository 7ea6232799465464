"""Every call that the operator makes is a point at which it may die: before the call, while it is carried out, after its answer.

The points are those at which the ports ask for a fault, so that a new kind of call is met without being named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from tests.model.actions import Action
from tests.model.faults import CRASH_AFTER, CRASH_BEFORE, CRASH_DELAYED, LOST_AFTER, LOST_BEFORE, READS, WRITES
from tests.model.oracle import Violation
from tests.model.registry import CRASHES
from tests.model.run import Run, Trace
from tests.model.world import Switches

_REST: Action = ("rest",)
LOOKS = ("get", "count", *READS)
"""Calls that change nothing anywhere."""
_MOST_READS = 400


SCENARIOS: Mapping[str, Trace] = MappingProxyType(
    {
        "adoption": Trace(actions=(("run", 60),)),
        "release": Trace(actions=(("run", 60), ("release", "b"), ("run", 300))),
        "release that ECS rolls back": Trace(actions=(("run", 60), ("behave", "b", CRASHES), ("release", "b"), ("run", 400))),
        "release with a hook, in stages": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 120), ("answer_hook", True), ("run", 300)),
            switches=Switches(strategy="CANARY", pauses=True),
        ),
        "release with a hook that is answered here": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 120), ("approve", "CONTINUE", False), ("run", 300)),
            switches=Switches(strategy="CANARY", pauses=True),
        ),
        "release with two hooks, one of which is answered in AWS": Trace(
            actions=(
                ("run", 60),
                ("release", "b"),
                ("run", 120),
                ("approve", "CONTINUE", False),
                ("run", 3),
                ("answer_hook", True),
                ("run", 300),
            ),
            switches=Switches(strategy="CANARY", pauses=True, pauses_twice=True),
        ),
        "release with a hook that is answered by the set, and goes back": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 120), ("approve", "ROLLBACK", False), ("run", 600)),
            switches=Switches(strategy="BLUE_GREEN", pauses=True, has_set=True),
        ),
        "set with rollback": Trace(
            actions=(("run", 60), ("behave", "b", CRASHES), ("release", "b"), ("run", 900)),
            switches=Switches(has_set=True, on_failure="RollBack"),
        ),
        "drift correction": Trace(actions=(("run", 60), ("console_deploys", "c", True), ("run", 900)), switches=Switches(corrects=True)),
        "abort": Trace(actions=(("run", 60), ("release", "b"), ("run", 10), ("abort",), ("run", 300))),
        "abort without service deployments": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 10), ("abort",), ("run", 300)), switches=Switches(has_deployments_api=False)
        ),
        "another target, and a retry": Trace(actions=(("run", 60), ("point_elsewhere", True), ("run", 60), ("retry",), ("run", 300))),
        "release by a tag that moves": Trace(actions=(("run", 60), ("release", "b"), ("run", 300)), switches=Switches(uses_tag=True)),
        "recovery without status, from tags": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 20), ("restore_without_status",), ("run", 300))
        ),
        "recovery without status, from the ledger": Trace(
            actions=(("run", 60), ("release", "b"), ("run", 20), ("restore_without_status",), ("run", 300)),
            switches=Switches(has_ledger=True),
        ),
    }
)


@dataclass(frozen=True)
class CrashPoint:
    """The `index`th call of a scenario meets `fault`."""

    index: int
    call: str
    fault: str


def points(scenario: Trace, *, reads: bool = True) -> Iterator[CrashPoint]:
    """List the crash points of a scenario: its calls, as they are made where nothing goes wrong."""
    with Run(scenario.switches) as run:
        for action in scenario.actions:
            run.apply(action)
        calls = list(run.faults.taken)
    for index, call in enumerate(calls):
        for fault in _faults_of(call):
            if reads or call not in READS:
                yield CrashPoint(index, call, fault)


def fewer_reads(found: Sequence[CrashPoint], most: int, every: int = 1) -> list[CrashPoint]:
    """Leave out reads, spread evenly, until there are at most `most`, and of `every` so many one: a long scenario polls for most of its calls."""
    reads = [p for p in found if p.call in LOOKS]
    # An odd step: calls of the API server have four faults each, and all of them are to be met.
    step = max(every, -(-len(reads) // most))
    kept = set(reads[:: step if step == 1 else step | 1])
    return [p for p in found if p.call not in LOOKS or p in kept]


def _faults_of(call: str) -> tuple[str, ...]:
    if call in READS:
        return (CRASH_BEFORE,)
    if call in WRITES:
        return (CRASH_BEFORE, CRASH_AFTER, CRASH_DELAYED, LOST_BEFORE, LOST_AFTER)
    return (CRASH_BEFORE, CRASH_AFTER, LOST_BEFORE, LOST_AFTER)


@contextmanager
def crashed_at(scenario: Trace, point: CrashPoint) -> Iterator[Run]:
    """Play a scenario with a fault at one of its points, and let everything come to rest."""
    with Run(scenario.switches) as run:
        run.faults.at[point.index] = point.fault
        for action in to_rest(scenario).actions:
            run.apply(action)
        assert run.faults.met[point.call, point.fault] == 1, f"{point} was not met"
        yield run


def crash_at(scenario: Trace, point: CrashPoint) -> list[Violation]:
    """Play a scenario with a fault at one of its points: return what did not hold."""
    with crashed_at(scenario, point) as run:
        return list(run.violations)


def crash_everywhere(scenario: Trace) -> tuple[Counter[str], list[tuple[CrashPoint, Violation]]]:
    """Play a scenario once for each of its points, but for reads of a long one: how often each call was hit, and what did not hold."""
    hit: Counter[str] = Counter()
    found: list[tuple[CrashPoint, Violation]] = []
    for point in fewer_reads(list(points(scenario)), _MOST_READS):
        hit[point.call] += 1
        found += [(point, violation) for violation in crash_at(scenario, point)]
    return hit, found


def to_rest(scenario: Trace) -> Trace:
    """Return a scenario with everything coming to rest in the end."""
    return replace(scenario, actions=(*scenario.actions, _REST))
