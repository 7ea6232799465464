"""The last look at a set's images before its first service moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.ecs.service import Look, RegistryImage, ServiceKey
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.errors import Blocked, BrokenAnswer, Denied, Problem, ServerFault
from ecs_release.domain.model.image_names import parse_image
from ecs_release.domain.sets.facts import SetFacts
from ecs_release.domain.sets.running_images import LookedUp
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.sets.resolver import SetResolver
from tests.builders.ecs import NOW, deployment, service, task, task_definition
from tests.builders.fake_registry import FakeRegistries, FakeRegistry, digest
from tests.builders.objects import environment, project, release_set_object


class References:
    async def target(self, place: Environment, its_project: Project, *_: Any) -> Any:
        return resolve_target(place, its_project, "web")


async def gone(registry: FakeRegistry) -> Problem | None:
    aws: Any = FakeRegistries({"111122223333": registry})
    unused: Any = None
    references: Any = References()
    services = [SimpleNamespace(name=f"web{n}", images=[PinnedImage(container="app", digest=digest(n))]) for n in (1, 2, 3)]
    facts: Any = SimpleNamespace(
        status=SimpleNamespace(services=services), release_set=SimpleNamespace(metadata=SimpleNamespace(namespace="shop"))
    )
    return await SetResolver(references, aws, unused, unused, unused, unused).gone_images(facts, environment(), project())


async def test_what_is_there_is_not_gone() -> None:
    registry = FakeRegistry()
    registry.push(1, 2, 3)
    assert await gone(registry) is None


async def test_what_is_gone_is_named() -> None:
    registry = FakeRegistry()
    registry.push(1, 3)
    problem = await gone(registry)
    assert isinstance(problem, Blocked) and "web2" in problem.message


@pytest.mark.parametrize("fault", [BrokenAnswer("it cannot be read"), ServerFault("AWS answers 500")])
async def test_what_cannot_be_read_delays_the_set_and_is_not_gone(fault: Problem) -> None:
    registry = FakeRegistry(odd={digest(2): fault})
    registry.push(1, 2, 3)
    assert await gone(registry) == fault


async def test_a_refusal_is_said() -> None:
    assert isinstance(await gone(FakeRegistry(fault=Denied("no"))), Denied)


LIST, PLATFORM, OTHER = (
    RegistryImage(digest(1), ("env.prod",), (digest(2), digest(3))),
    RegistryImage(digest(2)),
    RegistryImage(digest(9), ("x",)),
)


async def looked_up(registry: FakeRegistry, image: str = "shop/web:env.prod") -> LookedUp:
    aws: Any = FakeRegistries({"111122223333": registry})
    target = resolve_target(environment(), project(), "web")
    return await Resolver(aws).look_up_shown(target, "shop/web", parse_image(image), (digest(2), digest(3)))


@pytest.mark.parametrize(
    ("what", "registry", "found"),
    [
        ("the tag's list names it", FakeRegistry({LIST.digest: LIST}), LookedUp(LIST)),
        (
            "the tag is elsewhere, and a list names it",
            FakeRegistry({OTHER.digest: RegistryImage(OTHER.digest, ("env.prod",)), PLATFORM.digest: PLATFORM}, {PLATFORM.digest: LIST}),
            LookedUp(RegistryImage(OTHER.digest, ("env.prod",)), {PLATFORM.digest: PLATFORM}, {PLATFORM.digest: LIST}),
        ),
        ("no list names it", FakeRegistry({PLATFORM.digest: PLATFORM}), LookedUp(None, {PLATFORM.digest: PLATFORM})),
        ("it is not there", FakeRegistry({OTHER.digest: OTHER}), LookedUp()),
        ("the repository is not there", FakeRegistry(fault=Blocked("ArtifactNotFound", "no repository")), LookedUp()),
    ],
)
async def test_what_runs_is_looked_up_by_what_tasks_show(what: str, registry: FakeRegistry, found: LookedUp) -> None:
    assert await looked_up(registry) == found, what


@pytest.mark.parametrize(
    "registry",
    [
        FakeRegistry(fault=ServerFault("AWS answers 500")),
        FakeRegistry(fault=Denied("no")),
        FakeRegistry({PLATFORM.digest: PLATFORM}, odd={PLATFORM.digest: BrokenAnswer("it cannot be read")}),
        FakeRegistry({PLATFORM.digest: PLATFORM}, odd_lists={PLATFORM.digest: BrokenAnswer("it cannot be read")}),
    ],
)
async def test_what_cannot_be_read_is_not_taken_for_what_runs(registry: FakeRegistry) -> None:
    with pytest.raises(Problem):
        await looked_up(registry)


class Observer:
    """What an Environment's observer has seen of the service: tasks of two platforms, whose revision names the environment's tag."""

    role_check = SimpleNamespace(refusal=AsyncMock(return_value=None))

    def observe_also(self, *_: Any) -> None: ...

    async def look(self, key: ServiceKey) -> Look:
        return Look(key, service(deployment(1), tasks=(task(1, digest(2)), task(1, digest(3)))), NOW, NOW)


class Unchecked:
    """Refuses nothing."""

    def facts_of(self, _: SetFacts, *given: Any) -> Any:
        *_, look, running = given
        return SimpleNamespace(service=look.service, revisions=SimpleNamespace(running=running))

    async def check_holder(self, child: Any) -> Any:
        return child


async def test_the_list_is_kept_of_which_platforms_run() -> None:
    """There is no image at the hash, and what runs is kept: to keep one platform's image would move the tag to it, and deploy it."""
    aws: Any = FakeRegistries({"111122223333": FakeRegistry({LIST.digest: LIST, PLATFORM.digest: PLATFORM})})
    aws.ecs = lambda _: SimpleNamespace(describe_task_definition=AsyncMock(return_value=task_definition(1, ":env.prod")))
    wanted = ReleaseSet.model_validate(release_set_object(source={"releaseHash": "ref.2"}, strategy={"missingArtifacts": "KeepCurrent"}))
    place = environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.prod"})
    references: Any = References()
    unused: Any = None
    seen: Any = Observer()
    checks: Any = Unchecked()
    facts = SetFacts(release_set=wanted, now=NOW, new_id="a", members=("web",))
    (found,) = await SetResolver(references, aws, lambda _: seen, Resolver(aws), unused, checks).pin(facts, place, project())
    assert found.problem is None and found.kept
    assert [i.digest for i in found.images] == [LIST.digest]
