"""The operator as a process of its own, as it runs in production."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.control_plane.processes import ChildProcess

# What would take minutes takes seconds here; everything else is as it is by default.
FAST = {
    "ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS": "0.2",
    "ECS_RELEASE_RETRY_INTERVAL_SECONDS": "1",
    "ECS_RELEASE_VISIBLE_SECONDS": "5",
    "ECS_RELEASE_READ_LAG_SECONDS": "1",
    "ECS_RELEASE_ROLLBACK_SECONDS": "3",
    "ECS_RELEASE_COUNTS_INTERVAL_SECONDS": "2",
    "ECS_RELEASE_UNHEALTHY_AFTER_SECONDS": "3",
    "ECS_RELEASE_HEALTHY_AFTER_SECONDS": "1",
    "ECS_RELEASE_AWS_RATE_SHARE": "1",
    "ECS_RELEASE_TAG_INTERVAL_SECONDS": "3",
    "ECS_RELEASE_BASE_SWEEP_SECONDS": "10",
    "ECS_RELEASE_RESYNC_SECONDS": "10",
    "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "2",
    "ECS_RELEASE_LOG_LEVEL": "debug",
    "ECS_RELEASE_LOG_FORMAT": "text",
}


class Operator:
    """The operator, started, killed and started again."""

    def __init__(self, kubeconfig: Path, aws: Mapping[str, str], settings: Mapping[str, str] = FAST, log: Path | None = None) -> None:
        """`aws` is what boto3 needs in the environment."""
        self._folder = tempfile.TemporaryDirectory(prefix="operator-")
        self.log = log or Path(self._folder.name) / "log"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ECS_RELEASE_", "KUBE"))},
            "KUBECONFIG": str(kubeconfig), **aws, **settings,
        }  # fmt: skip
        self._process: ChildProcess | None = None

    def __enter__(self) -> Operator:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it, with other settings where given."""
        environment = self._environment | dict(settings or {})
        self._process = ChildProcess("operator", [sys.executable, "-m", "ecs_release.cli.operator"], self.log, environment)

    def stop(self) -> int | None:
        """Ask it to stop. Returns its exit code."""
        return self._process.stop(25) if self._process else None

    def kill(self) -> None:
        """Kill it without a word."""
        if self._process:
            self._process.kill()

    def wait_until_ready(self, deadline_s: float = 30) -> None:
        """Wait until it has seen everything that is there."""
        assert self._process is not None
        self._process.wait_until(lambda: "watching " in self.tail(2000), deadline_s)

    def tail(self, size: int = 6000) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-size:]
