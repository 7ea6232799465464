"""The operator as a process of its own, as it runs in production."""

from __future__ import annotations

import re
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess
from tests.environment import plain
from tests.waiting import PATIENCE_S

# What would take minutes takes seconds here; everything else is as it is by default.
FAST = {
    "ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS": "0.5",
    "ECS_RELEASE_RETRY_INTERVAL_SECONDS": "1",
    "ECS_RELEASE_VISIBLE_SECONDS": "5",
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
    # One that was killed is started again at once, and is the only one.
    "ECS_RELEASE_LEADER_ELECT": "false",
}


class Operator:
    """The operator, started, killed and started again."""

    MODULE = "ecs_release.cli.operator"

    def __init__(self, kubeconfig: Path, aws: Mapping[str, str], settings: Mapping[str, str] = FAST, log: Path | None = None) -> None:
        """`aws` is what boto3 needs in the environment."""
        self._folder = tempfile.TemporaryDirectory(prefix="operator-")
        self._ports = {"ECS_RELEASE_PROBE_PORT": free_port(), "ECS_RELEASE_METRICS_PORT": free_port()}
        hosts = {"ECS_RELEASE_PROBE_HOST": "127.0.0.1", "ECS_RELEASE_METRICS_HOST": "127.0.0.1"}
        self.log = log or Path(self._folder.name) / "log"
        self._environment = {
            **plain(), "KUBECONFIG": str(kubeconfig), **hosts, **{k: str(v) for k, v in self._ports.items()}, **aws, **settings,
        }  # fmt: skip
        self._process: ChildProcess | None = None
        self._begun, self._is_ready = 0, False

    def __enter__(self) -> Operator:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
        self._folder.cleanup()
        for port in self._ports.values():
            release_port(port)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def process(self) -> ChildProcess:
        """The process itself, to be paused, say."""
        assert self._process is not None
        return self._process

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it, with other settings where given."""
        environment = self._environment | dict(settings or {})
        # The log goes on where the process before has left it.
        self._begun, self._is_ready = self.log.stat().st_size if self.log.exists() else 0, False
        self._process = ChildProcess("operator", [sys.executable, "-m", self.MODULE], self.log, environment)

    def stop(self) -> int | None:
        """Ask it to stop. Returns its exit code."""
        return self._process.stop(25) if self._process else None

    def kill(self) -> None:
        """Kill it without a word."""
        if self._process:
            self._process.kill()

    def wait_until_ready(self, deadline_s: float = PATIENCE_S) -> None:
        """Wait until it, and not the process before it, has seen everything that is there."""
        assert self._process is not None
        self._process.wait_until(self._watches, deadline_s)

    def _watches(self) -> bool:
        with self.log.open("rb") as file:
            file.seek(self._begun)
            said = file.read()
        # What was read is not read again, but for a line that was not whole.
        self._begun += said.rfind(b"\n") + 1
        self._is_ready = self._is_ready or re.search(rb"watching \d", said) is not None
        return self._is_ready

    def probe(self, path: str) -> int:
        """Ask a probe. Returns the HTTP status; raises HTTPError where it is none of success."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['ECS_RELEASE_PROBE_PORT']}{path}", timeout=10) as answer:
            return int(answer.status)

    def metric(self, name: str, /, **labels: str) -> float:
        """Scrape, and add up the series of a name that have these labels, whatever others they have."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['ECS_RELEASE_METRICS_PORT']}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            found = (s for f in families for s in f.samples if s.name == name)
            return sum(s.value for s in found if labels.items() <= s.labels.items())

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Return the memory that it has (VmRSS), or has had at most since it was started (VmHWM), in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024

    def tail(self, size: int = 6000) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-size:]
