"""Writes the status of Projects and Environments when it changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.api.environment import Environment, EnvironmentStatus, ReleaseCounts
from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import ENVIRONMENT
from ecs_release.api.project import Project, ProjectStatus
from ecs_release.api.windows import ClosedWindow
from ecs_release.domain.decision import suspension_end
from ecs_release.domain.decision.suspension import seconds_until
from ecs_release.domain.environments.windows import evaluate, next_change
from ecs_release.domain.ledger import recorded_condition
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionUpdate,
    Situation,
    kstatus_conditions,
    merge,
    progressing,
    ready,
    situation_of_problem,
    stalled,
)
from ecs_release.domain.model.errors import Blocked, Conflict, Denied, NotFound, Problem, Retryable
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.engine.environments.applied_by_check import AppliedByCheck
from ecs_release.engine.environments.promotion_summary import PromotionSummary
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.event_listener import environments_of_other_shards
from ecs_release.engine.observation.freshness import observed_condition, stale_in_s
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store
from ecs_release.engine.views.views import Views

_LATE = 1.25
_NAMED = 5

_Status = TypeVar("_Status", ProjectStatus, EnvironmentStatus)


class StatusWriter:
    """Writes the statuses of Projects and Environments."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        clock: Clock,
        settings: EngineSettings,
        observer_of: Callable[[str], Observer | None],
        queue_problem: Callable[[str], Problem | None],
        notifier: Notifier,
        recorder: Recorder,
        count: Callable[[str], ReleaseCounts | None],
        promotions: PromotionSummary,
        views: Views,
    ) -> None:
        """`observer_of` finds an Environment's observer; `queue_problem` returns why an event queue cannot be read, by its URL.

        `count` counts an Environment's Releases (None: it is not known yet which of them it admits).
        """
        self._notifier = notifier
        self._promotions = promotions
        self._views = views
        self._recorder = recorder
        self._queue_problem = queue_problem
        self._store = store
        self._cluster = cluster
        self._clock = clock
        self._settings = settings
        self._count = count
        self._observer_of = observer_of
        self._applied_by = AppliedByCheck(cluster, clock)
        self._conditions: dict[str, tuple[tuple[str, str], ...]] = {}

    def conditions(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return types and statuses of the conditions of each Environment, as last written."""
        return dict(self._conditions)

    async def project(self, key: ObjectKey) -> float | None:
        """Write a Project's status. Returns after how many seconds to check again."""
        body = await self._cluster.get(key)
        if body is None:
            return None
        try:
            project = read_object(Project, body)
        except Blocked as problem:
            return await self._unreadable(key, body, ProjectStatus, problem.message)
        generation = project.metadata.generation
        services = sum(len(s.services) for s in project.spec.service_sets)
        situation = ready(Reason.VALID, f"{services} services in {len(project.spec.service_sets)} service sets")
        before = project.status
        status = ProjectStatus(
            observed_generation=generation,
            conditions=merge(before.conditions if before else None, kstatus_conditions(situation), generation, self._clock.now()),
            services=services,
            releases=self._store.count_of_project(key),
        )
        if before is None or before.to_kubernetes() != status.to_kubernetes():
            return await self._write(key, status.to_kubernetes(), project.metadata.uid, project.metadata.resource_version)
        return None

    async def environment(self, key: ObjectKey) -> float | None:
        """Write an Environment's status: at once if a condition changes, else at most once a minute."""
        body = await self._cluster.get(key)
        if body is None:
            return None
        try:
            environment = read_object(Environment, body)
        except Blocked as problem:
            return await self._unreadable(key, body, EnvironmentStatus, problem.message)
        observer = self._observer_of(key.name)
        before = environment.status or EnvironmentStatus()
        now, generation = self._clock.now(), environment.metadata.generation
        situation, authenticated = _situation(observer)
        closed, changes_in_s = None, None
        try:
            closed, changes_in_s = _closed_window(environment, now)
        except Blocked as problem:
            situation = situation_of_problem(problem)
        notifying = self._notifier.conditions(environment)
        stamped = await self._applied_by.conditions(before.conditions)
        others = (*stamped, self._recorded(), *self._events_received(environment), *notifying, *self._views.conditions(environment))
        updates = [*kstatus_conditions(situation), authenticated, observed_condition(observer, now), *others]
        kept = [c for c in before.conditions or () if c.type in {s.type for s in updates}]
        conditions = merge(kept, updates, generation, now)
        self._remember(key.name, conditions)
        end, told = suspension_end.told(environment.spec, before.suspension, now)
        ends_in_s = seconds_until(suspension_end.next_step(environment.spec, now), now=now)
        looks_again_s = _earliest(changes_in_s, ends_in_s, stale_in_s(observer, now))
        status = EnvironmentStatus(
            observed_generation=generation,
            conditions=conditions,
            last_sweep_time=before.last_sweep_time,
            notified_time=before.notified_time if notifying else None,
            **self._views.since_times(environment),
            releases=before.releases,
            closed_window=closed,
            promotion=self._promotions.of(environment),
            suspension=end,
            caller=(observer.role_check.arn if observer else "") or before.caller,
            ledger_table=(self._recorder.table or before.ledger_table) if self._recorder.has_ledger else None,
        )
        status = self._with_times(key.name, before, status)
        if status.to_kubernetes() == before.to_kubernetes():
            return looks_again_s
        again = await self._write(key, status.to_kubernetes(), environment.metadata.uid, environment.metadata.resource_version)
        if again is not None:
            return again
        for note in told:
            self._cluster.record(key, environment.metadata.uid, note)
        return looks_again_s

    def _with_times(self, name: str, before: EnvironmentStatus, status: EnvironmentStatus) -> EnvironmentStatus:
        """Update times and counts: once a minute, or with another change (law 13: status is written only when it changed)."""
        notified, now = self._notifier.notified_time(name), self._clock.now()
        interval = timedelta(seconds=self._settings.sweep_time_interval_s)
        is_due = before.last_sweep_time is None or now - before.last_sweep_time >= interval
        begins = notified is not None and before.notified_time is None
        if not is_due and not begins and status.to_kubernetes() == before.to_kubernetes():
            return status
        observer = self._observer_of(name)
        return status.model_copy(
            update={
                "last_sweep_time": (observer.last_sweep_time if observer else None) or before.last_sweep_time,
                "notified_time": notified or status.notified_time,
                "releases": self._count(name) or status.releases,
            }
        )

    def _remember(self, name: str, conditions: list[Condition]) -> None:
        """Keep the conditions of an Environment, and drop those of deleted ones."""
        kept = {known: found for known, found in self._conditions.items() if known in self._store.environments}
        self._conditions = {**kept, name: tuple((c.type, c.status) for c in conditions)}

    def _events_received(self, environment: Environment) -> tuple[ConditionUpdate, ...]:
        """Return whether the event queue can be read, if one is named. Polling goes on without it, so that nothing else depends on it."""
        url, kind = environment.spec.observation.event_queue_url, ConditionType.EVENTS_RECEIVED
        if not url:
            return ()
        problem = self._queue_problem(url)
        if problem is not None:
            return (ConditionUpdate(kind, FALSE, problem.reason, join_clauses(problem.message, "polling goes on")),)
        others = environments_of_other_shards(self._store, self._settings, url)
        if others:
            text = (
                f"Environments of other shards name {url}, too: {', '.join(others[:_NAMED])}. Each message reaches one operator only,"
                " so that some events are missed, and polling finds what they told: give each shard a queue of its own"
            )
            return (ConditionUpdate(kind, FALSE, Reason.QUEUE_SHARED, text),)
        return (ConditionUpdate(kind, TRUE, Reason.VALID, url),)

    def _recorded(self) -> ConditionUpdate:
        """Return whether the ledger can be written. Nothing else depends on it."""
        recorder, problem = self._recorder, self._recorder.sender.problem
        if not recorder.has_ledger:
            return ConditionUpdate(ConditionType.RECORDED, UNKNOWN, Reason.NO_LEDGER, recorded_condition.NO_LEDGER)
        if problem is not None:
            text = join_clauses(problem.message, "what happens meanwhile waits in status, and releases go on")
            return ConditionUpdate(ConditionType.RECORDED, FALSE, problem.reason, text)
        if not recorder.table:
            return ConditionUpdate(ConditionType.RECORDED, UNKNOWN, Reason.RECORDING, "the ledger is being looked at")
        return ConditionUpdate(ConditionType.RECORDED, TRUE, Reason.RECORDED, recorder.table)

    async def _unreadable(self, key: ObjectKey, body: Mapping[str, Any], kind: type[_Status], why: str) -> float | None:
        """Write that an object cannot be read, and why. Of what else its status said nothing is known any more."""
        meta = read_object(ObjectMeta, body["metadata"])
        try:
            before = read_object(kind, body.get("status") or {})
        except Blocked:
            before = kind()
        updates = kstatus_conditions(stalled(Reason.INVALID_SPEC, why))
        kept = [c for c in before.conditions or () if c.type in {u.type for u in updates}]
        conditions = merge(kept, updates, meta.generation, self._clock.now())
        if key.kind == ENVIRONMENT:
            self._remember(key.name, conditions)
        status = kind(observed_generation=meta.generation, conditions=conditions)
        if status.to_kubernetes() == before.to_kubernetes():
            return None
        return await self._write(key, status.to_kubernetes(), meta.uid, meta.resource_version)

    async def _write(self, key: ObjectKey, status: dict[str, object], uid: str, resource_version: str) -> float | None:
        try:
            await self._cluster.write_status(key, status, uid=uid, resource_version=resource_version)
        except Conflict:
            return 0.1
        except NotFound:
            return None
        return None


def _earliest(*seconds: float | None) -> float | None:
    return min((s for s in seconds if s is not None), default=None)


def _closed_window(environment: Environment, now: datetime) -> tuple[ClosedWindow | None, float | None]:
    """Return the closed window, if any, and after how many seconds to check again (at most an hour). Raises Blocked(InvalidSpec)."""
    windows = environment.spec.windows or ()
    state, change = evaluate(windows, now), next_change(windows, now)
    left = min(3600.0, max(0.05, (change - now).total_seconds())) if change else None
    if not state.closed:
        return None, left
    return ClosedWindow(name=state.window, reason=state.reason, next_open_time=state.next_open), left


def _situation(observer: Observer | None) -> tuple[Situation, ConditionUpdate]:
    kind = ConditionType.AUTHENTICATED
    if observer is None or not observer.swept_once:
        return progressing(Reason.VERIFYING, "not observed yet"), ConditionUpdate(kind, UNKNOWN, Reason.NOT_OBSERVED)
    problem = observer.role_check.problem
    if problem is not None:
        status = FALSE if isinstance(problem, Denied) else UNKNOWN
        return situation_of_problem(problem), ConditionUpdate(kind, status, problem.reason, problem.message)
    authenticated = ConditionUpdate(kind, TRUE, Reason.VALID, observer.role_check.arn)
    unread = [u.problem for u in observer.unread if isinstance(u.problem, Denied | Retryable)]
    if unread:
        situation = progressing(Reason.PROGRESSING_WITH_RETRY, f"{len(unread)} services cannot be read: {unread[0].message}")
        return situation, authenticated
    return ready(Reason.VALID, f"AWS can be read{_stretched(observer)}"), authenticated


def _stretched(observer: Observer) -> str:
    """Return a note if sweeps take longer than the interval, in tens of seconds: our share of AWS's rates is not exceeded for them."""
    if observer.sweep_s < max(_LATE * observer.interval_s, observer.interval_s + 5):
        return ""
    takes = 10 * math.ceil(observer.sweep_s / 10)
    return (
        f"; our share of its request rates does not allow a look at every service in {observer.interval_s:g} s: it takes about {takes} s."
        " Raise observation.intervalSeconds, or the operator's share (ECS_RELEASE_AWS_RATE_SHARE)"
    )
