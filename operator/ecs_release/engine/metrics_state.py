"""A snapshot of the engine for metrics: taken in the event loop, rendered in a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.work_queue import WorkQueue
from ecs_release.engine.store.store import ReleaseFacts, Store
from ecs_release.engine.views.views import ViewState


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """The observation of an Environment. `unread` counts the services that cannot be read, by reason."""

    name: str
    conditions: tuple[tuple[str, str], ...]
    interval_s: float | None
    observed_since: datetime | None
    unread: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The state of recording: Releases with unwritten entries, how long the oldest has waited, and the number of writes by result."""

    waiting: int
    oldest_s: float
    results: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EngineState:
    """Releases of the store, Environments, and the work queue: ready, delayed and working keys.

    `ledger` is None if none is configured; `left_out` are the watched namespaces without access.
    """

    releases: tuple[ReleaseFacts, ...]
    environments: tuple[EnvironmentState, ...]
    ready: int
    delayed: int
    working: int
    oldest_s: float
    ledger: LedgerState | None = None
    left_out: frozenset[str] = frozenset()
    refused: frozenset[ObjectKey] = frozenset()
    """The Releases that their Environments refuse."""
    views: tuple[ViewState, ...] = ()
    """The connections to sinks of views that are in use."""


def state_of(
    store: Store,
    queue: WorkQueue[ObjectKey],
    observers: Mapping[str, Observer],
    conditions: Mapping[str, tuple[tuple[str, str], ...]],
    recorder: Recorder,
    left_out: frozenset[str],
    admission: Callable[[ObjectKey], Admission],
    views: tuple[ViewState, ...] = (),
) -> EngineState:
    """Return the snapshot. `conditions` are those of Environments, `left_out` namespaces without access, `admission` is a Release's."""
    environments = tuple(_environment(name, observers.get(name), conditions.get(name, ())) for name in store.environments)
    return EngineState(
        releases=tuple(store.releases.values()),
        environments=environments,
        ready=queue.ready,
        delayed=len(queue) - queue.ready,
        working=queue.working,
        oldest_s=queue.oldest_s,
        ledger=LedgerState(recorder.waiting, recorder.sender.oldest_s, dict(recorder.sender.results)) if recorder.has_ledger else None,
        left_out=left_out,
        refused=frozenset(key for key in store.releases if admission(key) is Admission.REFUSED),
        views=views,
    )


def _environment(name: str, observer: Observer | None, conditions: tuple[tuple[str, str], ...]) -> EnvironmentState:
    if observer is None:
        return EnvironmentState(name, conditions, None, None, {})
    unread = Counter(unread.problem.reason for unread in observer.unread)
    return EnvironmentState(name, conditions, observer.interval_s, observer.observed_since, unread)
