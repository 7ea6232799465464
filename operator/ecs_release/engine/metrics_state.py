"""How things stand in the engine, as metrics show it: taken at once in the event loop, read in a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.work_queue import KeyedQueue
from ecs_release.engine.store.store import ReleaseFacts, Store


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """How the observation of an Environment stands. `unread` counts the services that cannot be read, by reason."""

    name: str
    conditions: tuple[tuple[str, str], ...]
    interval_s: float | None
    observed_since: datetime | None
    unread: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How recording stands: Releases with something that the ledger lacks, for how long the first waits, and writes by their result."""

    waiting: int
    oldest_s: float
    results: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EngineState:
    """Releases as the store has them, Environments, and the queue: keys that wait for a worker, for their time, or are worked on.

    `ledger` is None where none is configured; `left_out` are watched namespaces that may not be looked into.
    """

    releases: tuple[ReleaseFacts, ...]
    environments: tuple[EnvironmentState, ...]
    ready: int
    delayed: int
    working: int
    oldest_s: float
    ledger: LedgerState | None = None
    left_out: frozenset[str] = frozenset()


def state_of(
    store: Store,
    queue: KeyedQueue[ObjectKey],
    observers: Mapping[str, Observer],
    said: Mapping[str, tuple[tuple[str, str], ...]],
    recorder: Recorder,
    left_out: frozenset[str],
) -> EngineState:
    """Take the state. `said` are the Environments' conditions, `left_out` namespaces."""
    environments = tuple(_environment(name, observers.get(name), said.get(name, ())) for name in store.environments)
    return EngineState(
        releases=tuple(store.releases.values()),
        environments=environments,
        ready=queue.ready,
        delayed=len(queue) - queue.ready,
        working=queue.working,
        oldest_s=queue.oldest_s,
        ledger=LedgerState(recorder.waiting, recorder.oldest_s, dict(recorder.results)) if recorder.has_ledger else None,
        left_out=left_out,
    )


def _environment(name: str, observer: Observer | None, said: tuple[tuple[str, str], ...]) -> EnvironmentState:
    if observer is None:
        return EnvironmentState(name, said, None, None, {})
    unread = Counter(unread.problem.reason for unread in observer.unread)
    return EnvironmentState(name, said, observer.interval_s, observer.observed_since, unread)
