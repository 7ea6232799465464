"""The last look at a set's images before its first service moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.errors import Blocked, BrokenAnswer, Denied, Problem, ServerFault
from ecs_release.engine.sets.resolver import SetResolver
from tests.builders.fake_registry import FakeRegistries, FakeRegistry, digest
from tests.builders.objects import environment, project


class References:
    async def target(self, *_: Any) -> Any:
        return resolve_target(environment(), project(), "web")


async def gone(registry: FakeRegistry) -> Problem | None:
    aws: Any = FakeRegistries({"111122223333": registry})
    unused: Any = None
    references: Any = References()
    services = [SimpleNamespace(name=f"web{n}", images=[PinnedImage(container="app", digest=digest(n))]) for n in (1, 2, 3)]
    facts: Any = SimpleNamespace(
        status=SimpleNamespace(services=services), release_set=SimpleNamespace(metadata=SimpleNamespace(namespace="shop"))
    )
    return await SetResolver(references, aws, unused, unused, unused).gone_images(facts, environment(), project())


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
