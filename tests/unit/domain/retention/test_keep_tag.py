"""The tag that holds what runs: when it is held, where, and what keeps it from being held."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.domain.artifacts.registry_images import KeepTag
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.release.decide import decide
from ecs_release.domain.retention import keep_tag
from tests.builders.ecs import NEW, OLD, OTHER, deployment, service, task
from tests.builders.facts import changed
from tests.builders.scenarios import NOTHING, REPOSITORY, RUNS, attempt_under_way, deployed, keeping


def held(given: Facts) -> tuple[KeepTag, ...]:
    return keep_tag.holds(given, decide(given).status)


HELD = (KeepTag(REPOSITORY, "keep.prod.web", NEW),)
MOVING = service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD)))


@pytest.mark.parametrize(
    ("seen", "spec", "expected"),
    [
        (RUNS, {}, HELD),
        (NOTHING, {}, HELD),
        (RUNS, {"mode": "Observe"}, ()),
        (RUNS, {"suspend": {"reason": "freeze"}}, ()),
        (RUNS, {"keep": None}, ()),
        (service(deployment(3), tasks=(task(3, OTHER),)), {}, ()),
    ],
)
def test_it_is_held_where_the_release_is_ready_and_aws_may_be_changed(
    seen: Service, spec: dict[str, Any], expected: tuple[KeepTag, ...]
) -> None:
    assert held(keeping(deployed(seen=seen), **spec)) == expected


def test_nothing_is_held_while_a_rollout_goes_on() -> None:
    assert held(keeping(attempt_under_way(MOVING))) == ()


def test_no_tag_moves_for_a_status_with_an_open_attempt() -> None:
    given = keeping(deployed())
    status = decide(given).status
    rollout = attempt_under_way(MOVING).status.rollout
    assert keep_tag.holds(given, status) == HELD
    assert keep_tag.holds(given, status.model_copy(update={"rollout": rollout})) == ()


def test_a_suspended_release_holds_nothing() -> None:
    given = keeping(deployed())
    assert held(changed(given, spec={"suspend": True})) == ()


@pytest.mark.parametrize(
    ("keep", "tag"),
    [
        ("keep.{environment}.{service}", "keep.prod.web"),
        ("k_{namespace}_{project}_{environment}_{service}_{container}", "k_shop_store_prod_web_app"),
    ],
)
def test_names(keep: str, tag: str) -> None:
    assert [h.tag for h in held(keeping(deployed(), keep))] == [tag]


@pytest.mark.parametrize(
    ("keep", "artifacts", "words"),
    [
        ("keep.{environment}.{service}", {}, ""),
        ("keep.{environment}.{service}", {"environmentTag": "keep.prod.web"}, "must differ"),
        ("keep.{environment}.{service}", {"tagFormats": ["keep.{releaseHash}"]}, "reads as a release hash"),
        ("keep.{environment}.{service}", {"tagFormats": ["{releaseHash}"]}, ""),
    ],
)
def test_what_keeps_it_from_being_held(keep: str, artifacts: dict[str, Any], words: str) -> None:
    given = keeping(deployed(), keep, artifacts=artifacts)
    assert words in keep_tag.problem(given) and bool(words) == bool(keep_tag.problem(given))
    assert bool(held(given)) is not bool(words)


def test_a_name_that_ecr_would_refuse_is_not_held() -> None:
    given = keeping(deployed(), "keep.{environment}{environment}{environment}.{service}")
    place = given.release.spec.environment_ref.model_copy(update={"name": "p" * 60})
    given = changed(given, spec={"environment_ref": place})
    assert "longer than the 128" in keep_tag.problem(given) and held(given) == ()


@pytest.mark.parametrize(("keep", "fits"), [("keep.{environment}.{service}", False), ("keep.{environment}.{service}.{container}", True)])
def test_containers_that_share_a_repository_need_tags_of_their_own(keep: str, fits: bool) -> None:
    containers = [{"name": n, "repository": "shop/web"} for n in ("app", "side")]
    given = keeping(deployed(), keep, containers)
    given = changed(given, pin=Pin(images=[PinnedImage(container="app", digest=NEW), PinnedImage(container="side", digest=OLD)]))
    assert ("{container}" in keep_tag.problem(given)) is not fits
