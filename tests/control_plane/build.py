"""Finds or builds the binaries: from KUBEBUILDER_ASSETS, else from Go modules into a cache folder, once.

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
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
VERSION = "v1.36.3"
_FLAGS = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion={VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1"
    " -X k8s.io/component-base/version.gitMinor=36"
)
_PACKAGES = {
    "etcd": {"etcd": "go.etcd.io/etcd/server/v3"},
    "kubernetes": {
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
}
_ESTIMATE = "5 to 8 minutes on two cores with empty caches, then never again"
_BUILD_DEADLINE_S = 3600


class BuildError(RuntimeError):
    """The control plane could not be built; the message says what to do."""


@dataclass(frozen=True)
class Binaries:
    """Where the programs are."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        """Return a program's path: `binaries.kube_apiserver`."""
        return str(self.folder / name.replace("_", "-"))


def binaries() -> Binaries:
    """Return the programs, building them first where they are not there."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return Binaries(Path(assets))
    folder = _cache() / f"control-plane-{_key()}"
    if not folder.is_dir():
        with _locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():
                _build(folder)
    return Binaries(folder)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "ecs-release-operator"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key() -> str:
    """Sum up all that decides what is built."""
    digest = hashlib.sha256(_FLAGS.encode())
    for path in sorted(MODULES.glob("*/go.*")):
        digest.update(path.read_bytes())
    return f"{VERSION}-{digest.hexdigest()[:12]}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is building the control plane; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise BuildError(
            "Go is needed to build the control plane for tests: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS or KUBECONFIG_TEST"
        )
    _say(f"building kube-apiserver, kube-controller-manager, kubectl and etcd from Go modules: {_ESTIMATE}")
    begun = time.monotonic()
    made = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    try:
        for module, packages in _PACKAGES.items():
            for program, package in packages.items():
                _build_one(go, MODULES / module, package, made / program, begun)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _say(f"built in {time.monotonic() - begun:.0f} s, kept in {folder}")


def _build_one(go: str, module: Path, package: str, output: Path, begun: float) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    command = [go, "build", "-trimpath", "-ldflags", _FLAGS, "-o", str(output), package]
    with _progress(output.name, begun):
        done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False, timeout=_BUILD_DEADLINE_S)
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed in {module}:\n{done.stderr[-4000:]}")


@contextlib.contextmanager
def _progress(name: str, begun: float) -> Iterator[None]:
    """Say every 30 seconds (every second on a terminal) that it still goes on."""
    done = threading.Event()
    terminal = sys.stderr.isatty()

    def report() -> None:
        while not done.wait(1 if terminal else 30):
            _say(f"building {name}, {time.monotonic() - begun:.0f} s so far", end="\r" if terminal else "\n")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    _say(f"built {name} after {time.monotonic() - begun:.0f} s")


def _say(text: str, end: str = "\n") -> None:
    print(f"control plane: {text}", end=end, file=sys.stderr, flush=True)
