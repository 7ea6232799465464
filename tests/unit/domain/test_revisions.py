"""Which revision an attempt deploys: its base, and whether one of ours is used again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import LastReady, Pin, PinnedImage, ReadyImage, ReleaseStatus, Rollout
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.drift.base_revision import must_follow, newer_base
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import base_number
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.rules.wanted_revision import reusable, wanted_revision
from tests.builders.ecs import NEW, NOW, OLD, revision
from tests.unit.domain.environments.test_targets import environment, project

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
PIN = Pin(source_hash="src", resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW)])
ATTEMPT = Rollout(attempt_id="a2", source_hash="src")


def made(number: int, digest: str = OLD, *, cpu: str = "256", status: str = "ACTIVE", **tags: str) -> TaskDefinition:
    """A revision; `tags` are ours, `team` is Terraform's."""
    content = {"family": "web", "cpu": cpu, "containerDefinitions": [{"name": "app", "image": f"{HOST}/shop/web@{digest}"}]}
    ours = {f"ecs-release.dev/{k}": v for k, v in tags.items() if k != "team"}
    return TaskDefinition(revision(number), "web", number, status, content, ours | {"team": tags.get("team", "shop")}, registered_at=NOW)


def ours(number: int, digest: str = NEW, **more: Any) -> TaskDefinition:
    usual = {"installation": "default", "release": "shop/web", "source": "src", "attempt": "a1", "base": "1"}
    return made(number, digest, **usual | more)


def facts(running: TaskDefinition, *earlier: TaskDefinition, rollout: Any = None, **more: Any) -> Facts:
    spec = {"projectRef": {"name": "store"}, "service": "web", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "a"}}
    release = Release.model_validate({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    place = environment(rollout=rollout or {})
    target = resolve_target(place, project(), "web")
    return Facts(release=release, now=NOW, environment=place, target=target, running=running, earlier=earlier, pin=PIN, **more)


def draft() -> Draft:
    made_draft = Draft.of(ReleaseStatus())
    made_draft.pin = PIN
    return made_draft


@pytest.mark.parametrize(
    ("earlier", "again"),
    [
        (ours(2), True),
        (ours(2, cpu="512"), False),
        (ours(2, OLD), False),
        (ours(2, status="INACTIVE"), False),
        (ours(2, source="other"), False),
        (ours(2, release="shop/other"), False),
        (ours(2, installation="second"), False),
        (ours(2, team="else"), False),
        (ours(2, base="0"), False),
        (ours(2, base=""), False),
        (made(2, NEW), False),
        (replace(ours(2), unknown_fields=("new",)), False),
    ],
)
def test_only_the_very_same_is_used_again(earlier: TaskDefinition, again: bool) -> None:
    found = facts(made(1), earlier)
    wanted = wanted_revision(found, draft(), ATTEMPT)
    assert (reusable(found, wanted, ATTEMPT) is earlier) is again


def test_a_revision_tells_its_base() -> None:
    assert base_number(made(7), "default") == "7"
    assert base_number(ours(8, base="7"), "default") == "7"
    assert base_number(ours(8, base="7", installation="second"), "default") == "8", "another installation's is a base like any other"
    assert base_number(ours(8, base=""), "default") == ""


def test_the_newest_base_gives_all_but_the_image() -> None:
    found = facts(ours(2, OLD), base=made(5, OLD, cpu="1024"))
    wanted = wanted_revision(found, draft(), ATTEMPT)
    assert wanted.content["cpu"] == "1024" and wanted.content["containerDefinitions"][0]["image"].endswith(NEW)
    assert wanted.tags["ecs-release.dev/base"] == "5" and wanted.tags["team"] == "shop"


@pytest.mark.parametrize(
    ("running", "newest", "newer"),
    [
        (made(1), made(3), True),
        (made(3), made(3), False),
        (ours(4, base="3"), made(3), False),
        (ours(2, base="1"), made(3), True),
        (ours(2, base=""), made(3), False),
        (ours(8, base="7"), ours(7, base="3", installation="second"), False),
        (made(1), None, False),
    ],
)
def test_what_is_newer(running: TaskDefinition, newest: TaskDefinition | None, newer: bool) -> None:
    assert (newer_base(facts(running, newest_foreign=newest)) is not None) is newer


CORRECT = {"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 60}


@pytest.mark.parametrize(
    ("rollout", "age_s", "outcome", "was_ready", "follows"),
    [
        (CORRECT, 61, "Succeeded", True, True),
        (CORRECT, 59, "Succeeded", True, False),
        (CORRECT, 61, "RolledBack", True, False),
        (CORRECT, 61, None, True, False),
        (CORRECT, 61, "Succeeded", False, False),
        (CORRECT | {"onDrift": "Report"}, 61, "Succeeded", True, False),
        (CORRECT | {"baseRevision": "Service"}, 61, "Succeeded", True, False),
    ],
)
def test_a_newer_base_is_followed_under_law_5(
    rollout: dict[str, Any], age_s: int, outcome: str | None, was_ready: bool, follows: bool
) -> None:
    newest = replace(made(3), registered_at=NOW - timedelta(seconds=age_s))
    found, ended = facts(ours(2), rollout=rollout, newest_foreign=newest), draft()
    ended.rollout = Rollout(attempt_id="a1", outcome=outcome)
    if was_ready:
        ended.last_ready = LastReady(source_hash="src", time=NOW, images=[ReadyImage(container="app", digest=NEW)])
    assert must_follow(found, ended, PIN) is follows
