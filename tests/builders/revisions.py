"""Revisions of a service's task definition, and facts of a Release that is to deploy one."""

from __future__ import annotations

from typing import Any

from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from tests.builders import facts as builders
from tests.builders.ecs import NEW, NOW, OLD, REGISTRY_HOST, revision
from tests.builders.objects import environment

PIN = Pin(source_hash="src", resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW)])


def registered(number: int, digest: str = OLD, *, cpu: str = "256", status: str = "ACTIVE", **tags: str) -> TaskDefinition:
    """A revision; `tags` are ours, `team` is Terraform's."""
    content = {"family": "web", "cpu": cpu, "containerDefinitions": [{"name": "app", "image": f"{REGISTRY_HOST}/shop/web@{digest}"}]}
    ours = {f"ecs-release.dev/{k}": v for k, v in tags.items() if k != "team"}
    return TaskDefinition(revision(number), "web", number, status, content, ours | {"team": tags.get("team", "shop")}, registered_at=NOW)


def registered_by_us(number: int, digest: str = NEW, **more: Any) -> TaskDefinition:
    usual = {"installation": "default", "release": "shop/web", "source": "src", "attempt": "a1", "base": "1"}
    return registered(number, digest, **usual | more)


def with_revisions(running: TaskDefinition, *earlier: TaskDefinition, rollout: Any = None, **more: Any) -> Facts:
    return builders.facts(environment=environment(rollout=rollout or {}), running=running, earlier=earlier, pin=PIN, **more)


def pinned_draft() -> Draft:
    made_draft = Draft.of(ReleaseStatus())
    made_draft.pin = PIN
    return made_draft


def looked_up(pin: Pin) -> Pin:
    """The pin as it is once ECR has told that its images have no platforms."""
    return pin.model_copy(update={"images": [i.model_copy(update={"platforms": None}) for i in pin.images or ()]})
