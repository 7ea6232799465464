"""The files of examples/argo-cd on a real API server, and in kubectl's Kustomize."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.argo_cd import EXAMPLES
from tests.argo_cd_page import CONFIG_MAP
from tests.control_plane.cluster import Cluster

REPOSITORY = EXAMPLES / "repository"
ADMIN = {"url": "https://argocd.example.com", "admin.enabled": "false"}


def test_the_repository_is_admitted(cluster: Cluster, namespace: str) -> None:
    """Each of our manifests, whole and in strict validation: a field that the CRD does not know would be refused."""
    for folder in ("environments", "shop/project", "shop/staging", "shop/production"):
        for path in sorted((REPOSITORY / folder).glob("*.yaml")):
            text = path.read_text().replace("namespace: shop\n", f"namespace: {namespace}\n")
            said = cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
            assert "serverside-applied" in said, path


def test_the_config_map_merges_into_one_that_is_there(cluster: Cluster, namespace: str) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": namespace}, "data": ADMIN})
    cluster.kubectl("patch", "configmap", "argocd-cm", "-n", namespace, "--patch-file", str(CONFIG_MAP))
    wanted = yaml.safe_load(CONFIG_MAP.read_text())["data"]
    assert cluster.get("configmap", "argocd-cm", "-n", namespace)["data"] == {**ADMIN, **wanted}


@pytest.mark.parametrize("meta", [{"name": "argocd-cm"}, {"name": "argocd-cm", "namespace": "argocd"}], ids=["bare", "with a namespace"])
def test_the_component_patches_argocd_cm(cluster: Cluster, tmp_path: Path, meta: dict[str, str]) -> None:
    component = tmp_path / "component"
    component.mkdir()
    for name in ("kustomization.yaml", "argocd-cm.yaml"):
        (component / name).write_text((EXAMPLES / name).read_text())
    (tmp_path / "install.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": ADMIN}))
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["install.yaml"], "components": ["component"]}))
    (built,) = yaml.safe_load_all(cluster.kubectl("kustomize", str(tmp_path)))
    assert built["data"] == {**ADMIN, **yaml.safe_load(CONFIG_MAP.read_text())["data"]}
    assert built["metadata"] == meta
