"""Metrics for Prometheus: counters are increased when something happens, gauges are computed at a scrape.

docs/reference/metrics.md describes each metric. Labels are bounded by the number of objects, accounts and AWS actions; those of a deleted
Environment are dropped.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from ecs_release.api.names import RELEASE_SET
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.notifications.transitions import Transition
from ecs_release.engine.metrics_state import EngineState
from ecs_release.metrics.conditions import pieces
from ecs_release.metrics.outcomes import Dora, Rollouts
from ecs_release.metrics.state import EventQueue, StateCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# zlib: the largest window, and gzip's header.
_GZIP = 16 + zlib.MAX_WBITS

CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAIT_BUCKETS = (0.01, 0.1, 0.5, 1, 5, 15, 30, 60)
RECONCILE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All metrics of the process. It is the engine's `Meter`, and AWS's `OnCall` and `OnWait`."""

    def __init__(self, version: str, *, conditions: bool = True) -> None:
        """`conditions`: whether there is a series for each condition of each Release."""
        # They double the number of series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._conditions = conditions
        self._state = StateCollector()
        registry.register(self._state)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        info = Gauge("ecs_release_build_info", "1, with the operator's version.", ["version"], registry=registry)
        info.labels(version).set(1)
        self._rollouts = Rollouts(registry)
        self._dora = Dora(registry)
        self._calls = _Calls(registry)
        self._passes = Counter(
            "ecs_release_reconcile",
            "Reconciliations by kind and result.",
            ["kind", "result"],
            registry=registry,
        )
        self._pass_s = Histogram(
            "ecs_release_reconcile_duration_seconds", "Duration of reconciliations.", ["kind"], registry=registry, buckets=RECONCILE_BUCKETS
        )
        self._environments: set[str] = set()
        self.called = self._calls.called
        self.waited = self._calls.waited

    def happened(self, kind: str, environment: str, happenings: Sequence[Transition]) -> None:
        """Count the transitions in an accepted status."""
        for one in happenings:
            if kind == RELEASE_SET:
                self._rollouts.of_set(environment, one)
            else:
                self._rollouts.of_release(environment, one)
                self._dora.count(environment, one)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Count a reconciliation."""
        self._passes.labels(kind, result).inc()
        self._pass_s.labels(kind).observe(seconds)

    def show(self, state: EngineState, event_queues: Mapping[str, EventQueue]) -> None:
        """Set the state that the next `render` shows. Call it in the event loop, where nothing changes meanwhile."""
        self._state.take(state, {name: (dict(queue.messages), queue.oldest_age_s) for name, queue in event_queues.items()})
        there = {environment.name for environment in state.environments}
        for name in there - self._environments:
            # Start at 0: Prometheus's increase() misses the first increment of a series that appears with it.
            self._dora.begin(name)
        for name in self._environments - there:
            self._dora.forget(name)
            self._rollouts.forget(name)
        self._environments = there

    def render(self) -> bytes:
        """Render all metrics in Prometheus's text format, compressed with gzip (to a thirtieth of the size).

        Slow with many Releases; may run in a thread, one at a time.
        """
        packer = zlib.compressobj(level=1, wbits=_GZIP)
        packed = [packer.compress(generate_latest(self._registry))]
        if self._conditions:
            packed += [packer.compress(piece) for piece in pieces(self._state.releases)]
        return b"".join((*packed, packer.flush()))


class _Calls:
    """Calls to AWS."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "ecs_release_aws_calls", "Calls to AWS: result ok, or the class of what went wrong.", ["account", "region", "action", "result"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "ecs_release_aws_call_duration_seconds", "Duration of calls to AWS, each repetition by itself.", ["action"],
            registry=registry, buckets=CALL_BUCKETS,
        )  # fmt: skip
        self._waits = Histogram(
            "ecs_release_aws_wait_seconds", "How long calls waited for a token of their bucket.", ["account", "region", "row"],
            registry=registry, buckets=WAIT_BUCKETS,
        )  # fmt: skip

    def called(self, access: Access, action: str, result: str, seconds: float) -> None:
        self._calls.labels(access.account_id, access.region, action, result).inc()
        self._seconds.labels(action).observe(seconds)

    def waited(self, account: str, region: str, row: str, seconds: float) -> None:
        self._waits.labels(account, region, row).observe(seconds)
