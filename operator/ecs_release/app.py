"""The one place that wires adapters to ports."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version

from ecs_release.aws.adapter import BotoAws
from ecs_release.cluster.client import ApiServer
from ecs_release.cluster.cluster import KubernetesCluster
from ecs_release.cluster.events import EventRecorder
from ecs_release.config import Settings
from ecs_release.engine.engine import Engine
from ecs_release.engine.supervisor import keep_running, until_served
from ecs_release.handlers.probes import serve_probes
from ecs_release.handlers.run import run_watch
from ecs_release.handlers.scrape import serve_metrics
from ecs_release.handlers.watch import WATCHED
from ecs_release.metrics.registry import CONTENT_TYPE, Metrics

log = logging.getLogger(__name__)

_STOP_S = 20.0


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


async def run(settings: Settings) -> None:
    """Run the operator until it is told to stop by SIGTERM or SIGINT. Raises what ended it otherwise."""
    its_version = version("ecs-release-operator")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = SystemClock()
    metrics = Metrics(its_version, conditions=settings.metrics_release_conditions)
    server = await ApiServer.connect(None, f"ecs-release-operator/{its_version}")
    aws = BotoAws(
        clock,
        version=its_version,
        session_name=f"ecs-release-{settings.installation}",
        threads=settings.aws_threads,
        share=settings.aws_rate_share,
        on_call=metrics.called,
        on_wait=metrics.waited,
    )
    recorder = EventRecorder(server, socket.gethostname())
    cluster = KubernetesCluster(server, recorder)
    engine = Engine(cluster, aws, clock, settings.engine(), metrics)

    async def watch_once() -> None:
        if await until_served(cluster, WATCHED, stop):
            await run_watch(engine, server.credentials, stop)

    background = [asyncio.create_task(engine.run(), name="engine"), asyncio.create_task(recorder.run(), name="events")]
    watch = asyncio.create_task(keep_running(watch_once, stop, clock), name="watch")
    log.info("ecs-release-operator %s, installation %r", its_version, settings.installation)
    try:
        async with _probes(settings, engine), _metrics(settings, engine, metrics):
            await _until_stopped(stop, [watch, *background])
    finally:
        stop.set()
        await _end([watch], cancel=False)
        await _end(background, cancel=True)
        aws.close()
        await server.close()
    log.info("stopped")


def _probes(settings: Settings, engine: Engine) -> AbstractAsyncContextManager[object]:
    if settings.probe_port is None:
        return nullcontext()
    return serve_probes(settings.probe_host, settings.probe_port, engine.synced.is_set)


def _metrics(settings: Settings, engine: Engine, metrics: Metrics) -> AbstractAsyncContextManager[object]:
    if settings.metrics_port is None:
        return nullcontext()
    return serve_metrics(
        settings.metrics_host,
        settings.metrics_port,
        take=lambda: metrics.show(engine.state(), engine.listening.by_environment(engine.store)),
        render=metrics.render,
        content_type=CONTENT_TYPE,
    )


async def _until_stopped(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal; a task that ends before it is an error."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for task in done:
        if task is not stopping:
            task.result()


async def _end(tasks: list[asyncio.Task[None]], *, cancel: bool) -> None:
    for task in tasks:
        if cancel:
            task.cancel()
    _, late = await asyncio.wait(tasks, timeout=_STOP_S)
    for task in late:
        task.cancel()
