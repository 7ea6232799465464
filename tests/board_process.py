"""The board as a process of its own."""

from __future__ import annotations

import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess
from tests.environment import plain
from tests.waiting import PATIENCE_S


class BoardProcess:
    """The board, started and stopped. Without settings there is no login in front of it."""

    def __init__(self, kubeconfig: Path, settings: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        """`settings` are environment variables."""
        self._folder = tempfile.TemporaryDirectory(prefix="board-")
        self.port, self._probe_port = free_port(), free_port()
        self.log = log or Path(self._folder.name) / "log"
        self._environment = {
            **plain(),
            "KUBECONFIG": str(kubeconfig),
            "ECS_RELEASE_BOARD_PORT": str(self.port),
            "ECS_RELEASE_BOARD_PROBE_HOST": "127.0.0.1",
            "ECS_RELEASE_BOARD_PROBE_PORT": str(self._probe_port),
            "ECS_RELEASE_BOARD_LOG_FORMAT": "text",
            **(settings or {}),
        }
        self.process: ChildProcess

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start it, and wait until it has read everything."""
        self.process = ChildProcess("board", [sys.executable, "-m", "ecs_release.board.main"], self.log, self._environment)
        self.process.wait_until(self._is_ready, PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.process.stop(25)
        self._folder.cleanup()
        release_port(self.port)
        release_port(self._probe_port)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._probe_port}/readyz", timeout=10) as answer:
                return int(answer.status) == 200
        except OSError:
            return False
