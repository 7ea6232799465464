"""Runs git in the user's own clone: read only, without network, hooks and pager, and within a deadline.

The user's configuration and environment stay in force (safe.directory, insteadOf), except for what would change the output or start
programs. Unlike the commits service, this reads a repository that its user has chosen to have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator

_DEADLINE_S = 60.0
_LONGEST_LINE = 64 * 1024
_MOST_BYTES = 16 * 1024 * 1024
_STDERR_BYTES = 4096

_ENVIRONMENT = {
    "LC_ALL": "C",
    # Asked for an object that a partial clone lacks, git would fetch it; versions that do not know the first are stopped by the second.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    # Replacements are the user's own view of the history: the graph is what the hashes say.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.commitGraph=true",
    "log.showSignature=false",
    "log.mailmap=false",
    "i18n.logOutputEncoding=UTF-8",
    "color.ui=false",
)
# `git rev-parse --local-env-vars`: what points git at a repository, as in a hook. It must not win over a folder that was named.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE",
)  # fmt: skip


class GitFailed(Exception):
    """Git could not be run, or failed; the message has git's words."""


class Git:
    """Git in one folder."""

    def __init__(self, folder: str = "") -> None:
        """`folder` is in the repository; empty: the current folder, or what GIT_DIR says."""
        self._folder = folder

    def output(self, *arguments: str, stdin: str = "") -> str:
        """Run git and return what it prints. Raises GitFailed, also for more than 16 MiB."""
        found, size = list[str](), 0
        for line in self.lines(*arguments, stdin=stdin):
            size += len(line) + 1
            if size > _MOST_BYTES:
                raise GitFailed(f"git {arguments[0]} printed more than {_MOST_BYTES} bytes")
            found.append(line)
        return "\n".join(found)

    def lines(self, *arguments: str, stdin: str = "") -> Iterator[str]:
        """Run git and yield the lines that it prints, however many; read them all. Raises GitFailed, after 60 seconds, too.

        A line is cut at 64 KiB: the rest comes as another one.
        """
        # In files: neither a full pipe to git nor one from it may block the other.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
            given.write(stdin.encode(errors="surrogateescape"))
            given.seek(0)
            command = [_program(), *(["-C", self._folder] if self._folder else []), "--no-pager"]
            command += [part for setting in _SETTINGS for part in ("-c", setting)]
            try:
                process = subprocess.Popen(  # noqa: S603
                    [*command, *arguments], stdin=given, stdout=subprocess.PIPE, stderr=errors, env=self._environment()
                )
            except (OSError, ValueError) as error:
                raise GitFailed(f"git cannot be run: {error}") from error
            assert process.stdout is not None
            timer = threading.Timer(_DEADLINE_S, process.kill)
            timer.start()
            try:
                while line := process.stdout.readline(_LONGEST_LINE):
                    yield line.decode(errors="replace").rstrip("\n")
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
                process.stdout.close()
                process.wait()
            if code:
                errors.seek(0)
                raise GitFailed(_reason(arguments[0], code, errors.read(_STDERR_BYTES).decode(errors="replace")))

    def _environment(self) -> dict[str, str]:
        left = {name: value for name, value in os.environ.items() if not (self._folder and name in _LOCAL)}
        return left | _ENVIRONMENT


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitFailed("git is not installed")
    return found


def _reason(command: str, code: int, stderr: str) -> str:
    """Return git's own reason: its first line of an error."""
    if code < 0:
        return f"git {command} was ended after {_DEADLINE_S:g} s" if code == -9 else f"git {command} was ended by signal {-code}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else f"exit code {code}")
    return said.removeprefix("fatal: ").removeprefix("error: ")
