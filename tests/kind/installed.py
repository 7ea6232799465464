"""The operator and the simulator that are installed in a cluster, in the places of those that tests/e2e starts itself."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.aws_simulator.client import Simulator
from tests.control_plane.cluster import Cluster
from tests.kind.steps import NAMESPACE, RELEASE
from tests.waiting import PATIENCE_S


class InstalledSimulator(Simulator):
    """A simulator that runs already, at an endpoint."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def __enter__(self) -> InstalledSimulator:
        return self

    def stop(self) -> None:
        self._folder.cleanup()


class InstalledOperator:
    """An operator in a pod. Tests that need it as a process of theirs are skipped, and say so."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __enter__(self) -> InstalledOperator:
        return self

    def __exit__(self, *_: object) -> None:
        """It stays."""

    def __getattr__(self, name: str) -> Any:
        pytest.skip(f"needs the operator as a process of its own ({name})")

    def wait_until_ready(self, deadline_s: float = PATIENCE_S) -> None:
        self._cluster.kubectl(
            "rollout", "status", f"deployment/{RELEASE}", "-n", NAMESPACE, f"--timeout={deadline_s:.0f}s", timeout_s=deadline_s + 10
        )

    def tail(self, size: int = 6000) -> str:
        """The end of its log; empty where the cluster does not answer: it is for messages of failures."""
        try:
            return self._cluster.kubectl("logs", "-n", NAMESPACE, f"deployment/{RELEASE}", "--tail=100", check=False)[-size:]
        except subprocess.TimeoutExpired:
            return ""
