"""Who else writes an object: told by what Argo CD, Flux, Helm and a ReleaseSet leave on it, and by nothing that is only copied."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.cli.kubectl.changes.field_owners import git_owner, owner, release_set_of

ARGO = "argocd.argoproj.io/tracking-id"
INSTANCE = "app.kubernetes.io/instance"
MINE = "ecs-release.dev/Release:shop/web"


def release(annotations: Any = None, labels: Any = None, managers: tuple[str, ...] = (), owners: Any = None) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "annotations": annotations, "labels": labels, "ownerReferences": owners}
    return {"kind": "Release", "metadata": {**meta, "managedFields": [{"manager": m} for m in managers]}, "spec": {}}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (release(), None),
        (release({ARGO: f"shop:{MINE}"}), "Argo CD (Application shop)"),
        (release({ARGO: f"team_shop:{MINE}"}), "Argo CD (Application team/shop)"),
        (release({ARGO: "shop:ecs-release.dev/ReleaseSet:shop/all"}), None),
        (release({ARGO: "shop:ecs-release.dev/Release:other/web"}), None),
        (release({ARGO: "nonsense"}), None),
        (release(labels={INSTANCE: "shop"}), None),
        (release(labels={INSTANCE: "shop"}, managers=("kubectl",)), None),
        (release(labels={INSTANCE: "shop"}, managers=("argocd-controller",)), "Argo CD (Application shop)"),
        (release(labels={INSTANCE: "shop"}, managers=("argocd-application-controller",)), "Argo CD (Application shop)"),
        (release({ARGO: "shop:ecs-release.dev/ReleaseSet:shop/all"}, {INSTANCE: "shop"}, ("argocd-controller",)), None),
        (
            release(labels={"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}),
            "Flux (Kustomization flux-system/apps)",
        ),
        (release(labels={"helm.toolkit.fluxcd.io/name": "shop"}), "Flux (HelmRelease shop)"),
        (release({"meta.helm.sh/release-name": "shop"}, {"app.kubernetes.io/managed-by": "Helm"}), "Helm (release shop)"),
        (release({"meta.helm.sh/release-name": "shop"}), None),
    ],
)
def test_owners(body: dict[str, Any], what: str | None) -> None:
    found = git_owner(body)
    assert (found.what if found else None) == what
    assert owner(body) == found


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ({"apiVersion": "ecs-release.dev/v1alpha1", "kind": "ReleaseSet", "name": "all", "controller": True}, "all"),
        ({"apiVersion": "ecs-release.dev/v1alpha1", "kind": "ReleaseSet", "name": "all"}, ""),
        ({"apiVersion": "apps/v1", "kind": "ReleaseSet", "name": "all", "controller": True}, ""),
        ({"apiVersion": "ecs-release.dev/v1alpha1", "kind": "Project", "name": "all", "controller": True}, ""),
    ],
)
def test_children_name_their_set(reference: dict[str, Any], name: str) -> None:
    body = release(owners=[reference])
    assert release_set_of(body) == name
    assert (owner(body) is not None) is bool(name) and git_owner(body) is None
