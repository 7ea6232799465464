"""From the last release's CRDs to ours: objects that are there stay what they are, and can still be written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.apiserver.conftest import CRDS
from tests.control_plane.cluster import Cluster
from tests.control_plane.control_plane import control_plane
from tests.release.project import PREVIOUS, ROOT

OLD = {sample["kind"]: sample for sample in yaml.safe_load_all((ROOT / PREVIOUS / "samples.yaml").read_text())}
CONDITION = {
    "type": "Ready", "status": "True", "reason": "Succeeded", "message": "as it was", "lastTransitionTime": "2026-05-04T12:00:00Z",
    "observedGeneration": 1,
}  # fmt: skip
STATUS = {"observedGeneration": 1, "conditions": [CONDITION]}


@pytest.fixture(scope="module")
def upgraded() -> Iterator[tuple[Cluster, dict[str, Any]]]:
    """A cluster where objects were made, and their status written, before our CRDs came; and these objects as they were."""
    with control_plane() as cluster:
        cluster.install_crds(ROOT / PREVIOUS / "crds")
        for kind, sample in OLD.items():
            cluster.apply(sample)
            cluster.kubectl(
                "patch",
                kind,
                sample["metadata"]["name"],
                "--subresource=status",
                "--type=merge",
                "--patch",
                yaml.safe_dump({"status": STATUS}),
            )
        before = {kind: cluster.get(kind, sample["metadata"]["name"]) for kind, sample in OLD.items()}
        cluster.install_crds(CRDS)
        yield cluster, before


@pytest.mark.parametrize("kind", OLD)
def test_spec_and_status_are_kept(upgraded: tuple[Cluster, dict[str, Any]], kind: str) -> None:
    """New fields may have got their defaults; what was said stays said."""
    cluster, before = upgraded
    after = cluster.get(kind, OLD[kind]["metadata"]["name"])

    assert missing(before[kind]["spec"], after["spec"]) == []
    assert missing(before[kind]["status"], after["status"]) == []
    assert after["status"]["conditions"][0]["message"] == "as it was"
    assert after["metadata"]["generation"] == before[kind]["metadata"]["generation"]


@pytest.mark.parametrize("kind", OLD)
def test_they_can_still_be_written(upgraded: tuple[Cluster, dict[str, Any]], kind: str) -> None:
    """Applied as before, nothing changes; labels and status are written as ever."""
    cluster, _ = upgraded
    name = OLD[kind]["metadata"]["name"]

    assert "unchanged" in cluster.apply(OLD[kind])
    cluster.kubectl("label", kind, name, "upgraded=yes")
    newer = {"status": {"conditions": [{**CONDITION, "message": "newer"}]}}
    cluster.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "--patch", yaml.safe_dump(newer))

    after = cluster.get(kind, name)
    assert after["status"]["conditions"][0]["message"] == "newer"
    assert after["status"]["observedGeneration"] == 1


def missing(old: Any, new: Any, path: str = "") -> list[str]:
    """List what the old one said and the new one does not."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [what for key, value in old.items() for what in missing(value, new.get(key), f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [what for n, (a, b) in enumerate(zip(old, new, strict=True)) for what in missing(a, b, f"{path}[{n}]")]
    return [] if old == new else [f"{path}: {old!r} became {new!r}"]
