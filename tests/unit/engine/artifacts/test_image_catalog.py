"""The loop that looks images up and holds tags: how often it asks, whom it tells, and what a bad registry does to others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ecs_release.domain.artifacts.registry_images import KeepTag, Presence, RequiredImage
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Blocked, BrokenAnswer, Denied, Problem, Retryable, ServerFault
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.artifacts.image_catalog import ImageCatalog
from tests.builders.fake_registry import FakeRegistries, FakeRegistry, artifact, digest, repository
from tests.builders.simulated_time import SimulatedClock, run_simulated

DAY_S = 86_400.0
REGISTRY = "111122223333"
KEEP = KeepTag(repository(), "keep.prod.web", digest(1))


def key(number: int = 1) -> ObjectKey:
    return ObjectKey("Release", "shop", f"r{number}")


class WatchedRegistry:
    """The loop, its registry, and the Releases that it told."""

    def __init__(self, interval_s: float = DAY_S) -> None:
        self.aws, self.told, self.may_change = FakeRegistries(), list[ObjectKey](), True
        self.registry = self.aws.registries[REGISTRY] = FakeRegistry()
        self.artifacts = ImageCatalog(
            self.aws, SimulatedClock(), interval_s, changed=self.told.append, may_change=lambda _: self.may_change  # type: ignore[arg-type]
        )  # fmt: skip

    def presences(self, number: int = 1) -> list[Presence]:
        return [f.presence for f in self.artifacts.require(key(), (artifact(number),)).values()]

    async def run(self, steps: Coroutine[Any, Any, None]) -> None:
        loop = asyncio.create_task(self.artifacts.run())
        try:
            await steps
        finally:
            loop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loop


def simulated(world: WatchedRegistry, steps: Coroutine[Any, Any, None]) -> None:
    run_simulated(world.run(steps))


def test_five_thousand_releases_ask_once_a_day_each_repository_in_one_call() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        for number in range(5000):
            world.registry.push(number)
            world.artifacts.require(key(number), (artifact(number, f"shop/{number % 100}"),))
        await asyncio.sleep(10 * DAY_S)

    simulated(world, steps())
    assert len(world.registry.asked) == 10 * 100
    assert {len(asked) for _, asked in world.registry.asked} == {50}
    first_day = sorted(world.registry.asked_at[:100])
    hours = {int(at // 3600) for at in first_day}
    assert len(hours) >= 20, "spread over the day"
    assert world.told == [], "what is as it was told to be is no news"


def test_a_restart_does_not_shift_a_repositorys_moment() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        world.presences()
        await asyncio.sleep(DAY_S)
        again = WatchedRegistry()
        again.aws.registries[REGISTRY] = world.registry
        again.presences()
        await again.run(asyncio.sleep(DAY_S))

    simulated(world, steps())
    first, second, *_ = world.registry.asked_at
    assert second - first == pytest.approx(DAY_S)


@pytest.mark.parametrize(
    ("image", "presence", "told"),
    [
        (RegistryImage(digest(1), ("v1",)), Presence.TAGGED, 0),
        (RegistryImage(digest(1)), Presence.UNTAGGED, 1),
        (RegistryImage(digest(1), ("v1",), archived=True), Presence.ARCHIVED, 1),
        (None, Presence.GONE, 1),
    ],
)
def test_what_is_found(image: RegistryImage | None, presence: Presence, told: int) -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.there = {digest(1): image} if image else {}
        assert world.presences() == []
        await asyncio.sleep(2 * DAY_S)
        assert world.presences() == [presence]

    simulated(world, steps())
    assert len(world.told) == told


def test_a_platforms_image_is_as_its_list_and_lists_are_read_once_a_look() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2, tags=())
        world.registry.lists = {digest(1): RegistryImage(digest(9), ("v1",))}
        world.artifacts.require(key(), (artifact(1), artifact(2, former=True)))
        await asyncio.sleep(DAY_S + 1)
        found = world.artifacts.require(key(), (artifact(1), artifact(2, former=True)))
        assert [f.presence for f in found.values()] == [Presence.TAGGED, Presence.UNTAGGED]

    simulated(world, steps())
    assert world.registry.lists_asked == 1


def test_an_image_without_tag_is_not_at_risk_while_its_lists_cannot_be_read() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, tags=())
        world.registry.push(2)
        world.registry.lists_fault = Denied("no policy allows ecr:BatchGetImage")
        world.artifacts.require(key(), (artifact(1), artifact(2, former=True)))
        await asyncio.sleep(DAY_S + 1)
        found = world.artifacts.require(key(), (artifact(1), artifact(2, former=True)))
        assert [f.presence for f in found.values()] == [Presence.UNREADABLE, Presence.TAGGED]

    simulated(world, steps())


def test_what_is_gone_is_looked_for_again_soon() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.presences()
        await asyncio.sleep(DAY_S)
        assert world.presences() == [Presence.GONE]
        world.registry.push(1)
        await asyncio.sleep(601)
        assert world.presences() == [Presence.TAGGED]

    simulated(world, steps())
    assert world.told == [key(), key()]
    assert len(world.registry.asked) <= DAY_S / 600 + 3


def test_what_is_urgent_is_looked_up_at_once_and_told() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        for _ in range(5):
            world.artifacts.require(key(), (artifact(1),), urgent=True)
        await asyncio.sleep(1)
        assert world.presences() == [Presence.TAGGED]
        for _ in range(5):
            world.artifacts.require(key(), (artifact(1),), urgent=True)
        await asyncio.sleep(1)

    simulated(world, steps())
    assert world.told == [key()] and len(world.registry.asked) == 1


@pytest.mark.parametrize(
    ("fault", "presence"),
    [(Denied("no"), Presence.UNREADABLE), (Blocked("ArtifactNotFound", "no repository"), Presence.GONE), (Retryable("slow"), None)],
)
def test_a_registry_that_cannot_be_read(fault: Problem, presence: Presence | None) -> None:
    """A passing fault says nothing of an image; all of the registry is left alone for five minutes, and other registries are not."""
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.fault = fault
        for number in range(20):
            world.artifacts.require(key(number), (artifact(1, f"shop/{number}"),), urgent=True)
        world.artifacts.require(key(50), (artifact(1, "other", "444455556666"),), urgent=True)
        await asyncio.sleep(299)
        found = world.artifacts.require(key(0), (artifact(1, "shop/0"),))
        assert [f.presence for f in found.values()] == ([presence] if presence else [])
        assert len(world.aws.registries["444455556666"].asked) == 1
        assert len(world.registry.asked) == (20 if presence else 1)
        world.registry.fault = None
        world.registry.push(1)
        await asyncio.sleep(700)
        assert [f.presence for f in world.artifacts.require(key(0), (artifact(1, "shop/0"),)).values()] == [Presence.TAGGED]

    simulated(world, steps())


def test_an_odd_image_hides_no_other_and_is_asked_for_again_alone() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2, 3)
        world.registry.odd = {digest(2): BrokenAnswer("it cannot be read")}
        needed = tuple(artifact(n) for n in (1, 2, 3, 4))
        world.artifacts.require(key(), needed)
        await asyncio.sleep(DAY_S)
        found = [f.presence for f in world.artifacts.require(key(), needed).values()]
        assert found == [Presence.TAGGED, Presence.UNREADABLE, Presence.TAGGED, Presence.GONE]
        world.registry.odd = {}
        await asyncio.sleep(601)
        found = [f.presence for f in world.artifacts.require(key(), needed).values()]
        assert found == [Presence.TAGGED, Presence.TAGGED, Presence.TAGGED, Presence.GONE]

    simulated(world, steps())
    assert {asked for _, asked in world.registry.asked[1:]} <= {frozenset({digest(2), digest(4)}), frozenset({digest(4)})}


@pytest.mark.parametrize("odd", [1, 2, 3, 5, 9])
def test_odd_repositories_keep_no_other_waiting_for_long(odd: int) -> None:
    """Some repositories hold nothing that can be read, and are the first of many: all the others are read within minutes."""
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.odd = {digest(n): BrokenAnswer("it cannot be read") for n in range(odd)}
        world.registry.push(99)
        for number in range(odd):
            world.artifacts.require(key(number), (artifact(number, f"shop/odd{number}"),), urgent=True)
        for number in range(20):
            world.artifacts.require(key(100 + number), (artifact(99, f"shop/{number}"),), urgent=True)
        await asyncio.sleep(20 * 60)
        assert set(world.told) >= {key(100 + number) for number in range(20)}

    simulated(world, steps())


def test_a_repository_that_nobody_needs_any_more_ends_nothing_while_it_waits_for_its_turn() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2)
        world.registry.takes_s = 10
        world.artifacts.require(key(1), (artifact(1, "shop/a"),), urgent=True)
        world.artifacts.require(key(2), (artifact(2, "shop/b"),), urgent=True)
        await asyncio.sleep(5)
        world.artifacts.look_up_again(REGISTRY, "eu-west-1", "shop/b")
        world.artifacts.forget(key(2))
        await asyncio.sleep(2 * DAY_S)

    simulated(world, steps())
    assert {name for name, _ in world.registry.asked} == {"shop/a"}


def test_an_outage_takes_few_calls() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        world.registry.odd = {digest(1): ServerFault("AWS answers 500")}
        for number in range(100):
            world.artifacts.require(key(number), (artifact(1, f"shop/{number}"),), urgent=True)
        await asyncio.sleep(3600)

    simulated(world, steps())
    assert len(world.registry.asked) <= 3600 / 300 * 3


def test_who_asks_while_a_look_fails_is_told_by_the_next() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2)
        world.registry.takes_s, world.registry.fault = 10, Retryable("slow")
        world.artifacts.require(key(1), (artifact(1),), urgent=True)
        await asyncio.sleep(5)
        world.artifacts.require(key(2), (artifact(2),), urgent=True)
        await asyncio.sleep(6)
        world.registry.fault = None
        await asyncio.sleep(400)

    simulated(world, steps())
    assert set(world.told) == {key(1), key(2)}


def test_what_nobody_needs_any_more_is_not_asked_for() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2)
        world.artifacts.require(key(1), (artifact(1),))
        world.artifacts.require(key(2), (artifact(1),))
        world.artifacts.require(key(2), (artifact(2),))
        world.artifacts.forget(key(1))
        await asyncio.sleep(DAY_S)
        world.artifacts.forget(key(2))
        await asyncio.sleep(DAY_S * 3)

    simulated(world, steps())
    assert [asked for _, asked in world.registry.asked] == [{digest(2)}]
    assert world.artifacts._repositories == {}


def test_what_was_known_of_an_image_is_forgotten_with_its_last_release() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.presences(1)
        await asyncio.sleep(DAY_S)
        assert world.presences(1) == [Presence.GONE]
        assert world.presences(2) == []
        assert world.presences(1) == []

    simulated(world, steps())


def test_an_event_about_a_repository_has_it_looked_at_now() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.presences()
        world.artifacts.look_up_again(REGISTRY, "eu-west-1", "shop/web")
        await asyncio.sleep(1)
        assert world.presences() == [Presence.GONE]

    simulated(world, steps())


# Tags that hold what runs.


def hold(world: WatchedRegistry, *holds: KeepTag, number: int = 1, at_once: bool = True) -> None:
    world.artifacts.hold(key(number), holds, at_once=at_once)


def test_a_tag_moves_once_and_is_looked_at_once_a_day() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1, 2)
        world.presences()
        hold(world, KEEP)
        await asyncio.sleep(1)
        assert world.registry.moved == [("shop/web", "keep.prod.web", digest(1))]
        hold(world, KEEP)
        await asyncio.sleep(10 * DAY_S)
        assert len(world.registry.moved) == 1 and len(world.registry.asked) <= 11
        await world.registry.move_tag("shop/web", "keep.prod.web", digest(2))
        await asyncio.sleep(DAY_S)
        assert len(world.registry.moved) == 3
        hold(world)
        await asyncio.sleep(DAY_S)
        assert len(world.registry.moved) == 3

    simulated(world, steps())
    assert world.artifacts.keep_problem(key()) is None


def test_a_restart_moves_no_tag_at_once() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        hold(world, KEEP, at_once=False)
        await asyncio.sleep(60)
        assert world.registry.asked == []
        await asyncio.sleep(DAY_S)
        assert len(world.registry.moved) == 1

    simulated(world, steps())


@pytest.mark.parametrize(("fault", "said", "tries"), [(Denied("denied"), True, 1), (Retryable("slow"), False, 4)])
def test_a_tag_that_cannot_be_moved_is_said_and_tried_again(fault: Problem, said: bool, tries: int) -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        world.registry.move_fault = fault
        hold(world, KEEP)
        await asyncio.sleep(1000)
        assert ("denied" in (world.artifacts.keep_problem(key()) or "")) is said
        assert len(world.registry.moved) == tries
        world.registry.move_fault = None
        await asyncio.sleep(DAY_S)
        assert world.artifacts.keep_problem(key()) == ""
        assert len(world.registry.moved) == tries + 1

    simulated(world, steps())
    assert world.told == ([key(), key()] if said else [])


def test_nothing_moves_where_nothing_may_be_changed() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        world.registry.push(1)
        world.may_change = False
        hold(world, KEEP)
        await asyncio.sleep(DAY_S)
        assert world.registry.moved == []

    simulated(world, steps())


def test_an_image_that_is_gone_holds_no_tag() -> None:
    world = WatchedRegistry()

    async def steps() -> None:
        hold(world, KEEP)
        await asyncio.sleep(DAY_S)

    simulated(world, steps())
    assert world.registry.moved == []


def test_two_releases_do_not_fight_for_a_tag() -> None:
    world = WatchedRegistry()
    other = KeepTag(KEEP.repository, KEEP.tag, digest(2))

    async def steps() -> None:
        world.registry.push(1, 2)
        hold(world, KEEP)
        hold(world, other, number=2)
        await asyncio.sleep(3 * DAY_S)
        assert [d for _, _, d in world.registry.moved] == [digest(1)]
        assert "held for Release shop/r1" in (world.artifacts.keep_problem(key(2)) or "")
        world.artifacts.forget(key(1))
        assert world.artifacts.keep_problem(key(2)) is None
        await asyncio.sleep(DAY_S)
        assert world.artifacts.keep_problem(key(2)) == ""
        assert [d for _, _, d in world.registry.moved] == [digest(1), digest(2)]

    simulated(world, steps())


def test_containers_that_share_an_image_are_one_question() -> None:
    world = WatchedRegistry()
    both = (artifact(1), RequiredImage("side", repository(), digest(1)))

    async def steps() -> None:
        world.registry.push(1)
        world.artifacts.require(key(), both)
        world.artifacts.require(key(), both[:1])
        world.artifacts.require(key(), both)
        await asyncio.sleep(DAY_S)
        assert len(world.artifacts.require(key(), both)) == 2
        world.artifacts.require(key(), both[1:])
        assert len(world.artifacts.require(key(), both[1:])) == 1

        assert world.artifacts._repositories[repository()].images[digest(1)].keys == (key(),)

    simulated(world, steps())
    assert [asked for _, asked in world.registry.asked] == [{digest(1)}]
