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
from ecs_release.config import Settings
from ecs_release.engine.supervisor import WatchBroken


def main() -> None:
    """Run the operator. Exit code 0 after SIGTERM or SIGINT, 1 after a failure, 2 for wrong settings."""
    try:
        settings = CliApp.run(Settings)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            print(f"ecs-release-operator: {name}: {problem['msg']}; see --help", file=sys.stderr)
        sys.exit(2)
    _keep_memory_together()
    logs.configure(settings.log_level, as_json=settings.log_format == "json")
    try:
        asyncio.run(app.run(settings))
    except (ConfigException, WatchBroken) as error:
        print(f"ecs-release-operator: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)
    # A call to AWS may still wait in a thread: nothing of it is needed any more.
    sys.stderr.flush()
    os._exit(0)


def _keep_memory_together() -> None:
    """Have all threads share two of glibc's arenas: with one each, a tenth of our memory is what they once needed (docs/benchmarks.md)."""
    with contextlib.suppress(OSError, AttributeError):
        # malloc.h: M_ARENA_MAX. Other C libraries have no mallopt, or do nothing.
        ctypes.CDLL(None).mallopt(-8, 2)


if __name__ == "__main__":
    main()
