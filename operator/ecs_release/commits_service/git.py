"""Runs git: with an environment and a configuration of its own, without hooks, and within time, memory, size and output.

Settings go into the environment (`GIT_CONFIG_COUNT`), not on the command line, where other processes could read a credential.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Settings = tuple[tuple[str, str], ...]

_STDERR_BYTES = 16 * 1024
_CHUNK = 64 * 1024
_REAP_S = 10.0
# dash, bash and busybox count files in blocks of 512 bytes when they are called sh, and memory in KiB.
_LIMITED = 'ulimit -f "$0" && ulimit -v "$1" && shift && exec "$@"'
_BLOCK, _KIB = 512, 1024
_VERSION = re.compile(r"git version (\d+)\.(\d+)")
_OLDEST = (2, 39)

_ENVIRONMENT = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    # Asked for a commit that is not there, git would fetch it by itself, with all its trees.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
_SETTINGS: Settings = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.commitGraph", "true"),
    ("core.logAllRefUpdates", "false"),
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "256m"),
    ("core.deltaBaseCacheLimit", "32m"),
    ("core.bigFileThreshold", "16m"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("submodule.recurse", "false"),
    # That trees are missing is no damage: for packing anew and for checks, too.
    ("remote.origin.promisor", "true"),
    ("remote.origin.partialclonefilter", "tree:0"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.mailmap", "false"),
    ("log.showSignature", "false"),
)
LOCAL: Settings = (("protocol.allow", "never"),)
"""For all that does not fetch."""


class GitError(Exception):
    """Git could not be run to its end, or printed more than was asked for."""


@dataclass(frozen=True, slots=True)
class Done:
    """What git has printed. A negative code is a signal's."""

    code: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one git process may use: bytes of address space and of each file that it writes."""

    memory_bytes: int
    file_bytes: int


class Git:
    """The program git."""

    def __init__(self, bounds: Bounds, program: str | None = None) -> None:
        """Raises GitError if there is no git."""
        found = program or shutil.which("git")
        if found is None:
            raise GitError("git is not installed: the commits service needs git 2.39 or newer")
        self._program = found
        self._bounds = bounds

    async def check(self) -> str:
        """Return git's version. Raises GitError if it is too old, or if its limits cannot be set."""
        done = await self.ask(["version"], b"", folder=Path("/"), deadline_s=_REAP_S)
        match = _VERSION.match(done.stdout.decode(errors="replace"))
        version = (int(match[1]), int(match[2])) if match else (0, 0)
        if version < _OLDEST:
            raise GitError(f"{self._program} is {done.stdout.decode(errors='replace').strip()!r}: git 2.39 or newer is needed")
        return f"{version[0]}.{version[1]}"

    async def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        deadline_s: float,
        settings: Settings = LOCAL,
        most_bytes: int = 1024 * 1024,
    ) -> Done:
        """Run git on the bare repository `folder`, without `settings` without any access to the network.

        Raises GitError after `deadline_s`, or for more than `most_bytes` of output; the process and its children are killed.
        """
        limits = [str(self._bounds.file_bytes // _BLOCK), str(self._bounds.memory_bytes // _KIB)]
        starting = asyncio.ensure_future(asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _LIMITED, *limits, self._program, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=_environment(folder, settings), start_new_session=True, close_fds=True,
        ))  # fmt: skip
        return await self._finish(starting, arguments[0], deadline_s, most_bytes)

    async def ask(self, arguments: Sequence[str], stdin: bytes, *, folder: Path, deadline_s: float, most_bytes: int = 1024 * 1024) -> Done:
        """Run what reads its question from `stdin`, starts no other process and never reaches the network. Raises GitError as `run` does.

        It is faster than `run` by the start of a shell, and as strict: its limits are set before it gets to know the question.
        """
        starting = asyncio.ensure_future(asyncio.create_subprocess_exec(
            self._program, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=_environment(folder, LOCAL), process_group=0, close_fds=True,
        ))  # fmt: skip
        return await self._finish(starting, arguments[0], deadline_s, most_bytes, stdin, limit=self._limit)

    def _limit(self, process: asyncio.subprocess.Process) -> None:
        """Set the limits of a process that runs already. Raises GitError if the system does not let us."""
        if process.returncode is not None:
            return
        try:
            for kind, most in ((resource.RLIMIT_AS, self._bounds.memory_bytes), (resource.RLIMIT_FSIZE, self._bounds.file_bytes)):
                _, highest = resource.prlimit(process.pid, kind)
                bound = most if highest == resource.RLIM_INFINITY else min(most, highest)
                resource.prlimit(process.pid, kind, (bound, bound))
        except ProcessLookupError:
            return
        except OSError as error:
            raise GitError(f"the limits of git cannot be set (prlimit): {error.strerror}") from error

    @staticmethod
    async def _finish(
        starting: asyncio.Future[asyncio.subprocess.Process], name: str, deadline_s: float, most_bytes: int, stdin: bytes = b"",
        limit: Callable[[asyncio.subprocess.Process], None] = lambda _: None,
    ) -> Done:  # fmt: skip
        ended = False
        try:
            async with asyncio.timeout(deadline_s):
                process = await asyncio.shield(starting)
                limit(process)
                done = await _communicate(process, stdin, most_bytes)
            ended = True
        except TimeoutError as error:
            raise GitError(f"git {name} took longer than {deadline_s:g} s") from error
        finally:
            if not ended:
                await _despite_cancellation(lambda: _kill(starting))
        return done


async def _communicate(process: asyncio.subprocess.Process, stdin: bytes, most_bytes: int) -> Done:
    assert process.stdout is not None and process.stderr is not None
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(stdin)
            await process.stdin.drain()
        process.stdin.close()
    readers = (asyncio.ensure_future(_read(process.stdout, most_bytes)), asyncio.ensure_future(_tail(process.stderr, _STDERR_BYTES)))
    try:
        stdout, stderr = await asyncio.gather(*readers)
    finally:
        for reader in readers:
            reader.cancel()
        await _despite_cancellation(lambda: asyncio.wait(readers))
    return Done(await process.wait(), stdout, stderr.decode(errors="replace"))


async def _read(stream: asyncio.StreamReader, most_bytes: int) -> bytes:
    """Read to the end. Raises GitError for more than `most_bytes`."""
    parts, size = [], 0
    while chunk := await stream.read(_CHUNK):
        size += len(chunk)
        if size > most_bytes:
            raise GitError(f"git printed more than {most_bytes} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _tail(stream: asyncio.StreamReader, most_bytes: int) -> bytes:
    """Read to the end; returns the last bytes."""
    kept = b""
    while chunk := await stream.read(_CHUNK):
        kept = (kept + chunk)[-most_bytes:]
    return kept


async def _kill(starting: asyncio.Future[asyncio.subprocess.Process]) -> None:
    """Kill a process and its children: those of a fetch outlive git itself. It may be called again if it is cancelled."""
    if starting.done() and (starting.cancelled() or starting.exception() is not None):
        return
    process = await asyncio.shield(starting)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # To their ends, or asyncio keeps the pipes open.
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(_CHUNK):
            pass
    await process.wait()


async def _despite_cancellation(work: Callable[[], Awaitable[object]]) -> None:
    """Do what must be done to its end, also if this is cancelled meanwhile, which is raised afterwards; for at most ten seconds."""
    until = asyncio.get_running_loop().time() + _REAP_S
    cancelled: asyncio.CancelledError | None = None
    while asyncio.get_running_loop().time() < until:
        try:
            async with asyncio.timeout_at(until):
                await work()
            break
        except TimeoutError:
            break
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _environment(folder: Path, settings: Settings) -> dict[str, str]:
    """Make the whole environment: nothing of our own but PATH goes into it."""
    given = _SETTINGS + settings
    environment = {**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), "GIT_DIR": str(folder), "GIT_CONFIG_COUNT": str(len(given))}
    if ("protocol.https.allow", "always") not in settings:
        # A host may have said that history ends somewhere: nothing here takes its word for that, and what is missing is an error.
        environment["GIT_SHALLOW_FILE"] = ""
    for number, (name, value) in enumerate(given):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment
