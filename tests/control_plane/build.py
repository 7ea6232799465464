"""Finds or builds the programs: from KUBEBUILDER_ASSETS, else from Go modules into a cache folder, once.

The modules' go.mod and go.sum pin everything. A build goes to a folder of its own and is then renamed, so that a killed one leaves
nothing half-done; a lock keeps two from building at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.control_plane.compile import BuildError, compile_programs, go_version, say

MODULES = Path(__file__).parent / "modules"
VERSION = "v1.36.3"
_LINKER_FLAGS = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion={VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1"
    " -X k8s.io/component-base/version.gitMinor=36"
)
_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kubectl")
_PROGRAMS = (*_KUBERNETES, "etcd")
_ESTIMATE = "5 to 8 minutes on two cores with empty caches, then never again"
_KEPT_UNUSED_S = 30 * 86400

__all__ = ["VERSION", "Binaries", "BuildError", "binaries"]


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs' paths."""

    kube_apiserver: str
    kube_controller_manager: str
    kubectl: str
    etcd: str


def binaries() -> Binaries:
    """Return the programs, building them first where they are not there.

    envtest's assets hold no kube-controller-manager: what KUBEBUILDER_ASSETS lacks is taken from our own build. Raises BuildError.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    given = {name: Path(assets) / name for name in _PROGRAMS if (Path(assets) / name).is_file()} if assets else {}
    if len(given) < len(_PROGRAMS):
        built = _built()
        given = {name: built / name for name in _PROGRAMS} | given
    return Binaries(**{name.replace("-", "_"): str(path) for name, path in given.items()})


def _built() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(base) / "ecs-release-operator"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"control-plane-{_key()}"
    if not folder.is_dir():
        with _locked(cache / f"{folder.name}.lock"):
            if not folder.is_dir():
                _build(folder)
                _remove_unused(cache)
    os.utime(folder)
    return folder


def _key() -> str:
    """Sum up all that decides what is built."""
    digest = hashlib.sha256(f"{_LINKER_FLAGS} {go_version()}".encode())
    for path in sorted(MODULES.glob("*/go.*")):
        digest.update(path.read_bytes())
    return f"{VERSION}-{digest.hexdigest()[:12]}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building the control plane; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    say(f"building {', '.join(_PROGRAMS)} from Go modules: {_ESTIMATE}")
    begun = time.monotonic()
    made = folder.with_name(f"{folder.name}.building")
    # What a killed build has left: we hold the lock, nobody else writes there.
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        compile_programs(MODULES / "etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, made, _LINKER_FLAGS)
        compile_programs(MODULES / "kubernetes", {name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES}, made, _LINKER_FLAGS)
        made.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"the control plane was not built within {error.timeout:.0f} s: is the network slow? run make again, it resumes"
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    say(f"built in {time.monotonic() - begun:.0f} s, kept in {folder}")


def _remove_unused(cache: Path) -> None:
    """Remove what other versions of the modules built and nobody used for long: 280 MB each."""
    for folder in cache.glob("control-plane-*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEPT_UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)
