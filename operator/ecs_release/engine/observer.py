"""One loop an environment: it reads the ECS services there in batches, as often as each needs it, and says what changed.

While a rollout is under way a service is looked at every few seconds, otherwise at the environment's interval. A pass that needs
to know now asks for a fresh look; those who ask at the same time share a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from operator import attrgetter

from ecs_release.domain.errors import Denied, Problem, Retryable
from ecs_release.domain.hearing import Author
from ecs_release.domain.observation import Access, Look, Service, ServiceKey
from ecs_release.domain.ports import Aws, Clock, Priority
from ecs_release.engine.freshness import oldest_look
from ecs_release.engine.identity import Identity
from ecs_release.engine.looks import Unread, Watched, batches, unseen_s
from ecs_release.engine.settings import EngineSettings
from ecs_release.engine.tasks import TaskReader

log = logging.getLogger(__name__)

SERVICES_A_CALL = 10
_AT_ONCE = {Priority.OBSERVATION: 4, Priority.EVENT: 5, Priority.ROLLOUT: 6}
"""Up to how many batches may be under way for one more to begin: a sweep that waits for its turns leaves room for what is at once."""
_KEPT_S = 300.0
_AUTHORS = 3


class Observer:
    """Observes the services of one environment."""

    def __init__(
        self,
        environment: str,
        aws: Aws,
        clock: Clock,
        settings: EngineSettings,
        *,
        changed: Callable[[ServiceKey], None],
        swept: Callable[[Observer], None],
    ) -> None:
        """`changed` is called with each service that decisions may care about; `swept` after each full sweep."""
        self.environment = environment
        self.interval_s = 60.0
        self.identity = Identity(environment, aws, clock, settings.look_timeout_s)
        self.swept_once = False
        self.sweep_s = self._longest_s = 0.0
        self._aws = aws
        self._tasks = TaskReader(aws, clock)
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._swept = swept
        self._watched: dict[ServiceKey, Watched] = {}
        self._wake = asyncio.Event()
        self._under_way = 0
        self._sweep_due = 0.0

    def watch(self, access: Access, targets: Mapping[ServiceKey, Access]) -> None:
        """Set what is observed. New services are looked at at once; what is known of the others stays."""
        if self.identity.use(access):
            self._sweep_due = 0.0
            self._wake.set()
        now = self._clock.monotonic()
        # A ReleaseSet asks about services that no Release goes to yet: what was seen of them is of use when theirs is made.
        for key in [k for k in self._watched.keys() - targets.keys() if self._watched[k].kept_until <= now]:
            self._watched.pop(key).drop(Retryable(f"ECS service {key} is no longer observed"))
        for key, its_access in targets.items():
            known = self._watched.get(key)
            if known is None:
                self._watched[key] = Watched(key, its_access, added=self._clock.now())
                self._wake.set()
            elif known.access != its_access:
                known.access, known.due = its_access, 0.0
                self._wake.set()

    def watch_also(self, key: ServiceKey, access: Access) -> None:
        """Observe one more service, for five minutes at least."""
        if key not in self._watched:
            self._watched[key] = Watched(key, access, added=self._clock.now())
            self._wake.set()
        self._watched[key].kept_until = self._clock.monotonic() + _KEPT_S

    def hurry(self, key: ServiceKey, *, fast: bool) -> None:
        """Look at a service every few seconds from now on, or no longer."""
        watched = self._watched.get(key)
        if watched is not None and watched.fast != fast:
            watched.fast = fast
            watched.due = min(watched.due, self._next_due(watched))
            self._wake.set()

    def heard(self, key: ServiceKey, *, tasks: bool, author: Author | None) -> None:
        """Look at a service in a moment: an event says that something has happened there (with `tasks`: to its tasks)."""
        watched = self._watched.get(key)
        if watched is None:
            return
        if watched.hear(self._clock.monotonic(), tasks=tasks):
            self._wake.set()
        if author is not None:
            watched.authors = (author, *watched.authors)[:_AUTHORS]
            self._changed(key)

    @property
    def observed(self) -> Iterable[ServiceKey]:
        """The services that are observed."""
        return self._watched.keys()

    def running_family(self, family: str) -> list[ServiceKey]:
        """List the services that run a revision of a family."""
        seen = ((w.key, w.look.service.task_definition) for w in self._watched.values() if w.look and w.look.service)
        return [key for key, revision in seen if revision.rpartition("/")[2].partition(":")[0] == family]

    def latest(self, key: ServiceKey) -> Watched | None:
        """Return what is known of a service; None where it is not observed."""
        return self._watched.get(key)

    @property
    def unread(self) -> list[Unread]:
        """Why services cannot be read at present."""
        return [w.unread for w in self._watched.values() if w.unread is not None]

    async def look(self, key: ServiceKey, *, tasks: bool = False) -> Look:
        """Look at a service now, together with all others that are asked for; with `tasks` at its tasks, too, though nothing has moved.

        Raises Problem where it cannot be read.
        """
        watched = self._watched.get(key)
        if watched is None:
            raise Retryable(f"ECS service {key} is not observed yet")
        future: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        if watched.reading and watched.look is None:
            # The very first look is under way: nothing was known before it, so that it tells as much as one more would.
            watched.answering.append(future)
        else:
            watched.asked.append(future)
            watched.wants_tasks = watched.wants_tasks or tasks
            watched.due = 0.0 if not watched.reading else watched.due
        self._wake.set()
        try:
            return await asyncio.wait_for(future, self._settings.look_timeout_s)
        except TimeoutError:
            raise Retryable(f"no answer about ECS service {key} within {self._settings.look_timeout_s:.0f} s") from None

    @property
    def observed_since(self) -> datetime | None:
        """The time of the oldest look, of what AWS fails to tell too; None before the first sweep. Now where nothing is watched."""
        if not self.swept_once:
            return None
        return oldest_look(self._watched.values()) if self._watched else self._clock.now()

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                if self._clock.monotonic() >= self._sweep_due:
                    self._sweep_due = self._clock.monotonic() + self.interval_s
                    group.create_task(self._report_sweep())
                for batch in self._due_batches():
                    priority = batch[0].priority
                    if self._under_way >= _AT_ONCE[priority]:
                        break
                    self._under_way += 1
                    for watched in batch:
                        watched.begin(self._next_due(watched))
                    group.create_task(self._read(batch, priority))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next()):
                        await self._wake.wait()

    async def _read(self, batch: list[Watched], priority: Priority) -> None:
        try:
            await self._read_batch(batch, priority)
        finally:
            self._under_way -= 1
            for watched in batch:
                watched.end()
            self._wake.set()

    async def _report_sweep(self) -> None:
        # Of answers only: calls that hang are no matter of pacing, and what they ail is said by the condition Observed.
        self.sweep_s, self._longest_s = self._longest_s, 0.0
        await self.identity.check()
        self.swept_once = True
        self._swept(self)

    def _next_due(self, watched: Watched) -> float:
        """Return when a service is due next: all of one pace at the same moments, so that they fill batches.

        Each environment has moments of its own, so that they do not all call at once.
        """
        pace = self._pace(watched)
        shift = zlib.crc32(self.environment.encode()) % 1000 / 1000 * pace
        # A hundredth of a pace early counts as in time: rounding must not make the same moment due twice.
        return (math.floor((self._clock.monotonic() - shift) / pace + 0.01) + 1) * pace + shift

    def _pace(self, watched: Watched) -> float:
        return min(self.interval_s, self._settings.rollout_interval_s) if watched.fast else self.interval_s

    def _due_batches(self) -> list[list[Watched]]:
        """Form batches of what is due, the most pressing first: a sweep never holds up a rollout, nor what an event tells of."""
        now = self._clock.monotonic()
        due = sorted((w for w in self._idle() if w.due <= now), key=attrgetter("due"))
        # Thousands may be due, of which a handful is pressing: what is done for each of the others is kept to little.
        pressing = sorted((w for w in due if w.heard or w.fast or w.asked), key=lambda w: (w.priority, not w.asked))
        sweep = (w for w in due if not (w.heard or w.fast or w.asked))
        return batches(chain(pressing, sweep), SERVICES_A_CALL, _AT_ONCE[Priority.ROLLOUT] - self._under_way)

    def _idle(self) -> Iterable[Watched]:
        """List those a look at which may begin once it is due."""
        if self._under_way < _AT_ONCE[Priority.OBSERVATION]:
            return (w for w in self._watched.values() if not w.reading)
        pressing = (w for w in self._watched.values() if (w.heard or w.fast or w.asked) and not w.reading)
        return (w for w in pressing if self._under_way < _AT_ONCE[w.priority])

    def _until_next(self) -> float:
        """Return the seconds until something is due; a batch that ends wakes the loop earlier."""
        due = min((w.due for w in self._idle()), default=self._sweep_due)
        return max(0.01, min(due, self._sweep_due) - self._clock.monotonic())

    async def _read_batch(self, batch: list[Watched], priority: Priority) -> None:
        try:
            await self._describe(batch, priority)
        except Problem as problem:
            # One service that may not be read fails the whole call: halve until the culprit stands alone.
            if len(batch) > 1 and not isinstance(problem, Retryable) and self.identity.problem is None:
                middle = len(batch) // 2
                await self._read_batch(batch[:middle], priority)
                await self._read_batch(batch[middle:], priority)
                return
            for watched in batch:
                self._refuse(watched, problem)
        except Exception as error:
            log.exception("observing %d services of environment %s failed", len(batch), self.environment)
            for watched in batch:
                self._refuse(watched, Retryable(f"observation failed: {type(error).__name__}: {error}"))

    async def _describe(self, batch: list[Watched], priority: Priority) -> None:
        first = batch[0]
        ecs = self._aws.ecs(first.access)
        answer = await ecs.describe_services(first.key.cluster, [w.key.service for w in batch], priority=_pressing(batch, priority))
        found = {w.key: answer.services.get(w.key.service) for w in batch}
        with_tasks = await self._with_tasks(batch, found, priority)
        now = self._clock.now()
        self._longest_s = max(self._longest_s, unseen_s(batch, now))
        for watched in batch:
            if watched.accept(with_tasks[watched.key], answer.aws_time, now, self._settings.health):
                self._changed(watched.key)
            change = watched.health.next_change(self._settings.health)
            if change is not None:
                watched.due = min(watched.due, self._clock.monotonic() + max(0.1, (change - now).total_seconds()))

    async def _with_tasks(
        self, batch: list[Watched], found: Mapping[ServiceKey, Service | None], priority: Priority
    ) -> dict[ServiceKey, Service | None]:
        """Add the running tasks to services: read where something moved since the last look, remembered elsewhere."""
        now = self._clock.now()
        services: dict[ServiceKey, Service | None] = {}
        moved: list[ServiceKey] = []
        for watched in batch:
            service = found[watched.key]
            tasks = watched.known_tasks(service, now, self._settings.rollout_tasks_interval_s) if service else ()
            services[watched.key] = replace(service, tasks=tasks) if service and tasks is not None else service
            if tasks is None:
                watched.tasks_time = now
                moved.append(watched.key)
        if moved:
            first = {w.key.service for w in batch if w.look is None and not w.reads_tasks}
            asked = [service for key in moved if (service := services[key]) is not None]
            access, cluster = batch[0].access, batch[0].key.cluster
            unknown = partial(self._unknown, access, cluster)
            tasks_of = await self._tasks.read(access, cluster, asked, first=first, unknown=unknown, priority=_pressing(batch, priority))
            services |= {key: replace(service, tasks=tasks_of[service.name]) for key in moved if (service := services[key]) is not None}
        return services

    def _unknown(self, access: Access, cluster: str) -> int:
        """Count a cluster's services of which nothing is known yet."""
        return sum(w.look is None and w.key.cluster == cluster and w.access == access for w in self._watched.values())

    def _refuse(self, watched: Watched, problem: Problem) -> None:
        if watched.refuse(problem, self._clock.now()):
            level = logging.WARNING if isinstance(problem, Denied) else logging.INFO
            log.log(level, "cannot read ECS service %s: %s", watched.key, problem.message)
        self._changed(watched.key)


def _pressing(batch: list[Watched], begun_for: Priority) -> Priority:
    """Return whom a look is for: a rollout may have come to wait for it since it began."""
    return Priority.ROLLOUT if any(w.fast or w.answering for w in batch) else begun_for
