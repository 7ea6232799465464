"""One loop an environment: it reads the ECS services there in batches, as often as each needs it, and says what changed.

While a rollout is under way a service is looked at every few seconds, otherwise at the environment's interval. A pass that needs
to know now asks for a fresh look; those who ask at the same time share a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from operator import attrgetter

from ecs_release.domain.ecs.events import Author
from ecs_release.domain.ecs.service import Access, Look, Service, ServiceKey
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Aws, Clock, Priority
from ecs_release.engine.observation.freshness import oldest_look
from ecs_release.engine.observation.observed_service import Unread, Watched, batches, count_unknown, next_moment, pressing, unseen_s
from ecs_release.engine.observation.role_check import Identity
from ecs_release.engine.observation.task_reader import TaskReader
from ecs_release.engine.runtime.settings import EngineSettings

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
            with self._failing(batch):
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
        return next_moment(self.environment, self._pace(watched), self._clock.monotonic())

    def _pace(self, watched: Watched) -> float:
        return min(self.interval_s, self._settings.rollout_interval_s) if watched.fast else self.interval_s

    def _due_batches(self) -> list[list[Watched]]:
        """Form batches of what is due, the most pressing first: a sweep never holds up a rollout, nor what an event tells of."""
        now = self._clock.monotonic()
        due = sorted((w for w in self._idle() if w.due <= now), key=attrgetter("due"))
        # Thousands may be due, of which a handful is pressing: what is done for each of the others is kept to little.
        at_once = sorted((w for w in due if w.heard or w.fast or w.asked), key=lambda w: (w.priority, not w.asked))
        sweep = (w for w in due if not (w.heard or w.fast or w.asked))
        return batches(chain(at_once, sweep), SERVICES_A_CALL, _AT_ONCE[Priority.ROLLOUT] - self._under_way)

    def _idle(self) -> Iterable[Watched]:
        """List those a look at which may begin once it is due."""
        if self._under_way < _AT_ONCE[Priority.OBSERVATION]:
            return (w for w in self._watched.values() if not w.reading)
        at_once = (w for w in self._watched.values() if (w.heard or w.fast or w.asked) and not w.reading)
        return (w for w in at_once if self._under_way < _AT_ONCE[w.priority])

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
            self._refuse(batch, problem)

    async def _describe(self, batch: list[Watched], priority: Priority) -> None:
        """Take in services: at once where their tasks are known, else once they are read."""
        ecs, cluster = self._aws.ecs(batch[0].access), batch[0].key.cluster
        answer = await ecs.describe_services(cluster, [w.key.service for w in batch], priority=pressing(batch, priority))
        now = self._clock.now()
        known: list[tuple[Watched, Service | None]] = []
        moved: list[tuple[Watched, Service]] = []
        for watched in batch:
            service = answer.services.get(watched.key.service)
            tasks = watched.known_tasks(service, now, self._settings.rollout_tasks_interval_s) if service else ()
            if service is not None and tasks is None:
                moved.append((watched, service))
            else:
                known.append((watched, replace(service, tasks=tasks) if service and tasks else service))
        self._accept(known, answer.aws_time)
        if moved:
            with self._failing([watched for watched, _ in moved]):
                await self._read_tasks(moved, answer.aws_time, priority)

    async def _read_tasks(self, moved: list[tuple[Watched, Service]], aws_time: datetime, priority: Priority) -> None:
        """Take in services with their tasks. Those whose tasks cannot be read are unread, and they alone."""
        batch, now = [watched for watched, _ in moved], self._clock.now()
        access, cluster = batch[0].access, batch[0].key.cluster
        first = {w.key.service for w in batch if w.look is None and not w.reads_tasks}
        unknown = partial(count_unknown, self._watched.values(), access, cluster)
        services = [service for _, service in moved]
        tasks_of = await self._tasks.read(access, cluster, services, first=first, unknown=unknown, priority=pressing(batch, priority))
        seen: list[tuple[Watched, Service | None]] = []
        for watched, service in moved:
            tasks = tasks_of[service.name]
            if isinstance(tasks, Problem):
                self._refuse([watched], tasks)
            else:
                watched.tasks_time = now
                seen.append((watched, replace(service, tasks=tasks)))
        self._accept(seen, aws_time)

    def _accept(self, seen: list[tuple[Watched, Service | None]], aws_time: datetime) -> None:
        now = self._clock.now()
        self._longest_s = max(self._longest_s, unseen_s((watched for watched, _ in seen), now))
        for watched, service in seen:
            if watched.accept(service, aws_time, now, self._settings.health):
                self._changed(watched.key)
            change = watched.health.next_change(self._settings.health)
            if change is not None:
                watched.due = min(watched.due, self._clock.monotonic() + max(0.1, (change - now).total_seconds()))

    @contextlib.contextmanager
    def _failing(self, batch: list[Watched]) -> Iterator[None]:
        """Refuse services where the observer itself fails."""
        try:
            yield
        except Exception as error:
            log.exception("observing %d services of environment %s failed", len(batch), self.environment)
            self._refuse(batch, Retryable(f"observation failed: {type(error).__name__}: {error}"))

    def _refuse(self, batch: list[Watched], problem: Problem) -> None:
        for watched in batch:
            if watched.refuse(problem, self._clock.now()):
                level = logging.WARNING if isinstance(problem, Denied) else logging.INFO
                log.log(level, "cannot read ECS service %s: %s", watched.key, problem.message)
            self._changed(watched.key)
