"""What runs before a set moves a service."""

from __future__ import annotations

import pytest

from ecs_release.domain.ecs.service import RegistryImage, TaskDefinition
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.sets.running_images import LookedUp, pinned_images, running_images, shown_digests
from tests.builders.ecs import NEW, OLD, OTHER, deployment, revision, service, task
from tests.builders.objects import environment, project

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
TARGET = resolve_target(environment(), project(), "web")
BY_TAG = resolve_target(environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.prod"}), project(), "web")
ARM, INTEL, INDEX = OLD, OTHER, NEW
LIST = RegistryImage(INDEX, ("env.prod",), (ARM, INTEL))
TAGGED, UNTAGGED = RegistryImage(ARM, ("ref.1",)), RegistryImage(ARM)


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


@pytest.mark.parametrize(
    ("what", "shown", "looked_up", "by_tag", "digest"),
    [
        ("the tag names the list", (ARM,), LookedUp(LIST), True, INDEX),
        ("tasks of two platforms run", (ARM, INTEL, INTEL), LookedUp(LIST), True, INDEX),
        ("tasks of two platforms run, and the base names a tag", (ARM, INTEL), LookedUp(LIST), False, INDEX),
        ("tasks show the list itself", (INDEX,), LookedUp(LIST), True, INDEX),
        ("the tag names an image of one platform", (ARM,), LookedUp(TAGGED), True, ARM),
        ("the tag has moved on, and another list names it", (ARM,), LookedUp(None, {ARM: UNTAGGED}, {ARM: LIST}), True, INDEX),
        ("the tag has moved on, and it has a tag of its own", (ARM,), LookedUp(None, {ARM: TAGGED}), True, ARM),
        ("it may be of a list without a tag", (ARM,), LookedUp(None, {ARM: UNTAGGED}), True, None),
        ("it is not in the registry", (ARM,), LookedUp(), True, None),
        ("it may be of a list without a tag, and the revision is ours", (ARM,), LookedUp(None, {ARM: UNTAGGED}), False, ARM),
        ("two of them may be of such a list", (ARM, INTEL), LookedUp(None, {ARM: UNTAGGED}), False, None),
    ],
)
def test_what_was_released_is_kept(what: str, shown: tuple[str, ...], looked_up: LookedUp, by_tag: bool, digest: str | None) -> None:
    """ECS may show the digest of a platform: to keep that would deploy it, or move the environment's tag from the list to it."""
    seen = service(deployment(1), tasks=tuple(task(1, d) for d in shown))
    target = BY_TAG if by_tag else TARGET
    found = running_images(seen, of(f"{HOST}/shop/web:env.prod"), target, {"app": looked_up})
    assert found == ({"app": digest} if digest else {}), what


@pytest.mark.parametrize(
    ("image", "state", "shown"),
    [
        (f"{HOST}/shop/web@{NEW}", "COMPLETED", {}),
        (f"{HOST}/shop/web@{NEW}", "IN_PROGRESS", {"app": (INTEL, ARM)}),
        (f"{HOST}/shop/web:v1", "COMPLETED", {"app": (INTEL, ARM)}),
        ("public.ecr.aws/nginx/nginx:1", "COMPLETED", {}),
    ],
)
def test_what_is_looked_up(image: str, state: str, shown: dict[str, tuple[str, ...]]) -> None:
    seen = service(deployment(1, state=state), tasks=(task(1, ARM), task(1, INTEL), task(1, INTEL), task(1, "")))
    assert shown_digests(seen, of(image), TARGET) == shown
