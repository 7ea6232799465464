"""The operator's process with its ports watched: what `tests.reliability` starts in place of the operator's command."""

from __future__ import annotations

from typing import Any

from ecs_release import app
from ecs_release.cli.operator import main
from tests.reliability.calls import Calls, Port


def watch_ports() -> None:
    """Have the one place that wires adapters to ports take adapters whose calls are noted."""
    calls = Calls()
    for name in ("BotoAws", "KubernetesCluster", "HttpCommits"):
        adapter = getattr(app, name)

        def watched(*arguments: Any, adapter: Any = adapter, **more: Any) -> Any:
            return Port(adapter(*arguments, **more), calls)

        setattr(app, name, watched)


if __name__ == "__main__":
    watch_ports()
    main()
