"""The command `ecs-release-commits`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

from ecs_release import logs
from ecs_release.commits_service.bearer_token import Token, TokenError
from ecs_release.commits_service.clones import Clones
from ecs_release.commits_service.config import ConfigError, ServiceConfig, load
from ecs_release.commits_service.git import Bounds, Git, GitError
from ecs_release.commits_service.questions import Questions
from ecs_release.commits_service.server import application, metrics_application
from ecs_release.listening import listening
from ecs_release.metrics.commits_service import CONTENT_TYPE, CommitsMetrics

log = logging.getLogger(__name__)


def main() -> None:
    """Run the service. Exit code 0 after SIGTERM or SIGINT, 1 after a failure, 2 for a wrong configuration."""
    parser = argparse.ArgumentParser(prog="ecs-release-commits", description="Answers how the commits of git repositories relate.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file: docs/reference/commits-service.md")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info", help="what is logged")
    parser.add_argument("--log-format", choices=["json", "text"], default="json", help="how it is logged")
    given = parser.parse_args()
    logs.configure(given.log_level, as_json=given.log_format == "json")
    try:
        config = load(given.config)
        token = Token(config.token_file)
    except (ConfigError, TokenError) as error:
        print(f"ecs-release-commits: {error}", file=sys.stderr)  # noqa: T201 - as the operator tells of its settings
        sys.exit(2)
    try:
        asyncio.run(run(config, token))
    except (GitError, OSError) as error:
        print(f"ecs-release-commits: {error}", file=sys.stderr)  # noqa: T201 - as above
        sys.exit(1)


async def run(config: ServiceConfig, token: Token) -> None:
    """Serve until SIGTERM or SIGINT. Raises GitError without a git that is new enough, OSError without port or cache."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    git = Git(Bounds(config.limits.memory_bytes, config.cache.max_repository_bytes))
    git_version = await git.check()
    metrics = CommitsMetrics(version("ecs-release-operator"), git_version)
    clones = Clones(config, git, metrics.fetched)
    await clones.clear()
    follow = asyncio.create_task(token.follow(), name="token")
    try:
        async with AsyncExitStack() as stack:
            questions = application(config, token, Questions(config, clones), metrics.answered)
            port = await stack.enter_async_context(listening(questions, config.host, config.port))
            log.info("ecs-release-commits %s with git %s at http://%s:%d", version("ecs-release-operator"), git_version, config.host, port)
            if config.metrics_port is not None:
                shown = metrics_application(lambda: metrics.render(clones.number, clones.bytes, clones.pairs), CONTENT_TYPE)
                taken = await stack.enter_async_context(listening(shown, config.host, config.metrics_port))
                log.info("metrics at http://%s:%d/metrics", config.host, taken)
            await stop.wait()
    finally:
        follow.cancel()
        await clones.close()


if __name__ == "__main__":
    main()
