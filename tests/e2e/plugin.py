"""The kubectl plugin as people run it: through kubectl, in a pipe or on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from tests.e2e.bed import Place

PLUGIN_S = 90


def environment(place: Place, **more: str) -> dict[str, str]:
    """What a user's shell has: kubectl finds the plugin on PATH, and AWS credentials are there."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ECS_RELEASE_", "KUBE", "NO_COLOR"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **plain,
        "PATH": path,
        "KUBECONFIG": str(place.bed.cluster.kubeconfig),
        "TERM": "xterm-256color",
        **place.aws.environment(),
        **more,
    }


def run(place: Place, *words: str, stdin: str | None = None, namespace: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `kubectl ecs-release ...` in the place's namespace."""
    where = ["-n", place.name] if namespace else []
    return subprocess.run(
        [place.bed.cluster.kubectl_path, "ecs-release", *words, *where],
        input=stdin, capture_output=True, text=True, check=False, timeout=PLUGIN_S, env=environment(place, **variables),
    )  # fmt: skip


def complete(place: Place, *words: str) -> list[str]:
    """Ask kubectl itself for completions; returns the candidates without their descriptions, and the directive."""
    done = subprocess.run(
        [place.bed.cluster.kubectl_path, "__complete", "ecs-release", *words],
        capture_output=True, text=True, check=False, timeout=PLUGIN_S, env=environment(place),
    )  # fmt: skip
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@dataclass
class Terminal:
    """The plugin on a terminal of its own: what somebody who looks at it sees."""

    place: Place
    words: list[str]
    columns: int = 140
    lines: int = 40
    raw: bytes = b""
    screen: pyte.Screen = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        self.screen = pyte.Screen(self.columns, self.lines)
        self._stream = pyte.ByteStream(self.screen)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, self.columns, 0, 0))
        self._terminal = ours
        self._process = subprocess.Popen(
            [self.place.bed.cluster.kubectl_path, "ecs-release", *self.words, "-n", self.place.name],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment(self.place), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Terminal:
        """It runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it has not."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._terminal)

    @property
    def shown(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).strip()

    def until(self, text: str, deadline_s: float = 40) -> str:
        """Read on until a text stands on the screen."""
        end = time.monotonic() + deadline_s
        while text not in self.shown:
            assert time.monotonic() < end, f"waited {deadline_s} s for {text!r} on\n{self.shown}"
            assert self._read(0.2) or self._process.poll() is None, f"it ended without {text!r}:\n{self.shown}"
        return self.shown

    def end(self, deadline_s: float = 60) -> int:
        """Read on until it has ended; returns the exit code."""
        end = time.monotonic() + deadline_s
        while self._process.poll() is None:
            assert time.monotonic() < end, f"it has not ended:\n{self.shown}"
            self._read(0.2)
        while self._read(0.1):
            pass
        return int(self._process.returncode)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._terminal], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            # Linux says EIO when the last process has closed the other end.
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)
