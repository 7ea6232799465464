"""What is sent to those who look: only what they may see, made once, and never too much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

from ecs_release.api.names import ENVIRONMENT, RELEASE, RELEASE_SET
from ecs_release.board import feed as feed_module
from ecs_release.board.access import EVERYTHING, Sight
from ecs_release.board.feed import Feed, Subscription
from ecs_release.board.inventory import Inventory, View
from ecs_release.pages.board_page import Age
from ecs_release.pages.filters import Filters
from tests.builders.board import Clock, elsewhere
from tests.builders.board_objects import storefront
from tests.builders.simulated_time import run_simulated
from tests.unit.cli.kubectl.objects import NOW, READY, ROLLED_BACK, ROLLING, ago, environment, release

SHOP = View(Sight(frozenset({"shop"})))


def made() -> tuple[Inventory, Feed]:
    inventory = Inventory(Clock().now)
    feed = Feed(inventory)
    inventory.on_change = feed.wake
    inventory.changed(ENVIRONMENT, environment())
    for body in (release("web"), release("search"), elsewhere(release("secret"), "vault")):
        inventory.changed(RELEASE, body)
    return inventory, feed


def events(sent: bytes) -> Iterator[tuple[str, Any]]:
    for block in sent.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            yield fields["event"], json.loads(fields["data"])


async def received(subscription: Subscription) -> list[tuple[str, Any]]:
    try:
        async with asyncio.timeout(1):
            return list(events(await subscription.next()))
    except TimeoutError:
        return []


def seen(view: View, *bodies: dict[str, Any], gone: str = "") -> list[tuple[str, Any]]:
    """What a page of a view is sent after changes."""

    async def run() -> list[tuple[str, Any]]:
        inventory, feed = made()
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        async with feed.subscribed(view, feed.position) as subscription:
            for body in bodies:
                inventory.changed(ENVIRONMENT if body["kind"] == ENVIRONMENT else RELEASE, body)
            if gone:
                inventory.deleted(RELEASE, "shop", gone)
            found = await received(subscription)
        task.cancel()
        assert feed.viewers == 0
        return found

    return run_simulated(run())


def test_a_change_is_sent_as_its_cell() -> None:
    ((name, data),) = seen(SHOP, release("web", readiness=ROLLED_BACK))
    assert name == "change"
    assert list(data["parts"]) == ["shop/shop/web/staging"]
    assert "RolledBack" in data["parts"]["shop/shop/web/staging"]
    assert len(json.dumps(data)) < 2048


def test_a_set_that_changes_is_told_to_pages_that_are_made_anew_and_to_nobody_else() -> None:
    async def run() -> list[list[tuple[str, Any]]]:
        inventory, feed = made()
        inventory.changed(RELEASE_SET, storefront())
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        views = [SHOP, View(EVERYTHING), View(Sight(frozenset({"vault"}))), View(EVERYTHING, Filters(project="other"))]
        async with AsyncExitStack() as stack:
            subscriptions = [await stack.enter_async_context(feed.subscribed(view, feed.position)) for view in views]
            changed = storefront()
            inventory.changed(RELEASE_SET, {**changed, "metadata": {**changed["metadata"], "resourceVersion": "another"}})
            found = [await received(subscription) for subscription in subscriptions]
        task.cancel()
        return found

    told = [("change", {"parts": {}})]
    assert run_simulated(run()) == [told, told, [], []]


def test_nothing_of_another_namespace_is_sent() -> None:
    assert seen(SHOP, elsewhere(release("secret", readiness=ROLLED_BACK), "vault"), elsewhere(release("more"), "vault")) == []


def test_changes_that_come_together_are_one_event() -> None:
    ((name, data),) = seen(
        SHOP, release("web", readiness=ROLLING), release("search", readiness=ROLLING), release("web", readiness=ROLLED_BACK)
    )
    assert (name, len(data["parts"])) == ("change", 2)
    assert "RolledBack" in data["parts"]["shop/shop/web/staging"]


def test_rows_that_come_and_go_have_the_page_loaded_anew() -> None:
    assert [name for name, _ in seen(SHOP, release("new"))] == ["reload"]
    assert [name for name, _ in seen(SHOP, gone="web-staging")] == ["reload"]
    assert [name for name, _ in seen(View(SHOP.sight, Filters(troubled=True)), release("web", readiness=ROLLED_BACK))] == ["reload"]
    assert [name for name, _ in seen(View(SHOP.sight, Filters(text="ccc")), release("web", wanted="c"))] == ["reload"]
    assert [name for name, _ in seen(View(SHOP.sight, Filters(text="web")), release("web", readiness=ROLLED_BACK))] == ["change"]
    both = View(SHOP.sight, Filters(text="web", troubled=True))
    assert [name for name, _ in seen(both, release("web", readiness=ROLLED_BACK))] == ["reload"]
    assert seen(View(SHOP.sight, Filters(environment="production")), release("web", readiness=ROLLED_BACK)) == []


def test_columns_are_for_those_who_may_see_environments() -> None:
    later = environment(seen=ago(seconds=2))
    ((name, data),) = seen(View(EVERYTHING), later)
    assert (name, list(data["parts"])) == ("change", ["environment/staging"])
    assert seen(SHOP, later) == []


def test_an_environment_that_is_not_observed_any_more_has_the_page_loaded_anew_and_its_cells_are_counted() -> None:
    old = environment(seen=ago(minutes=20))
    assert [name for name, _ in seen(View(EVERYTHING, Filters(troubled=True)), old)] == ["reload"]
    found = seen(View(EVERYTHING), environment(seen=ago(seconds=2)), release("web", readiness=ROLLING), release("web", requests="3"))
    assert 'class="good"' in found[0][1]["parts"]["shop/shop/web/staging"]

    async def run() -> dict[str, str]:
        inventory, feed = made()
        inventory.changed(ENVIRONMENT, old)
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        async with feed.subscribed(View(EVERYTHING), feed.position) as subscription:
            inventory.changed(RELEASE, release("web", wanted="c"))
            ((_, data),) = await received(subscription)
        task.cancel()
        return dict(data["parts"])

    assert 'class="off good"' in run_simulated(run())["shop/shop/web/staging"]


def test_a_page_of_before_gets_what_it_has_missed_and_one_of_another_process_is_loaded_anew() -> None:
    async def run() -> None:
        inventory, feed = made()
        task = asyncio.create_task(feed.run())
        position = feed.position
        inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK))
        await asyncio.sleep(1)
        async with feed.subscribed(SHOP, position) as late:
            assert [name for name, _ in await received(late)] == ["change"]
        async with feed.subscribed(SHOP, feed.position) as current:
            assert await received(current) == []
        for other in ("", "1", f"{feed.position}0", "0123456789abcdef", "9" * 8000):
            async with feed.subscribed(SHOP, other) as unknown:
                assert [name for name, _ in await received(unknown)] == ["reload"], other
        task.cancel()

    run_simulated(run())


def test_whoever_is_too_slow_loads_the_page_anew_and_takes_no_memory() -> None:
    async def run() -> None:
        inventory, feed = made()
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        async with feed.subscribed(SHOP, feed.position) as slow:
            for number in range(60):
                inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK if number % 2 else READY))
                inventory.changed(RELEASE, release("search", readiness=READY if number % 2 else ROLLED_BACK))
                await asyncio.sleep(0.3)
            names = [name for name, _ in await received(slow)]
            assert len(names) <= 16
            assert names[0] == "reload"
        task.cancel()

    run_simulated(run())


def test_at_most_four_flushes_a_second() -> None:
    async def run() -> None:
        inventory, feed = made()
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        count = 0
        async with feed.subscribed(SHOP, feed.position) as subscription:
            end = asyncio.get_running_loop().time() + 2
            number = 0
            while asyncio.get_running_loop().time() < end:
                number += 1
                inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK if number % 2 else READY))
                await asyncio.sleep(0.01)
                if subscription.waiting:
                    count += len(list(events(await subscription.next())))
        assert 6 <= count <= 9
        task.cancel()

    run_simulated(run())


def test_all_of_a_view_are_sent_the_same_bytes_made_once(monkeypatch: Any) -> None:
    async def run() -> None:
        inventory, feed = made()
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)
        calls = []
        monkeypatch.setattr(feed_module, "aged", lambda html, column: (calls.append(1), html)[1])
        async with feed.subscribed(SHOP, feed.position) as one, feed.subscribed(SHOP, feed.position) as other:
            inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK))
            assert await one.next() is not None
            assert other.waiting
        assert len(calls) == 1
        feed.tell(Age(fresh=False, as_of=NOW))
        task.cancel()

    run_simulated(run())


def test_everybody_is_told_that_nothing_is_up_to_date() -> None:
    async def run() -> None:
        _, feed = made()
        async with feed.subscribed(SHOP, feed.position) as subscription:
            feed.tell(Age(fresh=False, as_of=NOW))
            assert ("state", {"fresh": False, "asOf": "2026-11-24T12:00:00Z"}) in await received(subscription)

    run_simulated(run())
