"""The operator's process with its ports watched: what `tests.reliability` starts in place of the operator's command."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes.aio.config import incluster_config

from ecs_release import app
from ecs_release.cli.operator import main
from tests.reliability.calls import CLOCK, CODE, SERVICE_ACCOUNT, Calls, Port


def watch_ports() -> None:
    """Have the one place that wires adapters to ports take adapters whose calls are noted."""
    calls = Calls()
    # The last release's code may lack some of them.
    for name in ("BotoAws", "KubernetesCluster", "HttpCommits"):
        adapter = getattr(app, name, None)
        if adapter is None:
            continue

        def watched(*arguments: Any, adapter: Any = adapter, **more: Any) -> Any:
            return Port(adapter(*arguments, **more), calls)

        setattr(app, name, watched)


def turn_clock(seconds: float) -> None:
    """Have the time that the engine asks for be wrong."""
    right = app.SystemClock.now

    def now(self: app.SystemClock) -> datetime:
        return right(self) + timedelta(seconds=seconds)

    app.SystemClock.now = now  # type: ignore[method-assign]


def find_service_account(folder: Path) -> None:
    """Have the service account in another folder than pods have it in."""
    incluster_config.SERVICE_TOKEN_FILENAME = str(folder / "token")
    incluster_config.SERVICE_CERT_FILENAME = str(folder / "ca.crt")


if __name__ == "__main__":
    # For upgrades, which have other code run than that of this checkout.
    print(CODE + str(Path(app.__file__).parent), flush=True)
    watch_ports()
    if CLOCK in os.environ:
        turn_clock(float(os.environ[CLOCK]))
    if SERVICE_ACCOUNT in os.environ:
        find_service_account(Path(os.environ[SERVICE_ACCOUNT]))
    main()
