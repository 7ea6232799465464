"""The operator's command."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys

from kubernetes.aio.config import ConfigException
from pydantic import ValidationError
from pydantic_settings import CliApp

from ecs_release import app, logs
from ecs_release.cluster.lease import LeaseLost
from ecs_release.config import Settings
from ecs_release.engine.watch.supervisor import WatchBroken


def main() -> None:
    """Run the operator. Exit code 0 after SIGTERM or SIGINT, 1 after a failure or when the Lease is lost, 2 for wrong settings."""
    try:
        settings = CliApp.run(Settings)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            print(f"ecs-release-operator: {name}: {problem['msg'].removeprefix('Value error, ')}; see --help", file=sys.stderr)
        sys.exit(2)
    _limit_malloc_arenas()
    logs.configure(settings.log_level, as_json=settings.log_format == "json")
    code = 0
    try:
        asyncio.run(app.run(settings))
    except (ConfigException, WatchBroken, LeaseLost) as error:
        print(f"ecs-release-operator: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        pass
    # A thread may still wait for a call to AWS, whose result is not needed.
    sys.stderr.flush()
    os._exit(code)


def _limit_malloc_arenas() -> None:
    """Limit glibc to two malloc arenas: with one for each thread, a tenth of our memory is unused (docs/benchmarks.md)."""
    with contextlib.suppress(OSError, AttributeError):
        # malloc.h: M_ARENA_MAX. Other C libraries have no mallopt, or do nothing.
        ctypes.CDLL(None).mallopt(-8, 2)


if __name__ == "__main__":
    main()
