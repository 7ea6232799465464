"""Method EnvironmentTag: who must agree, what moves, and what returns."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.release_status import ImageChange, Pin, PinnedImage, Rollout
from ecs_release.domain.artifacts.environment_tag import (
    Move,
    Sharer,
    check_used,
    disagreement,
    misplaced_tags,
    pending_moves,
    return_moves,
)
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.targets import Target, resolve_target
from ecs_release.domain.model.errors import Blocked, Retryable, Waiting
from tests.builders.ecs import NEW, OLD, OTHER, revision
from tests.builders.objects import environment, project

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


def target(**containers: str) -> Target:
    listed = [{"name": c, "repository": r} for c, r in (containers or {"app": "shop/web"}).items()]
    place = environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.{environment}"})
    return resolve_target(place, project(containers=listed), "web")


def pin(**digests: str) -> Pin:
    return Pin(images=[PinnedImage(container=c, digest=d) for c, d in digests.items()])


def test_only_what_points_elsewhere_moves() -> None:
    two = target(app="shop/web", proxy="shop/proxy")
    found = pending_moves(two, pin(app=NEW, proxy=OLD), {"app": OLD, "proxy": OLD})
    assert found == (Move("shop/web", "env.prod", NEW, OLD),)
    assert pending_moves(two, pin(app=NEW, proxy=OLD), {"app": NEW, "proxy": OLD}) == ()
    assert "shop/web" in misplaced_tags(two, pin(app=NEW, proxy=OLD), {"app": OTHER, "proxy": OLD})


@pytest.mark.parametrize(
    ("sharers", "kind"),
    [
        ([], None),
        ([Sharer("shop/worker", "shop/web", NEW)], None),
        ([Sharer("shop/worker", "shop/other", OLD)], None),
        ([Sharer("shop/worker", "shop/web", OLD)], Blocked),
        ([Sharer("shop/worker", "shop/web", OLD, same_set=True)], Waiting),
        ([Sharer("shop/worker", "shop/web", "")], Waiting),
        ([Sharer("shop/worker", "shop/web", OLD, is_known=False)], Retryable),
        ([Sharer("shop/worker", "shop/web", NEW, is_known=False)], None),
        ([Sharer("a/b", "shop/web", OLD, is_known=False), Sharer("shop/b", "shop/web", OLD)], Blocked),
        ([Sharer("shop/a", "shop/web", OLD, same_set=True), Sharer("shop/b", "shop/web", OLD)], Blocked),
    ],
)
def test_those_that_share_a_tag_must_agree(sharers: list[Sharer], kind: type | None) -> None:
    found = disagreement(target(), pin(app=NEW), tuple(sharers))
    assert (type(found) if found else None) is kind
    assert found is None or all(s.release in found.message for s in sharers if s.digest != NEW and (s.is_known or len(sharers) == 1))


def test_containers_that_share_a_repository_must_agree() -> None:
    both = target(app="shop/web", side="shop/web")
    assert disagreement(both, pin(app=NEW, side=NEW), ()) is None
    found = disagreement(both, pin(app=NEW, side=OLD), ())
    assert isinstance(found, Blocked) and found.reason == "TargetConflict"


@pytest.mark.parametrize(
    ("now", "before", "returns"), [(NEW, OLD, True), (OTHER, OLD, False), (OLD, OLD, False), (NEW, None, False), (NEW, NEW, False)]
)
def test_a_tag_returns_only_if_it_still_points_to_ours(now: str, before: str | None, returns: bool) -> None:
    rollout = Rollout(attempt_id="a", images=[ImageChange(container="app", to_digest=NEW, tag_digest=before)])
    found = return_moves(target(), rollout, {"app": now})
    assert [m.digest for m in found] == ([before] if returns else [])


@pytest.mark.parametrize(
    ("image", "fits"),
    [
        (f"{HOST}/shop/web:env.prod", True),
        (f"{HOST}/shop/web:env.dev", False),
        (f"{HOST}/shop/web@{NEW}", False),
        (f"{HOST}/shop/web:env.prod@{NEW}", False),
        ("444455556666.dkr.ecr.eu-west-1.amazonaws.com/shop/web:env.prod", False),
        (f"{HOST}/shop/other:env.prod", False),
    ],
)
def test_a_task_definition_must_follow_the_tag(image: str, fits: bool) -> None:
    content: dict[str, Any] = {"family": "web", "containerDefinitions": [{"name": "app", "image": image}]}
    base = TaskDefinition(revision(1), "web", 1, "ACTIVE", content)
    if fits:
        check_used(base, target())
        return
    with pytest.raises(Blocked, match="follow") as refused:
        check_used(base, target())
    assert image in refused.value.message
