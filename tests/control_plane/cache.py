"""The cache of built programs: a folder for each set of them, whole or not at all, built once however many ask for it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.control_plane.compile import MODULE, BuildError, go_version, say

_KEPT_UNUSED_S = 30 * 86400


def key_of(said: str) -> str:
    """Sum up all that decides what is built: the module, Go's version, and what else is said."""
    digest = hashlib.sha256(f"{said} {go_version()}".encode())
    for path in sorted(MODULE.glob("go.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def built(kind: str, key: str, build: Callable[[Path], object], what: str) -> Path:
    """Return the folder of what is built, building it first where it is not there: `build` gets a folder to build into.

    Folders of the same kind that nobody used for a month are removed. `what` is built, in words. Raises BuildError.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(base) / "ecs-release-operator"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{kind}-{key}"
    if not folder.is_dir():
        with _locked(cache / f"{folder.name}.lock", what):
            if not folder.is_dir():
                _build(folder, build, what)
                _remove_unused(cache, kind)
    os.utime(folder)
    return folder


@contextlib.contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is building {what}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path, build: Callable[[Path], object], what: str) -> None:
    begun = time.monotonic()
    made = folder.with_name(f"{folder.name}.building")
    # What a killed build has left: we hold the lock, nobody else writes there.
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        build(made)
        made.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{what}: not built within {error.timeout:.0f} s: is the network slow? run make again, it resumes") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    say(f"built in {time.monotonic() - begun:.0f} s, kept in {folder}")


def _remove_unused(cache: Path, kind: str) -> None:
    """Remove what other versions of the modules built and nobody used for long: a control plane is 280 MB."""
    for folder in cache.glob(f"{kind}-*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEPT_UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)
