"""What goes wrong between a process and the world: old answers, lost ones, refusals, crashes. Chosen by a seed, or said by an action."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

LOST_BEFORE, LOST_AFTER, REFUSED, THROTTLED, DENIED = "lost-before", "lost-after", "refused", "throttled", "denied"
CRASH_BEFORE, CRASH_AFTER, CRASH_DELAYED = "crash-before", "crash-after", "crash-delayed"
READ_FAULTS = (THROTTLED, REFUSED, DENIED, CRASH_BEFORE)
WRITE_FAULTS = (LOST_BEFORE, LOST_AFTER, REFUSED, THROTTLED, DENIED, CRASH_BEFORE, CRASH_AFTER, CRASH_DELAYED)
KUBE_FAULTS = (LOST_BEFORE, LOST_AFTER, THROTTLED, CRASH_BEFORE, CRASH_AFTER)

FRESH, LATE, WILD = "fresh", "late", "wild"
LAGS = {FRESH: (0.0,), LATE: (0.0, 1.0, 3.0), WILD: (0.0, 0.0, 0.0, 2.0, 8.0, 29.0)}
"""From how old a state a read is answered: one is drawn for each call, so that answers go backwards at times."""

READS = ("describe_services", "list_tasks", "describe_tasks", "describe_task_definition", "service_deployment", "image")
WRITES = ("register_task_definition", "update_service", "stop_service_deployment", "continue_service_deployment", "move_tag")
KUBE = ("get", "write_status")
MOST_DELAY_S = 8.0
MOST_LATENCY_S = 2.0


@dataclass
class Faults:
    """The faults of one run."""

    seed: int
    lag: str = FRESH
    outages: dict[str, float] = field(default_factory=dict)
    """Until when all reads of a service of AWS fail: `ecs` or `ecr`."""
    last: float = float("-inf")
    """When the last fault hit."""
    slow: float = float("-inf")
    """When a call last was slow, or its answer old."""
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: list[str] = field(default_factory=list)
    """The calls so far, each of which might have met a fault."""
    at: dict[int, str] = field(default_factory=dict)
    """Faults by which of the calls meets them."""
    _next: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def expect(self, call: str, fault: str) -> None:
        """Have the next call of a kind meet a fault."""
        self._next[call].append(fault)

    def clear(self) -> None:
        """End all faults."""
        self._next.clear()
        self.outages.clear()
        self.lag = FRESH

    def take(self, call: str, now: float) -> str:
        """Return the fault that this call meets, if any."""
        self.slow = now if self.lag != FRESH else self.slow
        said = self.at.get(len(self.taken))
        self.taken.append(call)
        if said is not None:
            self.last = now
            self.met[call, said] += 1
            return said
        waiting = self._next.get(call)
        if waiting:
            self.last = now
            fault = waiting.popleft()
            self.met[call, fault] += 1
            return fault
        side = "ecr" if call == "image" else "ecs"
        if call in READS and self.outages.get(side, 0.0) > now:
            self.last = now
            self.met[call, "outage"] += 1
            return THROTTLED
        return ""

    def lag_s(self) -> float:
        """Draw how old the state is that a read is answered from."""
        lags = LAGS[self.lag]
        return lags[0] if len(lags) == 1 else self.chance.choice(lags)

    def latency_s(self) -> float:
        """Draw how long a call takes."""
        return 0.05 if self.lag == FRESH else self.chance.choice((0.05, 0.3, MOST_LATENCY_S))
