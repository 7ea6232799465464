"""Runs the watch: it ends when it is told to, or when kopf gives up (then the supervisor starts it again).

kopf gets a thread and an event loop of its own: at its end it cancels every task of its loop that began after it, which would be our
passes and observers, and whatever it does never delays them.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import kopf

from ecs_release.handlers.settings import operator_settings
from ecs_release.handlers.watch import Sink, build_registry


async def run_watch(sink: Sink, stop: asyncio.Event, liveness: str | None = None) -> None:
    """Watch all kinds in all namespaces until `stop` is set. `sink` is called in the caller's loop.

    `liveness` is an address such as http://0.0.0.0:8080/healthz. Raises what kopf raises when a watch breaks for good.
    """
    registry = build_registry(_Bridge(sink, asyncio.get_running_loop()))
    kopf.on.login(registry=registry, id="login")(_login)
    flag = threading.Event()
    thread = asyncio.create_task(asyncio.to_thread(_run, registry, flag, liveness))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([thread, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        flag.set()
        await thread


def _run(registry: kopf.OperatorRegistry, flag: threading.Event, liveness: str | None) -> None:
    asyncio.run(
        kopf.operator(
            registry=registry,
            settings=operator_settings(),
            clusterwide=True,
            standalone=True,
            stop_flag=flag,
            liveness_endpoint=liveness,
        )
    )


class _Bridge:
    """Hands what kopf's loop tells to the caller's, and waits until it was taken in: the watch goes no faster than we do."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._loop = loop

    async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        await self._hand_over(partial(self._sink.changed, kind, body))

    async def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object."""
        await self._hand_over(partial(self._sink.deleted, kind, namespace, name, uid))

    async def _hand_over(self, take_in: partial[None]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                take_in()
                done.set_result(None)
            except BaseException as error:  # noqa: BLE001 - told to the waiting side
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        await asyncio.wrap_future(done)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Log in as the rest of the operator does: KUBECONFIG where it is set, else the pod's service account."""
    if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return kopf.login_with_service_account(**kwargs)
    return kopf.login_with_kubeconfig(**kwargs)
