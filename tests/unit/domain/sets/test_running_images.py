"""What runs before a set moves a service."""

from __future__ import annotations

import pytest

from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.sets.running_images import pinned_images, running_images
from tests.builders.ecs import NEW, OLD, deployment, revision, service, task
from tests.builders.objects import environment, project

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
TARGET = resolve_target(environment(), project(), "web")


def of(image: str) -> TaskDefinition:
    return TaskDefinition(revision(1), "web", 1, "ACTIVE", {"containerDefinitions": [{"name": "app", "image": image}]})


@pytest.mark.parametrize(
    ("image", "state", "digest"),
    [
        (f"{HOST}/shop/web@{NEW}", "COMPLETED", NEW),
        (f"{HOST}/shop/web:v1", "COMPLETED", OLD),
        (f"{HOST}/shop/web@{NEW}", "IN_PROGRESS", OLD),
        (f"public.ecr.aws/nginx/nginx@{NEW}", "COMPLETED", None),
    ],
)
def test_what_runs(image: str, state: str, digest: str | None) -> None:
    """The revision's digest where it is steady, else what tasks show; never another repository's."""
    seen = service(deployment(1, state=state), tasks=(task(1, OLD),))
    found = running_images(seen, of(image), TARGET)
    assert found == ({"app": digest} if digest else {})
    assert len(pinned_images(found, {}, TARGET)) == (1 if digest else 0)
