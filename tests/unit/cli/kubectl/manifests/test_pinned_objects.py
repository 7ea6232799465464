"""Objects with pinned images, as a promotion or a rollback writes them."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import RELEASE_SET
from ecs_release.api.source import Source, SourceImage
from ecs_release.cli.kubectl.manifests import pinned_objects
from ecs_release.cli.kubectl.manifests.yaml_text import load_documents
from tests.unit.cli.kubectl.manifests.two_documents import TWO

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def source(*images: tuple[str, str, str | None]) -> Source:
    return Source(images=[SourceImage(container=c, digest=d, release_hash=h) for c, d, h in images])


@pytest.mark.parametrize(
    ("spec", "whole", "expected"),
    [
        ({"source": {"tag": "latest"}}, True, {"source": None, "overrides": ["api", "web"]}),
        ({"overrides": [{"service": "old", "source": {"tag": "x"}}]}, True, {"source": None, "overrides": ["api", "web"]}),
        ({"overrides": [{"service": "old", "source": {"tag": "x"}}]}, False, {"overrides": ["api", "web", "old"]}),
        ({"overrides": [{"service": "web", "source": {"tag": "x"}}]}, False, {"overrides": ["api", "web"]}),
    ],
    ids=["source goes", "overrides are replaced", "others stay", "an own one is replaced"],
)
def test_pinning(spec: dict[str, Any], whole: bool, expected: dict[str, Any]) -> None:
    pins = {"web": source(("app", A, "1a2b3c4")), "api": source(("app", B, None))}
    fields = pinned_objects.pin_fields(spec, pins, ["api", "web"], whole=whole)
    assert {**fields, "overrides": [o["service"] for o in fields["overrides"]]} == expected
    by_service = {o["service"]: o["source"] for o in fields["overrides"]}
    assert by_service["web"] == {"images": [{"container": "app", "digest": A, "releaseHash": "1a2b3c4"}]}


def test_a_live_object_becomes_a_manifest() -> None:
    body = {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "ReleaseSet",
        "metadata": {
            "name": "all",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 3,
            "managedFields": [{}],
            "labels": {"team": "shop"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "ecs-release.dev/retry": "1",
                "ecs-release.dev/applied-by": "ana",
                "argocd.argoproj.io/tracking-id": "x",
                "argocd.argoproj.io/sync-options": "Prune=confirm",
            },
        },
        "spec": {"serviceSet": "all"},
        "status": {"phase": "Ready"},
    }
    assert pinned_objects.manifest_of(body) == {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "ReleaseSet",
        "metadata": {
            "name": "all",
            "namespace": "shop",
            "labels": {"team": "shop"},
            "annotations": {"argocd.argoproj.io/sync-options": "Prune=confirm"},
        },
        "spec": {"serviceSet": "all"},
    }


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"metadata": {}}, True),
        ({"metadata": {"namespace": "other"}}, False),
        ({"kind": "Release"}, False),
        ({"spec": {}}, False),
    ],
)
def test_the_same_set_is_found_by_its_identity(change: dict[str, Any], same: bool) -> None:
    identity = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": "production"}}
    body = load_documents(TWO)[1]
    body["metadata"]["namespace"] = "shop"
    assert pinned_objects.has_identity({**body, **change}, RELEASE_SET, "shop", identity) is same


def test_steps_say_from_what_to_what() -> None:
    pins = {"web": source(("app", A, "v2")), "api": source(("app", B, None))}
    live = {"status": {"services": [{"name": "web", "hash": "v1"}]}}
    assert pinned_objects.steps(pins, live) == ["  web: v1 -> v2", f"  api: nothing known -> {'b' * 12}"]
    alone = {"status": {"summary": {"hash": "v1"}}}
    assert pinned_objects.steps({"web": pins["web"]}, alone) == ["  web: v1 -> v2"] and pinned_objects.steps({}, None) == []
