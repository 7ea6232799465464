"""Child processes that never outlive us: not after a failure, not after Ctrl-C, not when we are killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec a lock that another thread held would never be given back.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
# The kernel takes the thread that forked for the parent (prctl(2)), and kills the child when that thread ends: one that lives as long as
# we do starts them all, whoever asks.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="process-starter")


def start_process(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program that Linux kills when we die, by whatever cause. Options are those of subprocess.Popen.

    Elsewhere it lives until it is stopped.
    """
    if _libc is not None:
        options["preexec_fn"] = _die_with_parent
    return _starter.submit(subprocess.Popen, command, **options).result()


def _die_with_parent() -> None:
    """Runs in the child, before the program: no imports, no locks."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ChildProcess:
    """One program that runs beside us, with its output in a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start it. `log` receives all that it prints."""
        self.name = name
        self.log = log
        with log.open("ab") as file:
            self._process = start_process(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=None if environment is None else dict(environment),
                # Ctrl-C is for us: we end it in its turn.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Wait until it is ready. Raises RuntimeError with the end of its log where it ends or takes too long."""
        until = time.monotonic() + deadline_s
        while not ready():
            if self.exit_code is not None:
                raise RuntimeError(f"{self.name} ended with {self.exit_code}:\n{self.tail()}")
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} was not ready within {deadline_s:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, size: int = 4000) -> str:
        """Return the end of what it printed."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - size))
            return file.read().decode(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended gets none, for its id may be another's by now."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Hold it, alive but answering nothing, as a hung host would be."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def stop(self, patience_s: float = 5) -> int | None:
        """Ask it to end, and kill it where it does not. Returns its exit code."""
        if self.exit_code is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.exit_code

    def kill(self) -> None:
        """Kill it."""
        self.signal(signal.SIGKILL)
        self._process.wait(10)
