"""Metrics that have counted one of everything."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from ecs_release.domain.ecs.service import Access
from ecs_release.domain.notifications.outcome_measures import DEPLOYED, FAILED
from ecs_release.domain.notifications.transitions import Transition, TransitionKind
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.metrics_state import EngineState, EnvironmentState, LedgerState
from ecs_release.engine.store.promotion_facts import OverduePromotion
from ecs_release.engine.store.store import ReleaseFacts
from ecs_release.engine.views.views import ViewState
from ecs_release.metrics.registry import Metrics

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def stored_release(
    name: str, phase: str = "Ready", reason: str = "Succeeded", environment: str = "prod", **conditions: str
) -> ReleaseFacts:
    return ReleaseFacts(
        key=ObjectKey("Release", "shop", name), uid=name, created=NOW, project="store", service=name, environment=environment, fingerprint=0,
        phase=phase, ready=conditions.get("Ready", ""), reason=reason, conditions=tuple(conditions.items()),
    )  # fmt: skip


@dataclass
class EventQueue:
    messages: Mapping[str, int] = field(default_factory=lambda: Counter({"ECS Task State Change": 3}))
    oldest_age_s: float | None = 4.0


PROD = EnvironmentState("prod", (("Ready", "True"), ("Observed", "Unknown")), 60.0, NOW, {"AccessDenied": 2})


STATE = EngineState(
    (
        replace(stored_release("web", Ready="True", Stalled="False", InSync="Unknown"), overdue=OverduePromotion("2026-05-04T09:00:00Z", "v2")),
        stored_release("api", "Failed", "RolledBack", Ready="False", Stalled="True"),
        stored_release("new", "", ""),
        replace(stored_release("odd", "Drifted", "Drifted", Ready="False"), in_flight=True, artifact_warning="RollbackTargetGone"),
    ),
    (PROD,), 1, 2, 3, 4.5, LedgerState(2, 30.5, {"ok": 7, "Throttled": 1}), frozenset({"shop"}),
    frozenset({ObjectKey("Release", "pay", "refused")}), (ViewState("github", "main", 3, 12.5, {"ok": 9}),),
)  # fmt: skip


ENDED = Transition(TransitionKind.ENDED, 75, "a", "Requested", "Succeeded", DEPLOYED, 7200, 86400)


BROKEN = Transition(TransitionKind.ENDED, 75, "b", "Requested", "RolledBack", FAILED)


EVERYTHING = (
    ENDED,
    BROKEN,
    Transition(TransitionKind.REFINED, outcome="RolledBack"),
    Transition(TransitionKind.RESTORED, 600),
    Transition(TransitionKind.DRIFTED),
)


def filled(**options: Any) -> Metrics:
    """Metrics that have seen one of everything."""
    metrics = Metrics("1.2.3", **options)
    metrics.show(STATE, {"prod": EventQueue()})
    metrics.happened("Release", "prod", EVERYTHING)
    metrics.happened("ReleaseSet", "prod", (ENDED,))
    metrics.reconciled("Release", "ok", 0.02)
    metrics.called(Access("111122223333", "eu-west-1"), "ecs:DescribeServices", "ok", 0.3)
    metrics.waited("111122223333", "eu-west-1", "service-read", 2.0)
    return metrics


def served() -> dict[str, tuple[str, frozenset[str]]]:
    text = gzip.decompress(filled().render()).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        labels = frozenset(label for s in family.samples for label in s.labels) - {"le"}
        found[family.name + ("_total" if family.type == "counter" else "")] = (family.type, labels)
    return found
