"""The operator and its CRDs are replaced in the middle of a rollout: by those of this checkout, and by those of the last release.

The last release is what `make release-keep` has kept: its code is run with the libraries of this checkout, since its own are not kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from zipfile import ZipFile

from tests.e2e.bed import Place
from tests.release.project import OPERATOR, PREVIOUS, ROOT
from tests.reliability.calls import CODE
from tests.reliability.disturbances import Disturbance, Stage
from tests.reliability.scenarios import Scenario

TIME_SCALE = 15.0
"""Of AWS: a slow rollout lasts for longer than two processes take to start."""
OURS, LAST = "ours", "the last release's"
_BOTH_S = 1.0
"""How long an operator runs beside CRDs that are not its own: an upgrade replaces CRDs first, a downgrade last."""
_FOLDER = "last-release"
_CRDS = {OURS: ROOT / "crds", LAST: ROOT / PREVIOUS / "crds"}


def _prepare(place: Place) -> None:
    """Use nothing that either version does not have."""
    place.service("v1")
    place.push("slow.v2", "v2")
    place.push("v3")
    place.environment(rollout={"settleSeconds": 0})
    place.project()
    place.release("v1")


def _release_twice(place: Place) -> None:
    place.wait("Succeeded")
    for tag in ("v2", "v3"):
        place.release(tag)
        place.wait("Succeeded")


_REQUESTED = ("Requested", "Succeeded")
RELEASES = Scenario(_prepare, _release_twice, {"web": [_REQUESTED, _REQUESTED, ("Adopted", "Succeeded")]}, updates=2, revisions=2)
"""What is disturbed: the first of two releases."""


def _environment(stage: Stage, version: str) -> dict[str, str]:
    """Return what lets a process find the code of a version."""
    if version == OURS:
        return {"PYTHONPATH": str(ROOT)}
    folder = stage.operator.folder / _FOLDER
    if not folder.exists():
        with ZipFile(ROOT / PREVIOUS / OPERATOR) as kept:
            kept.extractall(folder)
    # Its name before 0.1 for how long a changing call may take to show.
    return {"PYTHONPATH": f"{folder}:{ROOT}", "ECS_RELEASE_READ_LAG_SECONDS": "1"}


def _begin_with(version: str, stage: Stage) -> Mapping[str, str]:
    stage.cluster.install_crds(_CRDS[version])
    return _environment(stage, version)


def _go_on_with(versions: tuple[str, ...], stage: Stage) -> None:
    for version in versions:
        if version == OURS:
            stage.cluster.install_crds(_CRDS[OURS])
            time.sleep(_BOTH_S)
        stage.operator.restart(_environment(stage, version))
        stage.operator.wait_until_ready()
        runs = stage.operator.log.read_text().rpartition(CODE)[2].partition("\n")[0]
        if (_FOLDER in runs) is not (version == LAST):
            raise AssertionError(f"{version} code should run, not that of {runs}")
        if version == LAST:
            stage.cluster.install_crds(_CRDS[LAST])
        time.sleep(_BOTH_S)


def _replaced(first: str, *then: str) -> Disturbance:
    return Disturbance(partial(_go_on_with, then), partial(_begin_with, first))


UPGRADES: Mapping[str, Disturbance] = MappingProxyType(
    {
        "from the last release": _replaced(LAST, OURS),
        "back to the last release": _replaced(OURS, LAST),
        "from the last release, and back": _replaced(LAST, OURS, LAST),
    }
)
