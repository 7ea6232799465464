"""Runs the watch in a thread until it is stopped, or until kopf gives up (then the supervisor restarts it).

kopf gets a thread and an event loop of its own: when it ends it cancels all tasks of its loop that began after it, which would be our
passes and observers, and its work never delays them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

import kopf

from ecs_release.handlers.event_handlers import WATCHED, Sink, build_registry
from ecs_release.handlers.login import CredentialsSource, register_login
from ecs_release.handlers.settings import operator_settings

log = logging.getLogger(__name__)

_STOP_S = 15.0
_END_S = 10.0
_WAITING, _AT_ONCE = 300, 50


async def run_watch(
    sink: Sink,
    credentials: CredentialsSource,
    stop: asyncio.Event,
    *,
    kinds: Iterable[str] = WATCHED,
    namespaces: Sequence[str] = (),
    settings: kopf.OperatorSettings | None = None,
) -> None:
    """Watch the kinds until `stop` is set, in these namespaces, else in all. `sink` and `credentials` are called in the caller's loop.

    Raises what kopf raises when a watch breaks for good. `sink` is not called after the end; kopf gets 15 seconds to close its
    connections, then its thread is abandoned (it does not keep the process alive).
    """
    bridge = _Bridge(sink, asyncio.get_running_loop())
    registry = build_registry(bridge, kinds)
    register_login(registry, credentials, asyncio.get_running_loop())
    thread = _WatchThread(registry, settings or operator_settings(), namespaces)
    thread.start()
    ended: asyncio.Future[Any] = asyncio.wrap_future(thread.ended)
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        bridge.close()
        thread.stop()
        _, late = await asyncio.wait([ended], timeout=_STOP_S)
        if late:
            log.warning("the watch did not end within %.0f s: its thread is left behind", _STOP_S)
            ended.cancel()
        elif (error := ended.exception()) is not None:
            log.debug("the watch ended: %s: %s", type(error).__name__, error)
    # kopf may raise if it is stopped while it starts: ignore that.
    if not stop.is_set():
        ended.result()


class _WatchThread(threading.Thread):
    """A thread with an event loop that runs kopf. A daemon thread: it must not keep the process alive."""

    def __init__(self, registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, namespaces: Sequence[str]) -> None:
        super().__init__(name="watch", daemon=True)
        self._registry = registry
        self._settings = settings
        self._namespaces = namespaces
        self._stop: Future[Callable[[], object]] = Future()
        self.ended: Future[None] = Future()

    def run(self) -> None:
        """Run kopf until it ends, and set the result."""
        try:
            asyncio.run(self._operate())
        except BaseException as error:  # noqa: BLE001 - passed to the waiting side, which raises it
            end = partial(self.ended.set_exception, error if isinstance(error, Exception) else RuntimeError(f"the watch ended: {error!r}"))
        else:
            end = partial(self.ended.set_result, None)
        # Nobody waits any more if the thread was abandoned.
        with suppress(InvalidStateError):
            end()

    def stop(self) -> None:
        """Stop kopf; at once if it has not started yet."""
        self._stop.add_done_callback(_call)

    async def _operate(self) -> None:
        flag, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.set_exception_handler(_log_exception)
        # An event of asyncio, not of threading: kopf would wait for the latter in a thread that never ends.
        self._stop.set_result(partial(loop.call_soon_threadsafe, flag.set))
        before = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=self._registry, settings=self._settings, standalone=True, stop_flag=flag,
            clusterwide=not self._namespaces, namespaces=self._namespaces,
        )  # fmt: skip
        running = asyncio.create_task(kopf.run_tasks(tasks, ignored=before))
        await asyncio.wait([*tasks, running], return_when=asyncio.FIRST_COMPLETED)
        # kopf waits for its other tasks without a limit, and a stuck task would leave no watch (seen when the API server came
        # back without our CRDs): then fail, and abandon this thread.
        _, late = await asyncio.wait([running], timeout=_END_S)
        if late:
            self._give_up(tasks)
        running.result()

    def _give_up(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Fail because kopf hangs, with the error that it ended with."""
        errors = [e for t in tasks if t.done() and not t.cancelled() and (e := t.exception()) is not None]
        error = RuntimeError(f"kopf did not end within {_END_S:.0f} s after {errors[0]!r}" if errors else "kopf did not end")
        with suppress(InvalidStateError):
            self.ended.set_exception(error)
        raise error


def _log_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a later error in one line: the error that ended kopf is raised, and those that it caused do not matter."""
    log.debug("in the watch's loop: %s: %r", context.get("message"), context.get("exception"))


def _call(stop: Future[Callable[[], object]]) -> None:
    # The loop may be closed already.
    with suppress(RuntimeError):
        stop.result()()


class _Bridge:
    """Hands events from kopf's loop to the caller's loop, in order.

    Events are handed over in batches: waiting for the other thread for each of thousands of listed objects costs more than all the rest.
    When a few hundred are pending, the watch is paused.
    """

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._loop = loop
        self._closed = False
        self._lock = threading.Lock()
        self._pending: deque[partial[None]] = deque()
        self._taking_in = False
        self._room: Future[None] = Future()

    def close(self) -> None:
        """Drop all further events: the next watch lists their objects again."""
        self._closed = True
        self._make_room()

    async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        await self._hand_over(partial(self._sink.changed, kind, body))

    async def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object."""
        await self._hand_over(partial(self._sink.deleted, kind, namespace, name, uid))

    async def _hand_over(self, call: partial[None]) -> None:
        with self._lock:
            self._pending.append(call)
            begins, self._taking_in = not self._taking_in, True
            room = self._room if len(self._pending) >= _WAITING else None
        if begins:
            self._loop.call_soon_threadsafe(self._take_in)
        if room is not None and not self._closed:
            await asyncio.wrap_future(room)

    def _take_in(self) -> None:
        """Deliver pending events, in parts, so that passes and looks run in between."""
        for _ in range(_AT_ONCE):
            with self._lock:
                if not self._pending:
                    self._taking_in = False
                    break
                call = self._pending.popleft()
            if not self._closed:
                _deliver(call)
        else:
            self._loop.call_soon(self._take_in)
        self._make_room()

    def _make_room(self) -> None:
        with self._lock:
            if len(self._pending) >= _WAITING and not self._closed:
                return
            room, self._room = self._room, Future()
        # False if kopf is ending and no longer waits.
        if room.set_running_or_notify_cancel():
            room.set_result(None)


def _deliver(call: partial[None]) -> None:
    try:
        call()
    except Exception:
        kind, what = call.args[:2]
        name = "/".join(str(what["metadata"].get(n, "")) for n in ("namespace", "name")) if isinstance(what, Mapping) else call.args[2]
        log.exception("cannot take in %s %s", kind, name)
