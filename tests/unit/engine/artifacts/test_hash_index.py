"""Naming digests by their tags: asked once, unknown ones too, and nobody waits for a registry that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.errors import BrokenAnswer, Denied, Problem, Retryable
from ecs_release.engine.artifacts import hash_index as module
from ecs_release.engine.artifacts.hash_index import HashIndex
from tests.builders.fake_registry import FakeRegistries, FakeRegistry, digest
from tests.builders.objects import environment, project
from tests.builders.simulated_time import run_simulated

TARGET = resolve_target(environment(), project(), "web")


class IndexedRegistry:
    """A registry and what is known of it."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        aws: Any = FakeRegistries({"111122223333": self.registry})
        self.hashes = HashIndex(aws, lambda: asyncio.get_running_loop().time())

    async def names(self, *numbers: int, known: dict[str, str] | None = None) -> dict[int, str]:
        found = await self.hashes.of(TARGET, [("shop/web", digest(n)) for n in numbers], known or {})
        return {n: found[digest(n)] for n in numbers if digest(n) in found}


def simulated(steps: Coroutine[Any, Any, None]) -> None:
    run_simulated(steps)


def test_digests_are_asked_for_together_and_once() -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1, 2)
        for _ in range(3):
            assert await world.names(1, 2, 3) == {1: "v1", 2: "v1"}
        assert world.registry.asked == [("shop/web", frozenset({digest(1), digest(2), digest(3)}))]
        assert await world.names(4, known={digest(4): "v4"}) == {}
        assert len(world.registry.asked) == 1

    simulated(steps())


def test_what_is_unknown_is_asked_for_again_after_a_while() -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1, tags=("latest",))
        assert await world.names(1) == {}
        world.registry.push(1)
        await asyncio.sleep(899)
        assert await world.names(1) == {}
        await asyncio.sleep(2)
        assert await world.names(1) == {1: "v1"}
        await asyncio.sleep(86_000)
        await world.names(1)
        assert len(world.registry.asked) == 2

    simulated(steps())


def test_a_platforms_digest_has_its_lists_hash() -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1, tags=())
        world.registry.lists = {digest(1): RegistryImage(digest(9), ("ref.v9",), (digest(1),))}
        assert await world.names(1) == {1: "v9"}

    simulated(steps())


@pytest.mark.parametrize("fault", [Denied("no"), Retryable("slow")])
def test_a_registry_that_fails_is_left_alone_for_five_minutes(fault: Problem) -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1)
        world.registry.fault = fault
        for _ in range(20):
            assert await world.names(1) == {}
            await asyncio.sleep(10)
        assert len(world.registry.asked) == 1
        world.registry.fault = None
        await asyncio.sleep(101)
        assert await world.names(1) == {1: "v1"}

    simulated(steps())


def test_what_was_known_stays_while_it_cannot_be_read() -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1)
        await world.names(1)
        world.registry.fault = Retryable("slow")
        await asyncio.sleep(90_000)
        assert await world.names(1) == {1: "v1"}

    simulated(steps())


@pytest.mark.parametrize("of_a_list", [False, True])
def test_what_was_known_of_an_odd_image_stays_and_the_others_are_read(of_a_list: bool) -> None:
    async def steps() -> None:
        world = IndexedRegistry()
        world.registry.push(1, 2, tags=() if of_a_list else ("ref.v1",))
        world.registry.lists = {digest(n): RegistryImage(digest(9), ("ref.v1",), (digest(n),)) for n in (1, 2)} if of_a_list else {}
        assert await world.names(1, 2) == {1: "v1", 2: "v1"}
        odd = {digest(1): BrokenAnswer("it cannot be read")}
        world.registry.odd, world.registry.odd_lists = ({}, odd) if of_a_list else (odd, {})
        await asyncio.sleep(90_000)
        assert await world.names(1, 2) == {1: "v1", 2: "v1"}
        asked = len(world.registry.asked)
        await asyncio.sleep(301)
        await world.names(1, 2)
        assert world.registry.asked[asked:] == [("shop/web", frozenset({digest(1)}))]

    simulated(steps())


def test_nobody_waits_long_and_nobody_waits_twice() -> None:
    async def steps() -> None:
        world, loop = IndexedRegistry(), asyncio.get_running_loop()
        world.registry.push(1)
        world.registry.takes_s = 45
        assert await world.names(1) == {}
        assert loop.time() == 5
        assert await world.names(1) == {}
        assert loop.time() == 5
        await asyncio.sleep(41)
        assert await world.names(1) == {1: "v1"}
        assert len(world.registry.asked) == 1

    simulated(steps())


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)

    async def steps() -> None:
        world = IndexedRegistry()
        await world.names(*range(50))
        assert len(world.hashes._hashes) == 10

    simulated(steps())
