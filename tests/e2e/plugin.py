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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from tests.control_plane.cluster import Cluster
from tests.e2e.bed import Place
from tests.environment import plain
from tests.waiting import PATIENCE_S

PLUGIN_S = 90


@dataclass(frozen=True)
class Done:
    """What a run of the plugin left."""

    code: int
    out: str
    err: str


def shell(cluster: Cluster, **more: str) -> dict[str, str]:
    """What a user's shell has: kubectl finds the plugin on PATH. It hands a plugin its environment, and none of its own flags."""
    inherited = plain()
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    usual = {"KUBECONFIG": str(cluster.kubeconfig), "GIT_CEILING_DIRECTORIES": "/", "TERM": "xterm-256color"}
    return {**inherited, **usual, **more, "PATH": path}


def ecs_release(
    cluster: Cluster,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str = "",
    check: bool = True,
) -> Done:
    """Run `kubectl ecs-release`. Raises AssertionError where it fails, unless `check` is off."""
    done = subprocess.run(
        [cluster.kubectl_path, "ecs-release", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=PLUGIN_S, env=shell(cluster, **environment or {}), cwd=folder,
    )  # fmt: skip
    if check and done.returncode:
        raise AssertionError(f"kubectl ecs-release {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Done(done.returncode, done.stdout, done.stderr)


def run(place: Place, *words: str, stdin: str = "", namespace: bool = True, **variables: str) -> Done:
    """Run it in the place's namespace, with AWS credentials, whatever comes of it."""
    where = ["-n", place.name] if namespace else []
    variables = {**place.aws.environment(), **variables}
    return ecs_release(place.bed.cluster, *words, *where, environment=variables, stdin=stdin, check=False)


def complete(place: Place, *words: str) -> list[str]:
    """Ask kubectl itself for completions; returns the candidates without their descriptions, and the directive."""
    done = subprocess.run(
        [place.bed.cluster.kubectl_path, "__complete", "ecs-release", *words],
        capture_output=True, text=True, check=False, timeout=PLUGIN_S, env=shell(place.bed.cluster, **place.aws.environment()),
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
            stdin=theirs, stdout=theirs, stderr=theirs, env=shell(self.place.bed.cluster, **self.place.aws.environment()), start_new_session=True,
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

    def until(self, text: str, deadline_s: float = PATIENCE_S) -> str:
        """Read on until a text stands on the screen."""
        end = time.monotonic() + deadline_s
        while text not in self.shown:
            assert time.monotonic() < end, f"waited {deadline_s} s for {text!r} on\n{self.shown}"
            assert self._read(0.2) or self._process.poll() is None, f"it ended without {text!r}:\n{self.shown}"
        return self.shown

    def end(self, deadline_s: float = PATIENCE_S) -> int:
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
