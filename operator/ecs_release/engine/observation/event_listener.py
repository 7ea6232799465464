"""Listens to the queues of EventBridge's events that Environments name, one loop a queue: what it hears says where to look at once.

Whatever comes is deleted once it was handed on: an event tells where to look, and polling finds what was missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ecs_release.api.environment import Environment
from ecs_release.domain.ecs.events import MALFORMED, UNKNOWN, Heard, hear
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, Clock, Message
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0


@dataclass(slots=True)
class Listener:
    """One queue. `messages` counts by kind; `problem` ails it.

    `oldest_age_s` is how long the oldest of the last ones had waited; None where that is not known: before the first answer, and while the
    queue cannot be read.
    """

    url: str
    access: Access
    messages: Counter[str] = field(default_factory=Counter)
    oldest_age_s: float | None = None
    problem: Problem | None = None
    task: asyncio.Task[None] | None = None


def readers_elsewhere(store: Store, settings: EngineSettings, url: str) -> list[str]:
    """List the Environments of other shards that name a queue, too: whose operator gets a message is chance, and it deletes it."""
    found = [e for e in store.environments.values() if isinstance(e, Environment) and e.spec.observation.event_queue_url == url]
    return sorted(e.metadata.name for e in found if settings.shards.of(e.spec.aws.account_id, e.spec.aws.region) != settings.shard)


class Listening:
    """All queues that Environments name. Several may name the same."""

    def __init__(self, aws: Aws, clock: Clock, heard: Callable[[Heard, str], None], troubled: Callable[[str], None]) -> None:
        """`heard` is called with what a message tells and its queue's URL; `troubled` with that of one that fails, or no longer."""
        self._aws = aws
        self._clock = clock
        self._heard = heard
        self._troubled = troubled
        self._listeners: dict[tuple[str, Access], Listener] = {}

    def keep(self, queues: Mapping[str, Access]) -> None:
        """Listen to these queues (by URL) and to no others."""
        wanted = set(queues.items())
        for key in self._listeners.keys() - wanted:
            task = self._listeners.pop(key).task
            if task is not None:
                task.cancel()
        for key in wanted - self._listeners.keys():
            listener = self._listeners[key] = Listener(*key)
            listener.task = asyncio.create_task(self._listen(listener), name=f"listener {listener.url}")

    def problem(self, url: str) -> Problem | None:
        """Return why a queue cannot be read; None where it can, or nobody listens to it."""
        return next((x.problem for x in self._listeners.values() if x.url == url), None)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All that listen, for metrics."""
        return tuple(self._listeners.values())

    def by_environment(self, store: Store) -> dict[str, Listener]:
        """Return the listeners by the Environments that name their queues, for metrics."""
        named = {name: e.spec.observation.event_queue_url for name, e in store.environments.items() if isinstance(e, Environment)}
        listeners = {listener.url: listener for listener in self._listeners.values()}
        return {name: listeners[url] for name, url in named.items() if url in listeners}

    async def _listen(self, listener: Listener) -> None:
        queue, pause = self._aws.event_queue(listener.access, listener.url), _FIRST_PAUSE_S
        while True:
            try:
                messages = await queue.receive()
                self._take_in(listener, messages)
                if messages:
                    await queue.delete(messages)
                self._ails(listener, None)
                pause = _FIRST_PAUSE_S
            except Problem as problem:
                self._ails(listener, problem)
                await asyncio.sleep(pause)
                pause = min(_LAST_PAUSE_S, 2 * pause)
            except Exception:
                listener.oldest_age_s = None
                log.exception("listening to %s failed; it goes on", listener.url)
                await asyncio.sleep(_LAST_PAUSE_S)

    def _take_in(self, listener: Listener, messages: list[Message]) -> None:
        now = self._clock.now()
        listener.oldest_age_s = max((max(0.0, (now - m.sent_at).total_seconds()) for m in messages if m.sent_at), default=0.0)
        for message in messages:
            heard = hear(message.body)
            listener.messages[heard.kind] += 1
            if heard.kind in (MALFORMED, UNKNOWN):
                if listener.messages[heard.kind] == 1:
                    log.warning("a message of %s is %s, and is deleted as all such: %.200s", listener.url, heard.kind, message.body)
                continue
            try:
                self._heard(heard, listener.url)
            except Exception:
                log.exception("cannot take in a message of %s: %.200s", listener.url, message.body)

    def _ails(self, listener: Listener, problem: Problem | None) -> None:
        if problem is not None:
            # Nobody knows what waits now: a number that stood still would say that all is well.
            listener.oldest_age_s = None
        if problem == listener.problem:
            return
        if problem is not None:
            log.warning("cannot read event queue %s, polling goes on: %s", listener.url, problem.message)
        else:
            log.info("event queue %s can be read again", listener.url)
        listener.problem = problem
        self._troubled(listener.url)
