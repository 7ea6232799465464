"""Gauges of the engine's state, computed at each scrape: there is no work between scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.conditions import TRUE
from ecs_release.engine.metrics_state import EngineState, EnvironmentState, LedgerState
from ecs_release.engine.store.store import ReleaseFacts
from ecs_release.engine.views.views import ViewState
from ecs_release.metrics.conditions import value_of


class EventQueue(Protocol):
    """The metrics of an event queue: messages by kind so far, and the age of the oldest waiting one."""

    @property
    def messages(self) -> Mapping[str, int]:
        """Messages by kind."""

    @property
    def oldest_age_s(self) -> float | None:
        """Seconds; None if nothing waits or that is unknown."""


class StateCollector(Collector):
    """Collects gauges from a state."""

    def __init__(self) -> None:
        """Start without a state."""
        self._state: EngineState | None = None
        self._queues: Mapping[str, tuple[Mapping[str, int], float | None]] = {}

    def describe(self) -> Iterable[Metric]:
        """Name no metric ahead: all of them come with `collect`."""
        return ()

    @property
    def releases(self) -> Sequence[ReleaseFacts]:
        """The Releases that are shown."""
        return self._state.releases if self._state else ()

    def take(self, state: EngineState, queues: Mapping[str, tuple[Mapping[str, int], float | None]]) -> None:
        """Set the state to show. `queues`: messages by kind and age of the oldest, by Environment."""
        self._state, self._queues = state, queues

    def collect(self) -> Iterator[Metric]:
        """Yield a family at a time."""
        state = self._state
        if state is None:
            return
        yield from _releases([r for r in state.releases if r.key not in state.refused])
        yield from _stuck(state.releases)
        refused = Counter((key.namespace,) for key in state.refused)
        yield _gauge("ecs_release_releases_refused", "Releases that their Environment refuses.", ["namespace"], refused.items())
        yield from _environments(state.environments)
        yield from _namespaces(state.left_out)
        yield from _work(state)
        yield from _events(self._queues)
        yield from _ledger(state.ledger)
        yield from _views(state.views)


def _gauge(name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family


def _releases(releases: Sequence[ReleaseFacts]) -> Iterator[Metric]:
    by = ["environment"]
    phases = Counter((r.environment, r.phase or "Pending") for r in releases)
    yield _gauge("ecs_release_releases", "Releases by phase.", [*by, "phase"], phases.items())
    warned = Counter((r.environment, r.key.namespace, r.artifact_warning) for r in releases if r.artifact_warning)
    text = "Releases whose images are gone or at risk, or those to roll back to, by the reason of ArtifactAvailable."
    yield _gauge("ecs_release_releases_artifact_warnings", text, [*by, "namespace", "reason"], warned.items())
    overdue = Counter((r.environment, r.key.namespace) for r in releases if r.overdue is not None)
    text = "Releases whose promotion is overdue; only what there is."
    yield _gauge("ecs_release_releases_promotion_overdue", text, [*by, "namespace"], overdue.items())
    drifted = {(r.environment,): 0.0 for r in releases}
    moving = dict(drifted)
    for release in releases:
        drifted[(release.environment,)] += release.reason == Reason.DRIFTED
        moving[(release.environment,)] += release.in_flight
    yield _gauge("ecs_release_releases_drifted", "Releases whose tasks run something else.", by, drifted.items())
    yield _gauge("ecs_release_rollouts_in_progress", "Rollouts under way.", by, moving.items())


def _stuck(releases: Sequence[ReleaseFacts]) -> Iterator[Metric]:
    """Yield what stops a Release, refused ones included: their teams are to know."""
    by = ["environment", "namespace", "reason"]
    stalled = Counter((r.environment, r.key.namespace, r.reason) for r in releases if ("Stalled", TRUE) in r.conditions)
    yield _gauge("ecs_release_releases_stalled", "Releases that are stuck, by reason.", by, stalled.items())


def _environments(environments: Sequence[EnvironmentState]) -> Iterator[Metric]:
    by = ["environment"]
    conditions = {(e.name, kind): value_of(status) for e in environments for kind, status in e.conditions}
    yield _gauge("ecs_release_environment_condition", "Conditions: 1 True, 0 False, -1 Unknown.", [*by, "type"], conditions.items())
    unread = {(e.name, reason): float(n) for e in environments for reason, n in e.unread.items()}
    yield _gauge("ecs_release_unreadable_services", "ECS services that cannot be read, by reason.", [*by, "reason"], unread.items())
    sweeps = {(e.name,): e.observed_since.timestamp() for e in environments if e.observed_since is not None}
    yield _gauge("ecs_release_last_sweep_timestamp_seconds", "Since when each service was seen once more.", by, sweeps.items())
    intervals = {(e.name,): e.interval_s for e in environments if e.interval_s is not None}
    yield _gauge("ecs_release_observation_interval_seconds", "Interval of observation.", by, intervals.items())


def _namespaces(left_out: Iterable[str]) -> Iterator[Metric]:
    text = "1 for each watched namespace that may not be looked into."
    yield _gauge("ecs_release_namespace_left_out", text, ["namespace"], (((name,), 1.0) for name in left_out))


def _work(state: EngineState) -> Iterator[Metric]:
    depth = {("ready",): state.ready, ("delayed",): state.delayed, ("working",): state.working}
    yield _gauge("ecs_release_queue_keys", "Objects that wait for a worker, for their time, or are worked on.", ["state"], depth.items())
    yield GaugeMetricFamily("ecs_release_queue_oldest_seconds", "How long the first has waited for a worker.", value=state.oldest_s)


def _ledger(ledger: LedgerState | None) -> Iterator[Metric]:
    if ledger is None:
        return
    yield GaugeMetricFamily("ecs_release_ledger_waiting", "Releases with something that the ledger lacks.", value=ledger.waiting)
    yield GaugeMetricFamily("ecs_release_ledger_oldest_seconds", "How long the first of them has waited.", value=ledger.oldest_s)
    writes = CounterMetricFamily("ecs_release_ledger_writes", "Writes to the ledger, by their result.", labels=["result"])
    for result, count in ledger.results.items():
        writes.add_metric([result], count)
    yield writes


def _views(views: Sequence[ViewState]) -> Iterator[Metric]:
    if not views:
        return
    by = ["sink", "credentials"]
    waiting = {(v.sink, v.credentials): v.waiting for v in views}
    yield _gauge("ecs_release_views_waiting", "Objects that are not shown as they are yet.", by, waiting.items())
    oldest = {(v.sink, v.credentials): v.oldest_s for v in views}
    yield _gauge("ecs_release_views_oldest_seconds", "How long the first of them has waited.", by, oldest.items())
    calls = CounterMetricFamily("ecs_release_view_calls", "Steps to show something, by their result.", labels=[*by, "result"])
    for view in views:
        for result, count in view.results.items():
            calls.add_metric([view.sink, view.credentials, result], count)
    yield calls


def _events(queues: Mapping[str, tuple[Mapping[str, int], float | None]]) -> Iterator[Metric]:
    messages = CounterMetricFamily("ecs_release_event_messages", "Messages of the event queue, by kind.", labels=["environment", "kind"])
    for environment, (counts, _) in queues.items():
        for kind, count in counts.items():
            messages.add_metric([environment, kind], count)
    yield messages
    ages = {(environment,): age for environment, (_, age) in queues.items() if age is not None}
    yield _gauge("ecs_release_event_oldest_message_seconds", "Age of the oldest message in the event queue.", ["environment"], ages.items())
