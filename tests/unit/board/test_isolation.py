"""Whoever may see one namespace is answered as if there were no other, whatever they ask: by page, JSON and stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.builders.board import elsewhere
from tests.builders.board_desk import BoardDesk
from tests.builders.board_objects import SHOP, rolled_back, storefront
from tests.builders.fake_commits import FakeCommits
from tests.unit.cli.kubectl.objects import ROLLED_BACK, environment, release

A, B, C, D = (letter * 40 for letter in "abcd")
GRAPH = {A: [], B: [A], C: [B], D: [C]}
ENVIRONMENTS = ("staging", "production", "bunker")
BOTH = "/compare?first=staging&second=production"
ADDRESSES = [
    "/", "/?q=treasure", "/?q=ddd", "/?project=gold", "/?set=storefront", "/?environment=bunker", "/?only=troubled",
    "/services/shop/shop/checkout/staging", "/services/vault/gold/treasure/staging", "/services/vault/shop/checkout/staging",
    "/services/nowhere/shop/checkout/staging", "/sets/shop/storefront-staging", "/sets/vault/storefront-staging", "/sets/nowhere/any",
    "/compare", BOTH, f"{BOTH}&q=treasure", f"{BOTH}&project=gold", f"{BOTH}&only=different", "/compare?first=bunker&second=staging",
    "/commits", "/commits?project=shop/shop", "/commits?project=vault/gold", "/commits?project=nowhere/gold", "/commits?project=gold",
    "/commits?q=ddd", f"/commits?project=shop/shop&q={D}", "/commits?project=vault/gold&service=treasure&environment=bunker",
    "/commits?author=ana", "/?only=all", "/compare?only=all", f"/commits?q={'x' * 300}", "/nothing",
]  # fmt: skip


def with_git(body: dict[str, Any], url: str) -> dict[str, Any]:
    return {**body, "spec": {**body["spec"], "git": {"url": url}}}


def fill(desk: BoardDesk) -> None:
    """What `ben` may see."""
    desk.put(*map(environment, ENVIRONMENTS), with_git(SHOP, "https://github.com/example/shop"), rolled_back(), storefront())
    desk.put(release("web", wanted="c"), release("web", wanted="a", environment="production"))


def hide(desk: BoardDesk) -> None:
    """What he may not: the same names in another namespace, and names of its own."""
    gold = with_git({**SHOP, "metadata": {**SHOP["metadata"], "name": "gold"}}, "https://github.com/example/gold")
    hidden = [gold, SHOP, rolled_back(), storefront(), release("web", wanted="d", readiness=ROLLED_BACK)]
    for name in ENVIRONMENTS:
        body = release("treasure", wanted="d", environment=name, readiness=ROLLED_BACK)
        hidden.append({**body, "spec": {**body["spec"], "projectRef": {"name": "gold"}}})
    desk.put(*(elsewhere(body, "vault") for body in hidden))


@pytest.fixture
async def desks() -> AsyncIterator[tuple[BoardDesk, BoardDesk]]:
    """A board that has what is hidden, and one that has not."""
    async with AsyncExitStack() as stack:
        made = BoardDesk(FakeCommits(GRAPH, tip=D)), BoardDesk(FakeCommits(GRAPH, tip=D))
        for desk in made:
            fill(desk)
        hide(made[0])
        for desk in made:
            await stack.enter_async_context(desk.served())
            for task in [asyncio.create_task(feed.run()) for feed in (desk.feed, desk.pages.feed)]:
                stack.callback(task.cancel)
        yield made


async def answered(desk: BoardDesk, path: str, user: str, accept: str) -> tuple[int, str, dict[str, str]]:
    """Answer without what differs between any two processes."""
    status, text, headers = await desk.get(path, user, **{"Accept": accept, "Accept-Encoding": "identity"})
    return status, re.sub(r'data-position="\w*"', "", text), {k: v for k, v in headers.items() if k != "Date"}


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_every_answer_is_as_if_there_were_nothing_else(desks: tuple[BoardDesk, BoardDesk], accept: str) -> None:
    for path in ADDRESSES:
        more, less = [await answered(desk, path, "ben", accept) for desk in desks]
        assert more == less, path
        assert "vault" not in more[1].replace("project=vault", "").replace("vault/gold", ""), path
    _, text, _ = await desks[0].get("/", "ada")
    assert "treasure" in text, "there is something to be seen"


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_to_whoever_sees_nothing_everything_is_as_if_there_were_nothing(desks: tuple[BoardDesk, BoardDesk], accept: str) -> None:
    empty = BoardDesk(FakeCommits(GRAPH, tip=D))
    empty.put(*map(environment, ENVIRONMENTS))
    async with empty.served():
        for path in ADDRESSES:
            assert await answered(desks[0], path, "eve", accept) == await answered(empty, path, "eve", accept), path


async def test_nothing_is_asked_of_the_commits_service_about_what_is_hidden(desks: tuple[BoardDesk, BoardDesk]) -> None:
    for path in ADDRESSES:
        await desks[0].get(path, "ben")
    asked = [part for commits in [desks[0].distances, desks[0].ancestry] for part in getattr(commits, "_commits").asked]  # noqa: B009
    assert asked and not [one for one in asked if "gold" in str(one) or "vault" in str(one)]


@pytest.mark.parametrize(
    "path", ["/events", "/events?project=shop", "/services/shop/shop/web/staging/events", "/sets/shop/storefront-staging/events"]
)
async def test_a_stream_tells_nothing_of_what_changes_elsewhere(desks: tuple[BoardDesk, BoardDesk], path: str) -> None:
    sent = []
    for number, desk in enumerate(desks):
        at = (
            (await desk.get(path.removesuffix("/events").partition("/events")[0] or "/"))[1]
            .partition('data-position="')[2]
            .partition('"')[0]
        )
        async with desk.client.get(path, params={"at": at}, headers={"X-Forwarded-User": "ben"}) as stream:
            got = await stream.content.readuntil(b"\n\n")
            if number == 0:
                # Everything there is: it changes, is new, and goes.
                hidden = release("web", wanted="b")
                desk.put(elsewhere(hidden, "vault"), elsewhere(release("new", wanted="d"), "vault"))
                desk.watched.deleted("ReleaseSet", "vault", "storefront-staging")
                desk.watched.deleted("Release", "vault", "checkout-staging")
            desk.put(release("web", wanted="c", readiness=ROLLED_BACK), {**rolled_back(), "status": release("checkout")["status"]})
            async with asyncio.timeout(60):
                got += await stream.content.readuntil(b"\n\n")
        sent.append(re.sub(rb"id: \w+\n", b"", got))
    assert sent[0] == sent[1] and sent[0].count(b"event: ") == 2
