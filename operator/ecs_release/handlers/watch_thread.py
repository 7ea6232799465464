"""Runs the watch: it ends when it is told to, or when kopf gives up (then the supervisor starts it again).

kopf gets a thread and an event loop of its own: at its end it cancels every task of its loop that began after it, which would be our
passes and observers, and whatever it does never delays them.
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

    Raises what kopf raises when a watch breaks for good. At the end nothing is told to `sink` any more; kopf gets 15 seconds to close
    its connections, then its thread is left behind (it does not hold up the process).
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
    # kopf is not always graceful when it is told to end while it begins: nobody minds then.
    if not stop.is_set():
        ended.result()


class _WatchThread(threading.Thread):
    """kopf in a thread with a loop of its own. A daemon: nothing in it is worth holding up the end of the process for."""

    def __init__(self, registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, namespaces: Sequence[str]) -> None:
        super().__init__(name="watch", daemon=True)
        self._registry = registry
        self._settings = settings
        self._namespaces = namespaces
        self._stop: Future[Callable[[], object]] = Future()
        self.ended: Future[None] = Future()

    def run(self) -> None:
        """Run kopf until it ends, and tell how it ended."""
        try:
            asyncio.run(self._operate())
        except BaseException as error:  # noqa: BLE001 - told to the waiting side, which raises it
            end = partial(self.ended.set_exception, error if isinstance(error, Exception) else RuntimeError(f"the watch ended: {error!r}"))
        else:
            end = partial(self.ended.set_result, None)
        # Nobody waits any more where the thread was left behind.
        with suppress(InvalidStateError):
            end()

    def stop(self) -> None:
        """Ask kopf to end; at once where it has not begun yet."""
        self._stop.add_done_callback(_call)

    async def _operate(self) -> None:
        flag, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.set_exception_handler(_say)
        # An event of this loop, not of threading: kopf would wait for that in a thread that then never ends by itself.
        self._stop.set_result(partial(loop.call_soon_threadsafe, flag.set))
        before = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=self._registry, settings=self._settings, standalone=True, stop_flag=flag,
            clusterwide=not self._namespaces, namespaces=self._namespaces,
        )  # fmt: skip
        running = asyncio.create_task(kopf.run_tasks(tasks, ignored=before))
        await asyncio.wait([*tasks, running], return_when=asyncio.FIRST_COMPLETED)
        # kopf waits for its other tasks without a limit, and one that is stuck would leave us blind (seen when the API server came
        # back without our CRDs): whoever waits is told then, and this thread is left behind.
        _, late = await asyncio.wait([running], timeout=_END_S)
        if late:
            self._give_up(tasks)
        running.result()

    def _give_up(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Tell that kopf hangs, and why it began to end."""
        errors = [e for t in tasks if t.done() and not t.cancelled() and (e := t.exception()) is not None]
        error = RuntimeError(f"kopf did not end within {_END_S:.0f} s after {errors[0]!r}" if errors else "kopf did not end")
        with suppress(InvalidStateError):
            self.ended.set_exception(error)
        raise error


def _say(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep what kopf leaves behind to a line: the error that ended it is raised, the others it caused are of no interest."""
    log.debug("in the watch's loop: %s: %r", context.get("message"), context.get("exception"))


def _call(stop: Future[Callable[[], object]]) -> None:
    # The loop may be closed already.
    with suppress(RuntimeError):
        stop.result()()


class _Bridge:
    """Hands what kopf's loop tells to the caller's, in the order that it came.

    Many at a time: to wait for the other thread with each of thousands that are listed costs more than all the rest. When a few hundred
    wait, the watch waits, too: it goes no faster than we do.
    """

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._loop = loop
        self._closed = False
        self._lock = threading.Lock()
        self._told: deque[partial[None]] = deque()
        self._taking_in = False
        self._room: Future[None] = Future()

    def close(self) -> None:
        """Tell nothing any more: what still comes will be listed again by the next watch."""
        self._closed = True
        self._make_room()

    async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        await self._hand_over(partial(self._sink.changed, kind, body))

    async def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object."""
        await self._hand_over(partial(self._sink.deleted, kind, namespace, name, uid))

    async def _hand_over(self, told: partial[None]) -> None:
        with self._lock:
            self._told.append(told)
            begins, self._taking_in = not self._taking_in, True
            room = self._room if len(self._told) >= _WAITING else None
        if begins:
            self._loop.call_soon_threadsafe(self._take_in)
        if room is not None and not self._closed:
            await asyncio.wrap_future(room)

    def _take_in(self) -> None:
        """Take in what was told so far, a part of it at a time: passes and looks go on in between."""
        for _ in range(_AT_ONCE):
            with self._lock:
                if not self._told:
                    self._taking_in = False
                    break
                told = self._told.popleft()
            if not self._closed:
                _tell(told)
        else:
            self._loop.call_soon(self._take_in)
        self._make_room()

    def _make_room(self) -> None:
        with self._lock:
            if len(self._told) >= _WAITING and not self._closed:
                return
            room, self._room = self._room, Future()
        # False where kopf is ending and no longer waits.
        if room.set_running_or_notify_cancel():
            room.set_result(None)


def _tell(told: partial[None]) -> None:
    try:
        told()
    except Exception:
        kind, what = told.args[:2]
        name = "/".join(str(what["metadata"].get(n, "")) for n in ("namespace", "name")) if isinstance(what, Mapping) else told.args[2]
        log.exception("cannot take in %s %s", kind, name)
