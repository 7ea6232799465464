"""What an observer remembers of each service: its last look, its health, and since when it could not be read."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from ecs_release.domain.ecs.events import Author
from ecs_release.domain.ecs.service import IN_PROGRESS, RUNNING, Access, Look, Service, ServiceKey, Task
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Priority
from ecs_release.domain.verification.health import Health, HealthRules, track
from ecs_release.domain.verification.proof import seen_digests

_TOGETHER_S, _HEARD_S = 0.1, 1.0
"""After an event a look waits a moment for more of them; the next one comes a second later at the earliest."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a service could not be read, and since when (our clock)."""

    problem: Problem
    since: datetime


@dataclass(slots=True)
class Watched:
    """One service under observation."""

    key: ServiceKey
    access: Access
    look: Look | None = None
    health: Health = field(default_factory=Health)
    unread: Unread | None = None
    readable_since: datetime | None = None
    tasks_time: datetime | None = None
    due: float = 0.0
    fast: bool = False
    serial: int = 0
    reading: bool = False
    kept_until: float = 0.0
    heard: bool = False
    heard_at: float = float("-inf")
    authors: tuple[Author, ...] = ()
    added: datetime | None = None
    wants_tasks: bool = False
    reads_tasks: bool = False
    asked: list[asyncio.Future[Look]] = field(default_factory=list)
    answering: list[asyncio.Future[Look]] = field(default_factory=list)

    @property
    def priority(self) -> Priority:
        """Whom the next look is for."""
        if self.asked or self.fast:
            return Priority.ROLLOUT
        return Priority.EVENT if self.heard else Priority.OBSERVATION

    def begin(self, due: float) -> None:
        """Begin a look. It answers only those who asked before: a later question wants to know of a later state."""
        self.reading, self.due, self.heard = True, due, False
        self.reads_tasks, self.wants_tasks = self.wants_tasks, False
        self.answering, self.asked = self.asked, []

    def hear(self, now: float, *, tasks: bool) -> bool:
        """Take in that something has happened, and tell whether a look is more pressing now. Many events at once are one look."""
        self.wants_tasks = self.wants_tasks or tasks
        news, self.heard = not self.heard, True
        if self.heard_at <= now:
            self.heard_at = max(now + _TOGETHER_S, self.heard_at + _HEARD_S)
        # Even where that moment was known: a sweep may have begun a look before it, which does not show what is told now.
        earlier, self.due = self.heard_at < self.due, min(self.due, self.heard_at)
        return news or earlier

    def end(self) -> None:
        """End a look, however it went."""
        self.reading = False
        if self.asked:
            self.due = 0.0

    def known_tasks(self, service: Service, now: datetime, rollout_tasks_s: float) -> tuple[Task, ...] | None:
        """Return the tasks of the last look where nothing about the service has moved since; None where they must be read.

        They are read again, too, where they are not as many as the service says that run: ECS's answers lag one behind the other, and
        nothing would tell when they agree.

        While a rollout goes on they decide nothing before it is done: then they are read every `rollout_tasks_s` seconds, for ListTasks
        has a tight limit (a set of fifty services would use it up).
        """
        before = self.look.service if self.look else None
        if before is None or self.reads_tasks:
            return None
        if _movement(before) == _movement(service) and sum(t.last_status == RUNNING for t in before.tasks) == service.running:
            return before.tasks
        recent = self.tasks_time is not None and (now - self.tasks_time).total_seconds() < rollout_tasks_s
        return before.tasks if recent and _goes_on(service) else None

    def accept(self, service: Service | None, aws_time: datetime, now: datetime, rules: HealthRules) -> bool:
        """Take a look in. Tell whether a Release could care: anything that a decision rests on is another one now."""
        before, before_health, was_unread = self.look, self.health, self.unread
        asked = bool(self.answering)
        self.serial += 1
        self.look = Look(self.key, service, aws_time, now, self.serial)
        self.unread = None
        if was_unread is not None or before is None:
            self.readable_since = now
        if service is not None:
            self.health = track(self.health, service, now, rules)
        self.answer(self.look)
        return (
            before is None
            or was_unread is not None
            or _signature(before.service) != _signature(service)
            or before_health.unhealthy != self.health.unhealthy
            # A stage may have changed, which DescribeServices does not show. Whoever asked for this look takes it in anyway.
            or (self.fast and service is not None and service.has_stages and not asked)
        )

    def refuse(self, problem: Problem, now: datetime) -> bool:
        """Take in that the service could not be read. Tell whether that is news. Whoever wanted its tasks read wants it still."""
        self.wants_tasks = self.wants_tasks or self.reads_tasks
        news = self.unread is None or self.unread.problem != problem
        self.unread = replace(self.unread, problem=problem) if self.unread else Unread(problem, now)
        self.answer(problem)
        return news

    def drop(self, problem: Problem) -> None:
        """Answer all who wait: this service is no longer observed."""
        self.answer(problem)
        self.answering, self.asked = self.asked, []
        self.answer(problem)

    def answer(self, outcome: Look | Problem) -> None:
        """Answer everybody who asked for a fresh look."""
        answering, self.answering = self.answering, []
        for future in answering:
            if future.done():
                continue
            if isinstance(outcome, Problem):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _goes_on(service: Service) -> bool:
    """Tell whether a deployment is under way."""
    primary = service.primary
    return primary is not None and primary.rollout_state == IN_PROGRESS


def _movement(service: Service) -> tuple[object, ...]:
    """What changes whenever tasks come or go: deployments, counts, and the newest of the service's events."""
    return (service.arn, service.deployments, service.desired, service.running, service.pending, service.newest_event)


def _signature(service: Service | None) -> object:
    if service is None:
        return None
    return (
        service.arn,
        service.status,
        service.created_at,
        service.controller,
        service.task_definition,
        service.deployments,
        service.desired,
        service.running,
        service.pending,
        service.failed_deployments,
        seen_digests(service),
    )


def next_moment(environment: str, pace_s: float, now: float) -> float:
    """Return when a service is due next: all of one pace at the same moments, so that they fill batches.

    Each environment has moments of its own, so that they do not all call at once.
    """
    shift = zlib.crc32(environment.encode()) % 1000 / 1000 * pace_s
    # A hundredth of a pace early counts as in time: rounding must not make the same moment due twice.
    return (math.floor((now - shift) / pace_s + 0.01) + 1) * pace_s + shift


def pressing(batch: Iterable[Watched], begun_for: Priority) -> Priority:
    """Return whom looks are for that were begun for some priority: a rollout may have come to wait for one since."""
    return Priority.ROLLOUT if any(w.fast or w.answering for w in batch) else begun_for


def count_unknown(items: Iterable[Watched], access: Access, cluster: str) -> int:
    """Count a cluster's services of which nothing is known yet."""
    return sum(w.look is None and w.key.cluster == cluster and w.access == access for w in items)


def unseen_s(items: Iterable[Watched], now: datetime) -> float:
    """Return the seconds since the look that is oldest; the first looks of all, and those after a failure, have their own pace."""
    return max(((now - w.look.seen_time).total_seconds() for w in items if w.look is not None and w.unread is None), default=0.0)


def batches(items: Iterable[Watched], size: int, most: int) -> list[list[Watched]]:
    """Group services by cluster and account into at most `most` batches of at most `size`, in the order of the first one of each.

    What events tell of has batches of its own: its tasks are read, too, and neither a rollout nor a sweep should wait for that.
    """
    found: list[list[Watched]] = []
    filling: dict[tuple[Access, str, bool], list[Watched]] = {}
    full = 0
    for item in items:
        if full == most:
            break
        group = (item.access, item.key.cluster, item.priority == Priority.EVENT)
        batch = filling.get(group)
        if batch is None or len(batch) == size:
            if len(found) == most:
                continue
            batch = filling[group] = []
            found.append(batch)
        batch.append(item)
        full += len(batch) == size
    return found
