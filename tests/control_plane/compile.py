"""Compiles Go programs and says how far it is.

All are of one module, whose go.mod and go.sum pin everything: what two of them have in common is compiled once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from tests.control_plane.processes import start_process

MODULE = Path(__file__).parent / "module"
_DEADLINE_S = 3000
_REPORT_S = 20
_MINIMUM = (1, 26)


class BuildError(RuntimeError):
    """The control plane could not be built; the message says what to do."""


def say(text: str, end: str = "\n") -> None:
    """Tell the person who waits; stdout is for what programs read."""
    print(f"control plane: {text}", end=end, file=sys.stderr, flush=True)


def go_version() -> str:
    """Return Go's version. Raises BuildError where there is no Go, or one that is too old."""
    advice = "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS or KUBECONFIG_TEST"
    if shutil.which("go") is None:
        raise BuildError(f"Go is needed to build the control plane for tests: {advice}")
    done = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False, timeout=300)
    version = done.stdout.strip()
    numbers = version.removeprefix("go").split("-")[0].split(".")[:2]
    if done.returncode or not all(n.isdigit() for n in numbers) or tuple(map(int, numbers)) < _MINIMUM:
        raise BuildError(f"Go is {version or done.stderr.strip() or 'of an unknown version'}: {advice}")
    return version


def compile_programs(programs: Mapping[str, str], folder: Path, linker_flags: str) -> None:
    """Build programs (names and packages) into a folder. Raises BuildError, or subprocess.TimeoutExpired after 50 minutes.

    Go's cache has what another call has compiled: of what decides that, only the linker's flags may differ between calls.
    """
    names = ", ".join(programs)
    # GOGC is the compiler's own: collecting garbage less often takes a fifth of its time away, for at most 150 MB more.
    environment = {"GOGC": "400", **os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    say(f"{names}: fetching modules")
    listed = subprocess.run(
        ["go", "list", "-deps", *programs.values()],
        cwd=MODULE, env=environment, capture_output=True, text=True, check=False, timeout=_DEADLINE_S,
    )  # fmt: skip
    if listed.returncode:
        raise BuildError(f"Go could not fetch the modules of {MODULE / 'go.mod'}: check the network and GOPROXY:\n{listed.stderr[-4000:]}")
    command = ["go", "build", "-v", "-trimpath", "-ldflags", linker_flags, "-o", f"{folder}/", *programs.values()]
    with start_process(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True) as build:
        printed = _follow(build, names, len(listed.stdout.splitlines()))
    if build.returncode:
        raise BuildError(f"{' '.join(command)} failed in {MODULE}:\n{printed}")
    for name, package in programs.items():
        # Go names a program after its package, without a major version at the end.
        (folder / re.sub(r"/v[0-9]+$", "", package).rsplit("/", 1)[1]).rename(folder / name)


def _follow(build: subprocess.Popen[str], names: str, packages: int) -> str:
    """Report until the build ends: `go build -v` prints a line for each package that it compiles. Returns the end of what it printed."""
    begun = time.monotonic()
    compiled = 0
    printed: deque[str] = deque(maxlen=60)
    ended = threading.Event()
    terminal = sys.stderr.isatty() and not os.environ.get("CI")

    def report() -> None:
        while not ended.wait(1 if terminal else _REPORT_S):
            if time.monotonic() - begun > _DEADLINE_S:
                build.kill()
            say(_progress(names, compiled, packages, time.monotonic() - begun), end="\r" if terminal else "\n")

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        for line in build.stderr or ():
            compiled += 1
            printed.append(line)
        build.wait()
    except BaseException:
        build.kill()
        raise
    finally:
        ended.set()
        reporter.join()
    elapsed_s = time.monotonic() - begun
    if elapsed_s > _DEADLINE_S:
        raise subprocess.TimeoutExpired("go build", _DEADLINE_S)
    say(f"{names}: done in {elapsed_s:.0f} s".ljust(100 if terminal else 0))
    return "".join(printed)


def _progress(names: str, compiled: int, packages: int, elapsed_s: float) -> str:
    """Word how far it is. What Go's own cache holds is not compiled: the estimate is an upper bound."""
    if compiled >= packages:
        return f"{names}: linking, {elapsed_s:.0f} s"
    left_s = elapsed_s / max(compiled, 1) * (packages - compiled)
    estimate = f", at most {max(1, round(left_s / 60))} min left" if compiled else ""
    return f"{names}: {compiled} of at most {packages} packages, {elapsed_s:.0f} s{estimate}"
