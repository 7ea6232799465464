"""The ledger's part of a service's history: asked once for all viewers, in threads of its own, and kept for a minute.

A page waits for it for a moment only: what comes later has the page loaded anew. It is asked only for those who may
see the service.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ecs_release.api.ledger import LedgerEntry
from ecs_release.board.inventory import Place
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.model.lru import Lru
from ecs_release.pages.attempts import Entry, join_attempts

log = logging.getLogger(__name__)

MOST_ENTRIES = 100
"""An attempt has a start and an end: twice as many as a page shows."""
_KEPT_S, _FAILED_S = 60.0, 15.0
_WAIT_S, _DEADLINE_S = 1.5, 30.0
_PLACES, _THREADS, _UNDER_WAY = 64, 2, 32

SLOW = "The ledger has not answered yet: what is here is of the Release's status, which has the latest ten attempts."
AWAY = "The ledger cannot be read: what it has beyond this is missing."


class LedgerQueries(Protocol):
    """The query that a page needs. It blocks, and raises Problem."""

    def history_of(
        self, environment: str, namespace: str, project: str, service: str, *, limit: int | None = None
    ) -> Iterable[LedgerEntry]:
        """Yield the entries of a service in an environment, latest attempt first."""


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """Attempts as the ledger has them, newest first, and what is to be said of them; empty if nothing is."""

    attempts: tuple[Entry, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    part: LedgerPart
    until: float
    mark: int


class LedgerHistory:
    """Asks the ledger. Close it at the end."""

    def __init__(
        self,
        queries: LedgerQueries,
        on_answer: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
        wait_s: float = _WAIT_S,
    ) -> None:
        """`on_answer` is called when an answer has come that says something new; a page waits `wait_s` for it."""
        self._queries = queries
        self._on_answer = on_answer
        self._monotonic = monotonic
        self._wait_s = wait_s
        self._kept: Lru[Place, _Kept] = Lru(_PLACES)
        self._asking: dict[Place, asyncio.Task[None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._answers = 0

    async def ask(self, place: Place) -> None:
        """Have the ledger asked unless it was lately, and wait a moment for the answer. What is known then says `known`."""
        kept = self._kept.get(place)
        if kept is not None and self._monotonic() < kept.until:
            return
        task = self._asking.get(place)
        if task is None:
            if len(self._asking) >= _UNDER_WAY:
                return
            task = self._asking[place] = asyncio.create_task(self._ask(place), name=f"ledger {place.service}")
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        await asyncio.wait([task], timeout=self._wait_s)

    def known(self, place: Place) -> LedgerPart:
        """Return what is known of a place now."""
        kept = self._kept.get(place)
        return kept.part if kept is not None else LedgerPart(note=SLOW)

    def mark(self, place: Place) -> int:
        """Return a number that is another one after each answer that says something new; 0 without any."""
        kept = self._kept.get(place)
        return kept.mark if kept is not None else 0

    def close(self) -> None:
        """Ask nothing more."""
        for task in self._asking.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, place: Place) -> None:
        """Ask, and keep the answer; after a failure what was known before, for a shorter time."""
        kept_s = _KEPT_S
        try:
            async with asyncio.timeout(_DEADLINE_S):
                found = await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._read, place))
            part = LedgerPart(tuple(join_attempts(found)))
        except (Problem, TimeoutError) as error:
            # Not what AWS says: that names accounts and roles, and is for the log.
            log.warning("the ledger cannot be read: %s", str(error) or "no answer in time")
            part, kept_s = LedgerPart(self.known(place).attempts, AWAY), _FAILED_S
        before = self._kept.get(place)
        is_news = before is None or before.part != part
        self._answers += is_news
        mark = before.mark if before is not None and not is_news else self._answers
        self._kept.put(place, _Kept(part, self._monotonic() + kept_s, mark))
        if is_news:
            self._on_answer()

    def _read(self, place: Place) -> list[LedgerEntry]:
        """Read in a thread. What is of another place, which nobody should have written there, is left out."""
        entries = self._queries.history_of(place.environment, place.namespace, place.project, place.service, limit=MOST_ENTRIES)
        return [e for e in entries if Place(e.namespace, e.project, e.service, e.environment) == place]
