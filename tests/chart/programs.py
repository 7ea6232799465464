"""`python -m tests.chart.programs` builds helm and kubeconform from Go modules, unless they are there; tests find them the same way."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.control_plane.cache import built, key_of
from tests.control_plane.compile import BuildError, compile_programs, say

_PROGRAMS = {"helm": "helm.sh/helm/v3/cmd/helm", "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"}
# What helm takes for the cluster's version where there is none to ask: the one that we test on.
_LINKER_FLAGS = (
    "-s -w"
    " -X helm.sh/helm/v3/internal/version.version=v3.21.4"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36"
    " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=36"
)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs' paths."""

    helm: str
    kubeconform: str


@cache
def programs() -> Programs:
    """Return the programs, building them first where they are not there. Raises BuildError."""
    folder = built("chart-tools", key_of(_LINKER_FLAGS), _build, "helm and kubeconform")
    return Programs(str(folder / "helm"), str(folder / "kubeconform"))


def _build(folder: Path) -> None:
    say(
        "building helm and kubeconform from Go modules: half a minute on two cores right after the control plane,"
        " 2 to 5 minutes with empty caches, then never again"
    )
    compile_programs(_PROGRAMS, folder, _LINKER_FLAGS)


if __name__ == "__main__":
    try:
        programs()
    except (BuildError, OSError) as error:
        sys.exit(f"chart: {error}")
