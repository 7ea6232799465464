"""Which revision an attempt deploys: its base, and whether one of ours is used again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecs_release.api.release_status import Rollout
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import base_number
from ecs_release.domain.rules.wanted_revision import reusable, wanted_revision
from tests.builders.ecs import NEW, OLD
from tests.builders.revisions import pinned_draft, registered, registered_by_us, with_revisions

ATTEMPT = Rollout(attempt_id="a2", source_hash="src")


@pytest.mark.parametrize(
    ("earlier", "again"),
    [
        (registered_by_us(2), True),
        (registered_by_us(2, cpu="512"), False),
        (registered_by_us(2, OLD), False),
        (registered_by_us(2, status="INACTIVE"), False),
        (registered_by_us(2, source="other"), False),
        (registered_by_us(2, release="shop/other"), False),
        (registered_by_us(2, installation="second"), False),
        (registered_by_us(2, team="else"), False),
        (registered_by_us(2, base="0"), False),
        (registered_by_us(2, base=""), False),
        (registered(2, NEW), False),
        (replace(registered_by_us(2), unknown_fields=("new",)), False),
    ],
)
def test_only_the_very_same_is_used_again(earlier: TaskDefinition, again: bool) -> None:
    found = with_revisions(registered(1), earlier)
    wanted = wanted_revision(found, pinned_draft(), ATTEMPT)
    assert (reusable(found, wanted, ATTEMPT) is earlier) is again


def test_a_revision_tells_its_base() -> None:
    assert base_number(registered(7), "default") == "7"
    assert base_number(registered_by_us(8, base="7"), "default") == "7"
    assert base_number(registered_by_us(8, base="7", installation="second"), "default") == "8", (
        "another installation's is a base like any other"
    )
    assert base_number(registered_by_us(8, base=""), "default") == ""


def test_the_newest_base_gives_all_but_the_image() -> None:
    found = with_revisions(registered_by_us(2, OLD), base=registered(5, OLD, cpu="1024"))
    wanted = wanted_revision(found, pinned_draft(), ATTEMPT)
    assert wanted.content["cpu"] == "1024" and wanted.content["containerDefinitions"][0]["image"].endswith(NEW)
    assert wanted.tags["ecs-release.dev/base"] == "5" and wanted.tags["team"] == "shop"
