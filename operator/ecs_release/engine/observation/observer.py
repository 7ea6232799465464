"""One loop for each Environment: it reads the ECS services in batches, as often as each needs it, and reports what changed.

During a rollout a service is read every few seconds, otherwise at the Environment's interval. A pass that needs the current state asks
for a fresh look; concurrent requests share a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from ecs_release.domain.ecs.events import Author, Instruction
from ecs_release.domain.ecs.service import Access, Look, Service, ServiceKey, Task
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.model.halving import may_be_of_one, read_by_halves
from ecs_release.domain.ports.protocols import Aws, Clock, Priority
from ecs_release.engine.observation.family_index import FamilyIndex
from ecs_release.engine.observation.freshness import all_read_since, oldest_look
from ecs_release.engine.observation.look_schedule import AT_ONCE, LookSchedule
from ecs_release.engine.observation.observed_service import (
    ObservedService,
    ReadFailure,
    count_never_seen,
    current_priority,
    longest_unseen_s,
    next_due_s,
)
from ecs_release.engine.observation.role_check import RoleCheck
from ecs_release.engine.observation.task_reader import TaskReader
from ecs_release.engine.runtime.settings import EngineSettings

log = logging.getLogger(__name__)

_OBSERVED_S = 300.0
_AUTHORS = 3
_INSTRUCTIONS = 20
"""A deployment may wait at as many hooks as it has steps, and CloudTrail reports in no order."""


class Observer:
    """Observes the services of one Environment."""

    def __init__(
        self,
        environment: str,
        aws: Aws,
        clock: Clock,
        settings: EngineSettings,
        *,
        changed: Callable[[ServiceKey], None],
        swept: Callable[[Observer], None],
        told_time: Callable[[datetime, float], None] = lambda _aws_time, _elapsed_s: None,
        swept_before: datetime | None = None,
    ) -> None:
        """`changed` is called with each service that changed in a way that decisions depend on; `swept` after each full sweep.

        `told_time` is called with AWS's time in each response, and with how many seconds that took; it may correct the clock.
        `swept_before` is the Environment's lastSweepTime as the process before has left it.
        """
        self.environment = environment
        self.interval_s = 60.0
        self.role_check = RoleCheck(environment, aws, clock, settings.look_timeout_s)
        self.swept_once = False
        self.sweep_s = self._longest_s = 0.0
        self._aws = aws
        self._tasks = TaskReader(aws, clock)
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._swept = swept
        self._told_time = told_time
        self._services: dict[ServiceKey, ObservedService] = {}
        self._schedule = LookSchedule(self._services)
        self._families = FamilyIndex()
        self._wake = asyncio.Event()
        self._under_way = 0
        self._sweep_due = 0.0
        self._swept_before = swept_before
        self._has_read = False

    def set_targets(self, access: Access, targets: Mapping[ServiceKey, Access]) -> None:
        """Set which services are observed. New services are read at once; what is known of the others stays."""
        if self.role_check.use(access):
            self._sweep_due = 0.0
            self._wake.set()
        now = self._clock.monotonic()
        # A ReleaseSet asks about services that no Release claims yet: their looks are useful when those Releases are created.
        for key in [k for k in self._services.keys() - targets.keys() if self._services[k].observed_until <= now]:
            self._families.put(key, None)
            self._schedule.forget(key)
            self._services.pop(key).drop(Retryable(f"ECS service {key} is no longer observed"))
        for key, its_access in targets.items():
            known = self._services.get(key)
            if known is None:
                self._begin_observing(key, its_access)
            elif known.access != its_access:
                known.access, known.due = its_access, 0.0
                self._reschedule(known)

    def observe_also(self, key: ServiceKey, access: Access) -> None:
        """Observe one more service, for five minutes at least."""
        if key not in self._services:
            self._begin_observing(key, access)
        self._services[key].observed_until = self._clock.monotonic() + _OBSERVED_S

    def _begin_observing(self, key: ServiceKey, access: Access) -> None:
        self._services[key] = ObservedService(key, access, added=self._clock.now())
        self._reschedule(self._services[key])

    def _reschedule(self, observed: ObservedService) -> None:
        self._schedule.note(observed)
        self._wake.set()

    def set_fast(self, key: ServiceKey, *, fast: bool) -> None:
        """Read a service every few seconds from now on, or at the normal interval again."""
        observed = self._services.get(key)
        if observed is not None and observed.fast != fast:
            observed.fast = fast
            observed.due = min(observed.due, self._next_due(observed))
            self._reschedule(observed)

    def event_received(self, key: ServiceKey, *, tasks: bool, author: Author | None, instruction: Instruction | None = None) -> None:
        """Read a service soon, because of an event about it (with `tasks`: about its tasks)."""
        observed = self._services.get(key)
        if observed is None:
            return
        if observed.note_event(self._clock.monotonic(), tasks=tasks):
            self._reschedule(observed)
        if author is not None:
            observed.authors = (author, *observed.authors)[:_AUTHORS]
        if instruction is not None:
            observed.instructions = (instruction, *observed.instructions)[:_INSTRUCTIONS]
        if author is not None or instruction is not None:
            self._changed(key)

    @property
    def services(self) -> Collection[ServiceKey]:
        """The services that are observed."""
        return self._services.keys()

    def services_running(self, family: str) -> list[ServiceKey]:
        """List the services that run a revision of a family."""
        return self._families.services(family)

    def observed(self, key: ServiceKey) -> ObservedService | None:
        """Return the state of an observed service; None if it is not observed."""
        return self._services.get(key)

    @property
    def unread(self) -> list[ReadFailure]:
        """The current read failures of services."""
        return [w.unread for w in self._services.values() if w.unread is not None]

    async def look(self, key: ServiceKey, *, tasks: bool = False) -> Look:
        """Read a service now, in one batch with concurrent requests; with `tasks` also its tasks, even if nothing has changed.

        Raises Problem if it cannot be read.
        """
        observed = self._services.get(key)
        if observed is None:
            raise Retryable(f"ECS service {key} is not observed yet")
        future: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        if observed.reading and observed.look is None:
            # The very first look is under way: nothing was known before, so that another look would show no more.
            observed.answering.append(future)
        else:
            observed.waiting.append(future)
            observed.needs_tasks = observed.needs_tasks or tasks
            observed.due = 0.0 if not observed.reading else observed.due
        self._reschedule(observed)
        try:
            return await asyncio.wait_for(future, self._settings.look_timeout_s)
        except TimeoutError:
            raise Retryable(f"no answer about ECS service {key} within {self._settings.look_timeout_s:.0f} s") from None

    @property
    def observed_since(self) -> datetime | None:
        """The time of the oldest look, failing services included; None before the first sweep, and now if there are no services."""
        if not self.swept_once:
            return None
        return self.unread_since(oldest_look(self._services.values())) if self._services else self._clock.now()

    def unread_since(self, failed: datetime | None) -> datetime | None:
        """Return since when services are not read, if they were not since `failed` by this process.

        One that has read nothing at all goes on from the last sweep of the process before (law 18). That says nothing of a single service
        that cannot be read beside others.
        """
        if failed is None or self._has_read or self._swept_before is None:
            return failed
        return min(failed, self._swept_before)

    @property
    def last_sweep_time(self) -> datetime | None:
        """Every service that can be read was read by this process then or later; None if that is not so yet."""
        if not self.swept_once:
            return None
        return all_read_since(self._services.values()) if self._services else self._clock.now()

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                if self._clock.monotonic() >= self._sweep_due:
                    self._sweep_due = self._clock.monotonic() + self.interval_s
                    group.create_task(self._report_sweep())
                for batch in self._schedule.due_batches(self._clock.monotonic(), self._under_way):
                    priority = batch[0].priority
                    if self._under_way >= AT_ONCE[priority]:
                        break
                    self._under_way += 1
                    for observed in batch:
                        observed.begin_look(self._next_due(observed))
                        self._schedule.note(observed)
                    group.create_task(self._read(batch, priority))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next()):
                        await self._wake.wait()

    async def _read(self, batch: list[ObservedService], priority: Priority) -> None:
        try:
            with self._failures_recorded(batch):
                await self._read_batch(batch, priority)
        finally:
            self._under_way -= 1
            for observed in batch:
                observed.end_look()
                self._schedule.note(observed)
            self._wake.set()

    async def _report_sweep(self) -> None:
        # Only answered looks count: hanging calls are not a matter of pacing, and the condition Observed reports them.
        self.sweep_s, self._longest_s = self._longest_s, 0.0
        await self.role_check.check()
        self.swept_once = True
        self._swept(self)

    def _next_due(self, observed: ObservedService) -> float:
        return next_due_s(self.environment, self._pace(observed), self._clock.monotonic())

    def _pace(self, observed: ObservedService) -> float:
        return min(self.interval_s, self._settings.rollout_interval_s) if observed.fast else self.interval_s

    def _until_next(self) -> float:
        """Return the seconds until the next service is due; the end of a batch wakes the loop earlier."""
        return max(0.01, min(self._schedule.next_due(self._under_way), self._sweep_due) - self._clock.monotonic())

    async def _read_batch(self, batch: list[ObservedService], priority: Priority) -> None:
        async def describe(part: Sequence[ObservedService]) -> None:
            await self._describe(list(part), priority)

        await read_by_halves(batch, describe, self._record_failure, lambda p: may_be_of_one(p) and self.role_check.problem is None)

    async def _describe(self, batch: list[ObservedService], priority: Priority) -> None:
        """Read services and store them: at once if their tasks are known, else after their tasks were read."""
        ecs, cluster, began = self._aws.ecs(batch[0].access), batch[0].key.cluster, self._clock.monotonic()
        answer = await ecs.describe_services(cluster, [w.key.service for w in batch], priority=current_priority(batch, priority))
        elapsed_s = self._clock.monotonic() - began
        self._told_time(answer.aws_time, elapsed_s)
        now = self._clock.now()
        asked = now - timedelta(seconds=elapsed_s)
        known: list[tuple[ObservedService, Service | None]] = []
        moved: list[tuple[ObservedService, Service]] = []
        for observed in batch:
            if observed.key.service in answer.unread:
                self._record_failure([observed], answer.unread[observed.key.service])
                continue
            service = answer.services.get(observed.key.service)
            tasks = self._known_tasks(observed, service, now) if service else ()
            if service is not None and tasks is None:
                moved.append((observed, service))
            else:
                known.append((observed, replace(service, tasks=tasks) if service and tasks else service))
        self._accept(known, answer.aws_time, asked)
        if moved:
            with self._failures_recorded([observed for observed, _ in moved]):
                await self._read_tasks(moved, answer.aws_time, asked, priority)

    def _known_tasks(self, observed: ObservedService, service: Service, now: datetime) -> tuple[Task, ...] | None:
        return observed.known_tasks(service, now, self._settings.rollout_tasks_interval_s, self._settings.visible_s)

    async def _read_tasks(
        self, moved: list[tuple[ObservedService, Service]], aws_time: datetime, asked: datetime, priority: Priority
    ) -> None:
        """Read the tasks of services and store both. Only services whose tasks cannot be read get a read failure."""
        batch, now = [observed for observed, _ in moved], self._clock.now()
        access, cluster = batch[0].access, batch[0].key.cluster
        first = {w.key.service for w in batch if w.look is None and not w.reads_tasks}
        unknown = partial(count_never_seen, self._services.values(), access, cluster)
        services = [service for _, service in moved]
        tasks_of = await self._tasks.read(
            access, cluster, services, first=first, unknown=unknown, priority=current_priority(batch, priority)
        )
        seen: list[tuple[ObservedService, Service | None]] = []
        for observed, service in moved:
            tasks = tasks_of[service.name]
            if isinstance(tasks, Problem):
                self._record_failure([observed], tasks)
            else:
                observed.tasks_time = now
                seen.append((observed, replace(service, tasks=tasks)))
        self._accept(seen, aws_time, asked)

    def _accept(self, seen: list[tuple[ObservedService, Service | None]], aws_time: datetime, asked: datetime) -> None:
        now, self._has_read = self._clock.now(), self._has_read or bool(seen)
        self._longest_s = max(self._longest_s, longest_unseen_s((observed for observed, _ in seen), now))
        for observed, service in seen:
            if observed.key in self._services:
                self._families.put(observed.key, service)
            if observed.record_look(service, aws_time, asked, now):
                self._changed(observed.key)

    @contextlib.contextmanager
    def _failures_recorded(self, batch: list[ObservedService]) -> Iterator[None]:
        """Record a failure of these services if the observer itself fails."""
        try:
            yield
        except Exception as error:
            log.exception("observing %d services of environment %s failed", len(batch), self.environment)
            self._record_failure(batch, Retryable(f"observation failed: {type(error).__name__}: {error}"))

    def _record_failure(self, batch: Sequence[ObservedService], problem: Problem) -> None:
        for observed in batch:
            if observed.record_failure(problem, self._clock.now()):
                level = logging.WARNING if isinstance(problem, Denied) else logging.INFO
                log.log(level, "cannot read ECS service %s: %s", observed.key, problem.message)
            self._changed(observed.key)
