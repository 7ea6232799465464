"""No name becomes another path, or a query."""

from __future__ import annotations

import pytest

from ecs_release.domain.model.api_paths import ApiPath, all_objects, core_path, group_path, object_path, objects_in
from ecs_release.domain.model.errors import NotFound
from tests.builders.hostile_objects import TEXTS

OURS = "/apis/ecs-release.dev/v1alpha1"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (all_objects("Release"), f"{OURS}/releases"),
        (objects_in("ReleaseSet", "shop"), f"{OURS}/namespaces/shop/releasesets"),
        (object_path("Release", "shop", "web.v1"), f"{OURS}/namespaces/shop/releases/web.v1"),
        (object_path("Environment", "", "prod"), f"{OURS}/environments/prod"),
        (object_path("Environment", "shop", "prod"), f"{OURS}/environments/prod"),
        (object_path("Release", "shop", "web").below("status"), f"{OURS}/namespaces/shop/releases/web/status"),
        (core_path("namespaces", "shop"), "/api/v1/namespaces/shop"),
        (group_path("events.k8s.io", "namespaces", "shop", "events"), "/apis/events.k8s.io/v1/namespaces/shop/events"),
    ],
)
def test_paths(path: ApiPath, said: str) -> None:
    assert str(path) == said


@pytest.mark.parametrize(
    ("path", "namespace"),
    [
        (object_path("Release", "shop", "namespaces"), "shop"),
        (object_path("Environment", "", "namespaces").below("status"), ""),
        (all_objects("Release"), ""),
        (core_path("namespaces", "shop"), "shop"),
        (group_path("events.k8s.io", "namespaces", "shop", "events"), "shop"),
    ],
)
def test_a_path_is_in_a_namespace(path: ApiPath, namespace: str) -> None:
    assert path.namespace == namespace


@pytest.mark.parametrize(
    "name", [*TEXTS, "", ".", "a/b", "a//b", "%2e", "A", "a_b", "a..b", "-a", "a-", "a" * 254, "web?x", "web#x", "web\n"]
)
def test_what_cannot_be_a_name_has_no_path(name: str) -> None:
    for make in (
        lambda: object_path("Release", "shop", name),
        lambda: object_path("Release", name, "web"),
        lambda: objects_in("Release", name),
        lambda: core_path("namespaces", name),
        lambda: core_path("namespaces").below(name),
    ):
        with pytest.raises(NotFound, match="no name that an object can have"):
            make()
