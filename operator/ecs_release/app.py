"""The one place that wires adapters to ports."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from ecs_release.aws.adapter import BotoAws
from ecs_release.cluster.adapter import KubernetesCluster
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.cluster.lease import Candidacy, Elector
from ecs_release.commits.adapter import HttpCommits
from ecs_release.config import Settings
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.ledger import Ledger
from ecs_release.domain.ports.protocols import Fence
from ecs_release.domain.ports.views import ViewSink
from ecs_release.engine.engine import Engine
from ecs_release.engine.views.views import close
from ecs_release.engine.watch.namespace_access import NamespaceAccess
from ecs_release.engine.watch.supervisor import keep_running, until_served
from ecs_release.handlers.event_handlers import WATCHED, WATCHED_EVERYWHERE
from ecs_release.handlers.metrics_endpoint import serve_metrics
from ecs_release.handlers.probes import serve_probes
from ecs_release.handlers.watch_thread import run_watch
from ecs_release.metrics.registry import CONTENT_TYPE, Metrics
from ecs_release.outbound.connections import load
from ecs_release.outbound.session import Session
from ecs_release.shutdown import until_stopped

log = logging.getLogger(__name__)

_STOP_S, _LOST_S = 20.0, 1.0
_TRIM_S = 60.0
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises the error that ended it otherwise, such as LeaseLost."""
    its_version = version("ecs-release-operator")
    stop = _stop_on_signals()
    clock = SystemClock()
    metrics = Metrics(its_version, conditions=settings.metrics_release_conditions)
    # As in client-go; it identifies the replica in the API server's audit log.
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    server = await ApiServer.connect(None, f"ecs-release-operator/{its_version} ({identity})")
    server.fence = elector = _elector(settings, server, identity)
    aws = _aws(settings, clock, its_version, elector, metrics)
    recorder = EventRecorder(server, socket.gethostname())
    namespaces = Namespaces(settings.watch_namespaces)
    cluster = KubernetesCluster(server, recorder, namespaces)
    commits = _commits(settings)
    sinks = view_sinks(settings, elector, its_version)
    engine = Engine(cluster, aws, clock, settings.engine(), metrics, _ledger(settings, aws), namespaces, commits, sinks)
    watching = _watch(engine, cluster, namespaces, server, settings.engine().namespace_interval_s, stop)
    leading = asyncio.Event()
    background = [asyncio.create_task(engine.run(leading), name="engine"), asyncio.create_task(recorder.run(), name="events")]
    background.append(asyncio.create_task(_return_memory(), name="memory"))
    watch = asyncio.create_task(keep_running(watching, stop, clock), name="watch")
    election = asyncio.create_task(_lead(elector, leading, stop), name="election")
    log.info("ecs-release-operator %s, installation %r, shard %r", its_version, settings.installation, settings.shard)
    try:
        async with _probes(settings, engine), _metrics(settings, engine, metrics):
            await until_stopped(stop, [watch, election, *background])
    finally:
        stop.set()
        # After the Lease is lost nothing can be changed any more, so that a graceful end is not needed.
        patience_s = _LOST_S if election.done() else _STOP_S
        await _end(background, patience_s, cancel=True)
        await _end([election], patience_s, cancel=True)
        if elector is not None:
            await elector.release()
        await _end([watch], patience_s, cancel=False)
        aws.close()
        if commits is not None:
            await commits.close()
        await close(sinks)
        await server.close()
    log.info("stopped")


def _watch(
    engine: Engine, cluster: KubernetesCluster, namespaces: Namespaces, server: ApiServer, interval_s: float, stop: asyncio.Event
) -> Callable[[], Awaitable[None]]:
    """Return the watch of the namespaces with access; if there are none, it is of cluster-scoped kinds only."""

    async def watch_until(end: asyncio.Event) -> None:
        kinds = WATCHED_EVERYWHERE if namespaces.is_empty else WATCHED
        if await until_served(cluster, kinds, end):
            await run_watch(engine, server.credentials, end, kinds=kinds, namespaces=namespaces.open)

    return partial(NamespaceAccess(cluster, namespaces, engine.namespaces_changed, interval_s).watch, watch_until, stop)


async def _return_memory() -> None:
    """Return free memory from glibc to the system: after bursts of AWS responses, the process would keep its size for ever."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        await asyncio.sleep(_TRIM_S)
        if trim is not None:
            # Takes tens of milliseconds, without the interpreter's lock. Other C libraries have no such function.
            await asyncio.to_thread(trim, 0)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _aws(settings: Settings, clock: SystemClock, its_version: str, elector: Elector | None, metrics: Metrics) -> BotoAws:
    return BotoAws(
        clock,
        version=its_version,
        session_name=f"ecs-release-{settings.installation}",
        threads=settings.aws_threads,
        share=settings.aws_rate_share,
        on_call=metrics.called,
        on_wait=metrics.waited,
        fence=elector,
        operators=len(settings.engine().shards.names),
    )


def _ledger(settings: Settings, aws: BotoAws) -> Ledger | None:
    access = settings.ledger_access()
    if access is None or settings.ledger_table is None:
        return None
    return aws.ledger(access, settings.ledger_table, create=settings.ledger_create)


def _commits(settings: Settings) -> HttpCommits | None:
    if settings.commits_address is None or settings.commits_token_file is None:
        return None
    return HttpCommits(settings.commits_address, settings.commits_token_file)


def view_sinks(settings: Settings, fence: Fence | None, its_version: str) -> dict[tuple[str, str], ViewSink]:
    """Return the connections to GitHub and Slack by kind and name. Their code is imported only if there are any. Raises ConfigError."""
    if settings.connections_file is None:
        return {}
    allow_loopback = settings.connections_allow_loopback
    connections = load(settings.connections_file, allow_loopback=allow_loopback)
    found: dict[tuple[str, str], ViewSink] = {}
    for kind, listed in (("github", connections.github), ("slack", connections.slack)):
        for one in listed:
            adapter = import_module(f"ecs_release.{kind}.adapter")
            session = Session(
                one.url, one.ca_file, allow_loopback=allow_loopback, user_agent=f"ecs-release-operator/{its_version}"
            )  # fmt: skip
            found[kind, one.name] = adapter.connect(one, session, fence, len(settings.engine().shards.names))
    return found


def _elector(settings: Settings, server: ApiServer, identity: str) -> Elector | None:
    if not settings.leader_elect:
        return None
    namespace = settings.lease_namespace or (_OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else "default")
    shards = settings.engine().shards.digest
    return Elector(server, Candidacy(namespace, settings.installation, settings.shard, shards, identity), settings.timing())


async def _lead(elector: Elector | None, leading: asyncio.Event, stop: asyncio.Event) -> None:
    """Let the engine act: once the Lease is held, or at once without leader election."""
    if elector is not None:
        await elector.run(leading)
    leading.set()
    await stop.wait()


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
        take=lambda: metrics.show(engine.state(), engine.event_queues()),
        render=metrics.render,
        content_type=CONTENT_TYPE,
    )


async def _end(tasks: list[asyncio.Task[None]], patience_s: float, *, cancel: bool) -> None:
    for task in tasks:
        if cancel:
            task.cancel()
    _, late = await asyncio.wait(tasks, timeout=patience_s)
    for task in late:
        task.cancel()
