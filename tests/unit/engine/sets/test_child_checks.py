"""What would refuse a Release of a set in its wave refuses the set before its first one, in the Release's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.names import TAG_INSTALLATION, TAG_RELEASE
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.artifacts.environment_tag import Sharer
from ecs_release.domain.ecs.service import Look, RegistryImage, TaskDefinition
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import Target, resolve_target
from ecs_release.domain.model.errors import Blocked, Problem, Retryable, ServerFault
from ecs_release.domain.model.image_names import ImageName
from ecs_release.domain.ports.protocols import ImagesAnswer
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.domain.sets.running_images import LookedUp
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.sets.child_checks import ChildChecks
from ecs_release.engine.sets.resolver import SetResolver
from tests.builders.ecs import NEW, NOW, OLD, deployment, service, task, task_definition
from tests.builders.objects import environment, project, release_set_object

OURS = f"shop/{child_name('all', 'web')}"
OLDER = NOW - timedelta(days=1)
BY_TAG = {"rollout": {"method": "EnvironmentTag"}, "artifacts": {"environmentTag": "env.{environment}"}}
LATEST = {"rollout": {"baseRevision": "Latest"}}
RENAMED = {"containerDefinitions": [{"name": "worker", "image": "worker:1"}]}


def owned(installation: str, release: str) -> dict[str, str]:
    return {TAG_INSTALLATION: installation, TAG_RELEASE: release}


class Sharers(TagReader):
    """Knows who shares the tag; `known` is set by the test."""

    known: tuple[Sharer, ...] = ()

    async def sharers(self, *_: Any) -> tuple[Sharer, ...]:
        return self.known


@dataclass
class World:
    """A set of one service, `web`, that runs OLD and is to run NEW."""

    env: dict[str, Any] = field(default_factory=dict)
    web: dict[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    running: TaskDefinition = field(default_factory=lambda: task_definition(1))
    runs: str | None = OLD
    newest: TaskDefinition | Problem | None = None
    immutable: bool = False
    sharers: tuple[Sharer, ...] = ()
    calls: list[str] = field(default_factory=list)

    # What the resolver and the checks read.

    async def target(self, *_: Any) -> Target:
        return resolve_target(environment(**self.env), project(**self.web), "web")

    async def contenders(self, *_: Any) -> tuple[Claim, ...]:
        return self.claims

    namespaces = SimpleNamespace(open=())

    async def describe_task_definition(self, arn: str) -> TaskDefinition:
        return self.newest if isinstance(self.newest, TaskDefinition) and arn == self.newest.arn else self.running

    async def newest_task_definitions(self, family: str, most: int) -> list[str]:
        self.calls.append("list")
        if isinstance(self.newest, Problem):
            raise self.newest
        return [self.newest.arn] if self.newest is not None else []

    async def check_movable(self, repository: str, tag: str) -> None:
        self.calls.append("movable")
        if self.immutable:
            raise Blocked(Reason.REJECTED_BY_AWS, f"tag {tag!r} of repository {repository!r} is immutable")

    async def images(self, name: str, digests: Any) -> ImagesAnswer:
        return ImagesAnswer({d: RegistryImage(d, ("v",)) for d in digests}, {})

    async def look_up_shown(self, target: Target, repository: str, named: ImageName, shown: Sequence[str]) -> LookedUp:
        return LookedUp(None, {shown[0]: RegistryImage(shown[0], ("v",))})

    async def look(self, key: Any) -> Look:
        tasks = (task(1, self.runs), task(1, self.runs)) if self.runs else ()
        return Look(key, service(deployment(1), tasks=tasks), NOW, NOW)

    async def refusal(self) -> None:
        return None

    async def hashes(self, *_: Any) -> dict[str, str]:
        return {}

    async def resolve(self, *_: Any) -> Pin:
        return Pin(images=[PinnedImage(container="app", digest=NEW)])

    async def check_replicated(self, *_: Any) -> None:
        return None

    async def image(self, *_: Any) -> None:
        return None

    def resolver(self) -> SetResolver:
        world: Any = self
        aws: Any = SimpleNamespace(ecs=lambda _: self, registry=lambda *_: self)
        observer: Any = SimpleNamespace(role_check=self, observe_also=lambda *_: None, look=self.look)
        reader = Sharers(world, aws, 60.0)
        reader.known = self.sharers
        return SetResolver(world, aws, lambda _: observer, world, world, ChildChecks(world, aws, reader, "default"))

    async def resolved(self) -> Resolved:
        """Return what the service is resolved to."""
        (found,) = await self.resolver().pin(self.facts(), environment(**self.env), project(**self.web))
        return found

    async def asked_again(self) -> Problem | None:
        """Return what refuses the set before its first wave, if it was resolved some time ago."""
        return await self.resolver().start_problem(self.facts(), environment(**self.env), project(**self.web))

    def facts(self) -> SetFacts:
        line = {"name": "web", "images": [{"container": "app", "digest": NEW}]}
        release_set = ReleaseSet.model_validate(release_set_object("all", status={"services": [line]}))
        return SetFacts(release_set=release_set, now=NOW, new_id="a", members=("web",))


def tagged(**more: Any) -> World:
    """By method EnvironmentTag."""
    return World(**{"env": BY_TAG, "running": task_definition(1, ":env.prod"), **more})


def sharer(digest: str, *, same_set: bool = False) -> tuple[Sharer, ...]:
    return (Sharer("theirs/web", "shop/web", digest, same_set),)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("what", "world", "reason", "words"),
    [
        ("nothing refuses", World(), None, ""),
        ("another Release holds it", World(claims=(Claim(OLDER, "theirs/web"),)), "TargetConflict", "is held by theirs/web"),
        ("it holds it by its revision", World(claims=(Claim(OLDER, "theirs/web"),), running=task_definition(1, tags=owned("default", OURS))), None, ""),
        ("another installation holds it", World(running=task_definition(1, tags=owned("blue", "x/y"))), "TargetConflict", "x/y of installation 'blue'"),
        ("who holds it is not known yet", World(claims=(Claim(OLDER, "theirs/web", False),)), "ProgressingWithRetry", "theirs/web would hold"),
        ("no such thing is done", tagged(web={"rollout": {"baseRevision": "Latest"}}), "InvalidSpec", "baseRevision Latest with method EnvironmentTag"),
        ("there is no tag", World(web={"rollout": {"method": "EnvironmentTag"}}), "InvalidSpec", "needs spec.artifacts.environmentTag"),
        ("the tag may be moved", tagged(), None, ""),
        ("the tag is immutable", tagged(immutable=True), "RejectedByAWS", "is immutable"),
        ("the tag is immutable, and the image runs", tagged(immutable=True, runs=NEW), None, ""),
        ("the tag is not pulled", tagged(running=task_definition(1)), "UnsupportedTaskDefinition", "does not follow the environment's tag"),
        ("the tag is another's, too", tagged(sharers=sharer(OLD)), "TargetConflict", "theirs/web"),
        ("the tag is another's, which is resolved yet", tagged(sharers=sharer("")), None, ""),
        ("the tag is another's of the set", tagged(sharers=sharer(OLD, same_set=True)), None, ""),
        ("it lacks the container", World(running=task_definition(1, content=RENAMED)), "InvalidSpec", "has no container 'app'"),
        ("the newest base will do", World(env=LATEST, newest=task_definition(2)), None, ""),
        ("the newest base lacks it", World(env=LATEST, newest=task_definition(2, content=RENAMED)), "InvalidSpec", "web:2 has no container 'app'"),
        ("that is not built on", World(newest=task_definition(2, content=RENAMED)), None, ""),
        ("the newest base has a new field", World(env=LATEST, newest=task_definition(2, unknown_fields=("x",))), "UnsupportedTaskDefinition", "holds x"),
        ("the newest base is not needed", World(env=LATEST, running=task_definition(1, NEW), runs=NEW, newest=task_definition(2, content=RENAMED)), None, ""),
        ("the newest base cannot be read", World(env=LATEST, newest=ServerFault("AWS answers 500")), "ProgressingWithRetry", "AWS answers 500"),
    ],
)  # fmt: skip
async def test_what_would_refuse_a_release_refuses_its_set(what: str, world: World, reason: str | None, words: str, again: bool) -> None:
    problem = await world.asked_again() if again else (await world.resolved()).problem

    assert (problem.reason if problem is not None else None) == reason, (what, problem)
    assert problem is None or words in problem.message
    assert problem is None or isinstance(problem, Retryable if reason == "ProgressingWithRetry" else Blocked)


@pytest.mark.parametrize(
    ("world", "calls"), [(tagged(), ["movable"]), (tagged(runs=NEW), []), (World(env=LATEST), ["list"]), (World(), [])]
)
async def test_aws_is_asked_once_for_each_service_and_only_for_what_is_deployed(world: World, calls: list[str]) -> None:
    await world.resolved()

    assert world.calls == calls


@pytest.mark.parametrize(("runs", "idle"), [(OLD, False), (None, True)])
async def test_it_is_noted_whether_a_task_runs(runs: str | None, idle: bool) -> None:
    found = await World(runs=runs).resolved()

    assert (found.idle, [i.digest for i in found.runs]) == (idle, [OLD])
