"""What an observer keeps of each service: the last look, and since when it could not be read."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ecs_release.domain.ecs.events import Author, Instruction
from ecs_release.domain.ecs.service import IN_PROGRESS, RUNNING, Access, Look, Outage, Service, ServiceKey, Task
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Priority
from ecs_release.domain.verification.proof import seen_digests

_EVENT_DELAY_S, _EVENT_INTERVAL_S = 0.1, 1.0
"""After an event a look is delayed for more events to arrive; looks for events are at least a second apart."""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """Why a service cannot be read, and since when (our clock)."""

    problem: Problem
    since: datetime


@dataclass(slots=True)
class ObservedService:
    """One service under observation."""

    key: ServiceKey
    access: Access
    look: Look | None = None
    unread: ReadFailure | None = None
    outage: Outage | None = None
    """The latest time in which it could not be read, once it can be again."""
    tasks_time: datetime | None = None
    moved_time: datetime | None = None
    """When a look last showed other deployments, counts or events than the one before it."""
    due: float = 0.0
    fast: bool = False
    serial: int = 0
    reading: bool = False
    observed_until: float = 0.0
    has_event: bool = False
    event_look_at: float = float("-inf")
    authors: tuple[Author, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    added: datetime | None = None
    needs_tasks: bool = False
    reads_tasks: bool = False
    waiting: list[asyncio.Future[Look]] = field(default_factory=list)
    answering: list[asyncio.Future[Look]] = field(default_factory=list)

    @property
    def priority(self) -> Priority:
        """The priority of the next look."""
        if self.waiting or self.fast:
            return Priority.ROLLOUT
        return Priority.EVENT if self.has_event else Priority.OBSERVATION

    @property
    def is_urgent(self) -> bool:
        """Whether its next look is more than one of a sweep."""
        return bool(self.has_event or self.fast or self.waiting)

    def begin_look(self, due: float) -> None:
        """Begin a look. It answers only callers that asked before: a later caller needs a later state."""
        self.reading, self.due, self.has_event = True, due, False
        self.reads_tasks, self.needs_tasks = self.needs_tasks, False
        self.answering, self.waiting = self.waiting, []

    def note_event(self, now: float, *, tasks: bool) -> bool:
        """Note an event, and return whether the next look is due earlier or has a higher priority now. Events in a burst cause one look."""
        self.needs_tasks = self.needs_tasks or tasks
        news, self.has_event = not self.has_event, True
        if self.event_look_at <= now:
            self.event_look_at = max(now + _EVENT_DELAY_S, self.event_look_at + _EVENT_INTERVAL_S)
        # Even if that time was set already: a sweep may have begun a look before it, which does not show what this event is about.
        earlier, self.due = self.event_look_at < self.due, min(self.due, self.event_look_at)
        return news or earlier

    def end_look(self) -> None:
        """End a look, successful or not."""
        self.reading = False
        if self.waiting:
            self.due = 0.0

    def known_tasks(self, service: Service, now: datetime, rollout_tasks_s: float, lag_s: float) -> tuple[Task, ...] | None:
        """Return the tasks of the last look if nothing in the service has changed since; None if they must be read.

        ECS's answers are not consistent with each other, and no event says when they are: a list of tasks may be older than the counts,
        by up to `lag_s` seconds. So tasks are read again if they do not fit the counts of the deployments, and once more when that time
        has passed since the service last changed.

        While an attempt of ours rolls out, tasks decide nothing before it is completed: they are read every `rollout_tasks_s` seconds only,
        because ListTasks has a low rate limit (a set of fifty services would use it up).
        """
        before = self.look.service if self.look else None
        if before is None or self.reads_tasks:
            return None
        if _movement(before) != _movement(service):
            self.moved_time = now
        elif _fits(service, before.tasks) and not self._may_lag(now, timedelta(seconds=lag_s)):
            return before.tasks
        recent = self.tasks_time is not None and (now - self.tasks_time).total_seconds() < rollout_tasks_s
        return before.tasks if recent and self.fast and _goes_on(service) else None

    def _may_lag(self, now: datetime, lag: timedelta) -> bool:
        """Return whether the tasks were read so soon after a change that they may be older than it, and would not be now."""
        moved, read = self.moved_time, self.tasks_time
        return moved is not None and read is not None and read < moved + lag <= now

    def record_look(self, service: Service | None, aws_time: datetime, asked: datetime, now: datetime) -> bool:
        """Store a look that was begun at `asked`. Return whether anything changed that a decision depends on."""
        before, was_unread = self.look, self.unread
        is_awaited = bool(self.answering)
        self.serial += 1
        self.look = Look(self.key, service, aws_time, now, self.serial, asked)
        self.unread = None
        if was_unread is not None:
            self.outage = Outage(was_unread.since, now)
        self.answer(self.look)
        return (
            before is None
            or was_unread is not None
            or _signature(before.service) != _signature(service)
            # A stage may have changed, which DescribeServices does not show. A pass that asked for this look is under way anyway.
            or (self.fast and service is not None and service.has_stages and not is_awaited)
        )

    def record_failure(self, problem: Problem, now: datetime) -> bool:
        """Store that the service could not be read. Return whether the problem is new. A request to read its tasks stays."""
        self.needs_tasks = self.needs_tasks or self.reads_tasks
        news = self.unread is None or self.unread.problem != problem
        self.unread = replace(self.unread, problem=problem) if self.unread else ReadFailure(problem, now)
        self.answer(problem)
        return news

    def drop(self, problem: Problem) -> None:
        """Answer all waiting callers: this service is no longer observed."""
        self.answer(problem)
        self.answering, self.waiting = self.waiting, []
        self.answer(problem)

    def answer(self, outcome: Look | Problem) -> None:
        """Answer all callers that asked for a fresh look."""
        answering, self.answering = self.answering, []
        for future in answering:
            if future.done():
                continue
            if isinstance(outcome, Problem):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _goes_on(service: Service) -> bool:
    """Return whether a deployment is under way."""
    primary = service.primary
    return primary is not None and primary.rollout_state == IN_PROGRESS


def _fits(service: Service, tasks: Sequence[Task]) -> bool:
    """Return whether tasks are as many as the service counts, in all and for each deployment."""
    running = [t for t in tasks if t.last_status == RUNNING]
    return len(running) == service.running and all(sum(t.is_of(d) for t in running) == d.running for d in service.deployments)


def _movement(service: Service) -> tuple[object, ...]:
    """Return what changes whenever tasks start or stop: deployments, counts, and the newest of the service's events."""
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


def next_due_s(environment: str, pace_s: float, now: float) -> float:
    """Return when a service is due next: all services with the same interval are due at the same times, so that they fill batches.

    Each Environment has an offset of its own, so that they do not all call at once.
    """
    shift = zlib.crc32(environment.encode()) % 1000 / 1000 * pace_s
    # A hundredth of an interval early counts as in time: rounding must not make the same time due twice.
    return (math.floor((now - shift) / pace_s + 0.01) + 1) * pace_s + shift


def current_priority(batch: Iterable[ObservedService], begun_for: Priority) -> Priority:
    """Return the current priority of looks that were begun with some priority: a rollout may wait for one of them by now."""
    return Priority.ROLLOUT if any(w.fast or w.answering for w in batch) else begun_for


def count_never_seen(items: Iterable[ObservedService], access: Access, cluster: str) -> int:
    """Count a cluster's services that were never read."""
    return sum(w.look is None and w.key.cluster == cluster and w.access == access for w in items)


def longest_unseen_s(items: Iterable[ObservedService], now: datetime) -> float:
    """Return the seconds since the oldest look. Services that were never read, or that cannot be read at present, do not count."""
    return max(((now - w.look.seen_time).total_seconds() for w in items if w.look is not None and w.unread is None), default=0.0)


def batches(items: Iterable[ObservedService], size: int, most: int) -> list[list[ObservedService]]:
    """Group services by cluster and account into at most `most` batches of at most `size`, in the order of the first one of each.

    Services with an event have batches of their own: their tasks are read, too, and neither a rollout nor a sweep should wait for that.
    """
    found: list[list[ObservedService]] = []
    filling: dict[tuple[Access, str, bool], list[ObservedService]] = {}
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
