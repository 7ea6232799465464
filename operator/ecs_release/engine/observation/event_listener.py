"""Receives EventBridge's events from the SQS queues that Environments name, one loop for each queue.

A message is deleted after it was handled: events only make looks due sooner, and polling finds what was missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ecs_release.api.environment import Environment
from ecs_release.domain.ecs.events import MALFORMED, UNKNOWN, AwsEvent, parse_event
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, Clock, Message
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0


@dataclass(slots=True)
class QueueReader:
    """One queue. `messages` counts by kind; `problem` is why the queue cannot be read.

    `oldest_age_s` is how long the oldest of the last messages had waited; None if that is unknown: before the first answer, and while the
    queue cannot be read.
    """

    url: str
    access: Access
    messages: Counter[str] = field(default_factory=Counter)
    oldest_age_s: float | None = None
    problem: Problem | None = None
    task: asyncio.Task[None] | None = None


def environments_of_other_shards(store: Store, settings: EngineSettings, url: str) -> list[str]:
    """List the Environments of other shards that name the same queue: a random one of their operators gets and deletes each message."""
    found = [e for e in store.environments.values() if isinstance(e, Environment) and e.spec.observation.event_queue_url == url]
    return sorted(e.metadata.name for e in found if settings.shards.of(e.spec.aws.account_id, e.spec.aws.region) != settings.shard)


class EventListener:
    """Reads all queues that Environments name. Several Environments may name the same queue."""

    def __init__(self, aws: Aws, clock: Clock, received: Callable[[AwsEvent, str], None], problem_changed: Callable[[str], None]) -> None:
        """`received` is called with each event and its queue's URL; `problem_changed` with the URL of a queue that fails or recovers."""
        self._aws = aws
        self._clock = clock
        self._received = received
        self._problem_changed = problem_changed
        self._readers: dict[tuple[str, Access], QueueReader] = {}

    def set_queues(self, queues: Mapping[str, Access]) -> None:
        """Read these queues (by URL) and no others."""
        wanted = set(queues.items())
        for key in self._readers.keys() - wanted:
            task = self._readers.pop(key).task
            if task is not None:
                task.cancel()
        for key in wanted - self._readers.keys():
            reader = self._readers[key] = QueueReader(*key)
            reader.task = asyncio.create_task(self._listen(reader), name=f"reader {reader.url}")

    def problem(self, url: str) -> Problem | None:
        """Return why a queue cannot be read; None if it can, or if it is not read at all."""
        return next((x.problem for x in self._readers.values() if x.url == url), None)

    @property
    def readers(self) -> tuple[QueueReader, ...]:
        """All readers, for metrics."""
        return tuple(self._readers.values())

    def by_environment(self, store: Store) -> dict[str, QueueReader]:
        """Return the readers by the Environments that name their queues, for metrics."""
        named = {name: e.spec.observation.event_queue_url for name, e in store.environments.items() if isinstance(e, Environment)}
        readers = {reader.url: reader for reader in self._readers.values()}
        return {name: readers[url] for name, url in named.items() if url in readers}

    async def _listen(self, reader: QueueReader) -> None:
        queue, pause = self._aws.event_queue(reader.access, reader.url), _FIRST_PAUSE_S
        while True:
            try:
                messages = await queue.receive()
                self._handle(reader, messages)
                if messages:
                    await queue.delete(messages)
                self._set_problem(reader, None)
                pause = _FIRST_PAUSE_S
            except Problem as problem:
                self._set_problem(reader, problem)
                await asyncio.sleep(pause)
                pause = min(_LAST_PAUSE_S, 2 * pause)
            except Exception:
                reader.oldest_age_s = None
                log.exception("listening to %s failed; it goes on", reader.url)
                await asyncio.sleep(_LAST_PAUSE_S)

    def _handle(self, reader: QueueReader, messages: list[Message]) -> None:
        now = self._clock.now()
        reader.oldest_age_s = max((max(0.0, (now - m.sent_at).total_seconds()) for m in messages if m.sent_at), default=0.0)
        for message in messages:
            event = parse_event(message.body)
            reader.messages[event.kind] += 1
            if event.kind in (MALFORMED, UNKNOWN):
                if reader.messages[event.kind] == 1:
                    log.warning("a message of %s is %s, and is deleted as all such: %.200s", reader.url, event.kind, message.body)
                continue
            try:
                self._received(event, reader.url)
            except Exception:
                log.exception("cannot take in a message of %s: %.200s", reader.url, message.body)

    def _set_problem(self, reader: QueueReader, problem: Problem | None) -> None:
        if problem is not None:
            # It is unknown what waits now: an old number would look as if all were well.
            reader.oldest_age_s = None
        if problem == reader.problem:
            return
        if problem is not None:
            log.warning("cannot read event queue %s, polling goes on: %s", reader.url, problem.message)
        else:
            log.info("event queue %s can be read again", reader.url)
        reader.problem = problem
        self._problem_changed(reader.url)
