"""The command `ecs-release-board`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version

from aiohttp import web
from kubernetes.aio.config import ConfigException
from pydantic import ValidationError
from pydantic_settings import CliApp

from ecs_release import logs
from ecs_release.board.access import Access
from ecs_release.board.commits.ancestry import Ancestry
from ecs_release.board.commits.commits_page import CommitsPage
from ecs_release.board.commits.comparing import ComparisonPage
from ecs_release.board.commits.distances import Distances
from ecs_release.board.commits.records import Records
from ecs_release.board.config import BoardSettings
from ecs_release.board.documents import Documents
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import WATCHED, Inventory
from ecs_release.board.ledger_client import connect
from ecs_release.board.ledger_history import LedgerHistory
from ecs_release.board.login import LONGEST_HEADER, Login, NoLogin, ProxyLogin
from ecs_release.board.object_pages import ObjectPages
from ecs_release.board.server import Board, probes
from ecs_release.board.watch import Several, Watch, sources_of
from ecs_release.cluster.api_server import ApiServer
from ecs_release.commits.adapter import HttpCommits
from ecs_release.listening import listening
from ecs_release.shutdown import until_stopped

log = logging.getLogger(__name__)


def main() -> None:
    """Run the board. Exit code 0 after SIGTERM or SIGINT, 1 after a failure, 2 for wrong settings."""
    try:
        settings = CliApp.run(BoardSettings)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            print(f"ecs-release-board: {name}: {problem['msg'].removeprefix('Value error, ')}; see --help", file=sys.stderr)  # noqa: T201 - as the operator tells of its settings
        sys.exit(2)
    logs.configure(settings.log_level, as_json=settings.log_format == "json")
    try:
        asyncio.run(run(settings))
    except (ConfigException, OSError) as error:
        print(f"ecs-release-board: {error}", file=sys.stderr)  # noqa: T201 - as above
        sys.exit(1)


async def run(settings: BoardSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigException without a cluster, OSError without a port."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    its_version = version("ecs-release-operator")
    sources = sources_of(WATCHED, settings.watch_namespaces)
    server = await ApiServer.connect(None, f"ecs-release-board/{its_version}", watches=len(sources))
    inventory, documents, records = Inventory(_now), Documents(), Records()
    feed = Feed(inventory)

    def tell() -> None:
        for one in (feed, pages.feed):
            one.tell(freshness.age)

    def wake() -> None:
        for one in (feed, pages.feed):
            one.wake()

    freshness = Freshness(sources, _now, tell)
    pages = ObjectPages(inventory, documents, freshness, settings.link_hosts, _now)
    inventory.on_change = documents.on_change = wake
    commits = _commits(settings)
    distances, ancestry = Distances(commits), Ancestry(commits)
    pages.ledger = _ledger(settings, f"ecs-release-board/{its_version}", pages.feed.wake)
    login = _login(settings, f"ecs-release-board/{its_version}")
    board = Board(
        settings,
        login,
        inventory,
        freshness,
        feed,
        Access(server, lambda: {*inventory.namespaces, *documents.namespaces, *settings.watch_namespaces}),
    )
    comparison = ComparisonPage(inventory, records, distances, freshness, feed, settings.link_hosts)
    commits_page = CommitsPage(inventory, documents, records, ancestry, freshness, feed, settings.link_hosts)
    routes = [*pages.attach(board), *comparison.routes(board), *commits_page.routes(board)]
    sink = Several(inventory, documents, records)
    background = [asyncio.create_task(Watch(server, one, sink, freshness).run(), name=f"watch {one}") for one in sources]
    background += [asyncio.create_task(one.run(), name="feed") for one in (feed, pages.feed)]
    background += [asyncio.create_task(feed.keep_time(), name="time")]
    try:
        await _serve(settings, board.application(routes), freshness, stop, background)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await distances.answers.close()
        await ancestry.close()
        if commits is not None:
            await commits.close()
        pages.close()
        await login.close()
        await server.close()
    log.info("stopped")


async def _serve(
    settings: BoardSettings, application: web.Application, freshness: Freshness, stop: asyncio.Event, background: list[asyncio.Task[None]]
) -> None:
    """Serve the pages and the probes until all is to stop. Raises OSError without a port, and what the background raises."""
    async with AsyncExitStack() as stack:
        if settings.probe_port is not None:
            await stack.enter_async_context(listening(probes(lambda: freshness.complete), settings.probe_host, settings.probe_port))
        taken = await stack.enter_async_context(listening(application, settings.host, settings.port, longest_header=LONGEST_HEADER))
        log.info("ecs-release-board %s at http://%s:%d/", version("ecs-release-operator"), settings.host, taken)
        if settings.login == "none":
            log.warning("there is no login in front of this board: whoever reaches %s:%d sees everything", settings.host, taken)
        await until_stopped(stop, background)


def _login(settings: BoardSettings, user_agent: str) -> Login:
    if settings.login != "load-balancer":
        return NoLogin() if settings.login == "none" else ProxyLogin(settings)
    # Brings cryptography along, which the others do not need.
    from ecs_release.board.load_balancer import LoadBalancerLogin  # noqa: PLC0415

    return LoadBalancerLogin(settings, user_agent)


def _commits(settings: BoardSettings) -> HttpCommits | None:
    if settings.commits_address is None or settings.commits_token_file is None:
        return None
    return HttpCommits(settings.commits_address, settings.commits_token_file)


def _ledger(settings: BoardSettings, user_agent: str, on_answer: Callable[[], None]) -> LedgerHistory | None:
    """Return the ledger that the settings name; None if they name none."""
    if settings.ledger_table is None or settings.ledger_region is None:
        return None
    return LedgerHistory(connect(settings.ledger_table, settings.ledger_region, user_agent), on_answer)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
