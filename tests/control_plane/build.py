"""Finds or builds the programs: from KUBEBUILDER_ASSETS, else from Go modules into a cache folder, once.

A build goes to a folder of its own and is then renamed, so that a killed one leaves nothing half-done; a lock keeps two from building at
once (cache.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.control_plane.cache import built, key_of
from tests.control_plane.compile import BuildError, compile_programs, say

VERSION = "v1.36.3"
_LINKER_FLAGS = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion={VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1"
    " -X k8s.io/component-base/version.gitMinor=36"
)
_PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
}
_ESTIMATE = "5 to 8 minutes on two cores with empty caches, then never again"

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
        folder = _built()
        given = {name: folder / name for name in _PROGRAMS} | given
    return Binaries(**{name.replace("-", "_"): str(path) for name, path in given.items()})


def _built() -> Path:
    return built("control-plane", f"{VERSION}-{key_of(_LINKER_FLAGS)}", _build, "the control plane")


def _build(folder: Path) -> None:
    say(f"building {', '.join(_PROGRAMS)} from Go modules: {_ESTIMATE}")
    compile_programs(_PROGRAMS, folder, _LINKER_FLAGS)
