"""Commits by environments, as each may see them: HTML and JSON at one address."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.builders.board import elsewhere
from tests.builders.board_desk import BoardDesk
from tests.builders.fake_commits import FakeCommits
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import REFUSED, ROLLED_BACK, ROLLING, environment, project, release

A, B, C, D, E = (letter * 40 for letter in "abcde")
# a - b - c - d, and e beside b.
GRAPH = {A: [], B: [A], C: [B], D: [C], E: [A]}
GIT = {"url": "https://github.com/example/shop"}


def code(namespace: str = "shop") -> dict[str, Any]:
    body = project("web", "mail")
    return elsewhere({**body, "spec": {**body["spec"], "git": GIT}}, namespace)


def before(letter: str, now: str) -> dict[str, Any]:
    """History of a Release that ran something else before."""
    image = {
        "container": "app",
        "fromDigest": f"sha256:{letter * 64}",
        "fromHash": letter * 7,
        "toDigest": f"sha256:{now * 64}",
        "toHash": now * 7,
    }
    return {"history": [{"attemptID": "1", "outcome": "Succeeded", "completionTime": "2026-11-24T11:00:00Z", "images": [image]}]}


@pytest.fixture
def commits() -> FakeCommits:
    return FakeCommits(GRAPH, tip=D)


@pytest.fixture
async def desk(commits: FakeCommits) -> AsyncIterator[BoardDesk]:
    made = BoardDesk(commits)
    made.put(
        environment(), environment("production"), code(), code("vault"),
        release("web", wanted="c", **before("a", "c")), release("web", wanted="b", environment="production", **before("c", "b")),
        release("mail", wanted="c", runs={"b": 2}, readiness=ROLLED_BACK),
        elsewhere(release("treasure", wanted="d"), "vault"),
    )  # fmt: skip
    async with made.served():
        yield made


def cells(found: dict[str, Any], commit: str) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    (one,) = [c for c in found["commits"] if c["hash"] == commit]
    return {name: [(g["state"], tuple(g["services"])) for g in groups] for name, groups in one["environments"].items()}


async def test_where_commits_are(desk: BoardDesk) -> None:
    found = await desk.json("/commits")
    assert (found["project"], found["projects"]) == ("shop/shop", ["shop/shop"])
    assert found["notes"] == ["How old this is cannot be told: you may not see Environments."]
    assert (await desk.json("/commits?project=shop/shop", "ada"))["notes"] == []
    assert [c["hash"] for c in found["commits"]] == [D, C, B], "since the oldest that a Release remembers"
    assert cells(found, D) == {"staging": [("not yet", ("mail", "web"))], "production": [("not yet", ("web",))]}
    assert cells(found, C) == {"staging": [("failed", ("mail",)), ("live", ("web",))], "production": [("was here, gone", ("web",))]}
    assert cells(found, B) == {"staging": [("live", ("mail", "web"))], "production": [("live", ("web",))]}


async def test_what_nobody_looks_at_is_not_live(desk: BoardDesk) -> None:
    desk.put(release("web", wanted="c", readiness=REFUSED, **before("a", "c")))
    found = await desk.json("/commits")
    assert cells(found, B)["staging"] == [("live", ("mail",)), ("unknown", ("web",))]
    (web,) = [g for c in found["commits"] if c["hash"] == B for g in c["environments"]["staging"] if g["services"] == ["web"]]
    assert web["message"] == "TargetNotAllowed: not observed: Environment 'staging' does not allow namespace 'shop'"


async def test_the_page_says_the_same(desk: BoardDesk) -> None:
    _, text, _ = await desk.get("/commits")
    shown = re.sub(r"<[^>]*>", "", text)
    assert "3 of 3 commits" in shown and "commit ccccccc" in shown and "live 1 of 2" in shown and "tasks failed to start" in shown
    assert f'href="/commits?project=shop%2Fshop&amp;q={C}"' in text, "a link that can be sent"
    assert f'href="https://github.com/example/shop/commit/{C}"' in text


async def test_my_commit(desk: BoardDesk) -> None:
    for query, expected in (
        (f"q={C}", [C]), ("q=ccccccc", [C]), ("q=CCCCCCC", [C]), ("q=commit%20bbb", [B]), ("author=ana", [D, C, B]), ("author=bob", []),
        (f"q={A}", [A]), ("q=nothing", []), (f"q={'f' * 40}", ["f" * 40]),
    ):  # fmt: skip
        assert [c["hash"] for c in (await desk.json(f"/commits?project=shop/shop&{query}"))["commits"]] == expected, query
    old = await desk.json(f"/commits?project=shop/shop&q={A}")
    assert cells(old, A)["production"] == [("live", ("web",))]
    assert "older than what the Releases" in old["notes"][0]
    beside = await desk.json(f"/commits?project=shop/shop&q={E}")
    assert cells(beside, E)["production"] == [("not yet", ("web",))], "it is on no branch that runs"
    assert "No commit is like that" in (await desk.json("/commits?project=shop/shop&q=nothing"))["notes"][0]


async def test_one_service(desk: BoardDesk) -> None:
    found = await desk.json("/commits?project=shop/shop&service=mail")
    assert found["environments"] == ["staging"]
    assert cells(found, C) == {"staging": [("failed", ("mail",))]}


async def test_it_follows_what_changes(desk: BoardDesk) -> None:
    await desk.json("/commits")
    desk.put(release("mail", wanted="c"))
    assert cells(await desk.json("/commits"), C)["staging"] == [("live", ("mail", "web"))]
    rollout = {"attemptID": "2", "startTime": "2026-11-24T11:59:00Z", "images": before("b", "d")["history"][0]["images"]}
    desk.put(release("web", wanted="d", runs={"b": 2}, environment="production", readiness=ROLLING, rollout=rollout))
    assert cells(await desk.json("/commits"), D)["production"] == [("in flight", ("web",))]


async def test_each_sees_what_they_may_and_nothing_else_of_anything(desk: BoardDesk, commits: FakeCommits) -> None:
    for path in ("/commits", "/commits?project=shop/shop", "/commits?q=treasure", "/commits?project=shop/shop&format=json"):
        text = (await desk.get(path))[1].replace("treasure", "", 0)
        assert "vault" not in text
        assert "treasure" not in text.replace('value="treasure"', "").replace("q=treasure", "")
    assert "vault/shop" in (await desk.get("/commits", "ada"))[1]
    # What is not there, and what may not be seen, is answered alike, and nothing is asked about it.
    asked = len(commits.asked)
    for user, secret, nothing in (("ben", "vault/shop", "nosuch/shop"), ("eve", "shop/shop", "more/shop")):
        there, not_there = [await desk.json(f"/commits?project={name}", user) for name in (secret, nothing)]
        assert {**there, "project": ""} == {**not_there, "project": ""}
        assert there["commits"] == [] and "or you may not see it" in there["notes"][0]
    assert len(commits.asked) == asked


async def test_without_a_commits_service_it_says_so() -> None:
    desk = BoardDesk()
    desk.put(code(), release("web"))
    async with desk.served():
        assert "This board has no commits service" in (await desk.get("/commits"))[1]


async def test_a_service_that_is_away_is_said(desk: BoardDesk, commits: FakeCommits) -> None:
    commits.down = True
    found = await desk.json("/commits")
    assert (found["commits"], found["notes"]) == ([], ["the commits service does not answer"])


async def test_so_many_releases_and_no_more(desk: BoardDesk) -> None:
    desk.put(*(release(f"s{n}", wanted="c") for n in range(201)))
    assert "choose a service" in (await desk.json("/commits"))["notes"][0]
    assert cells(await desk.json("/commits?project=shop/shop&service=s7"), D) == {"staging": [("not yet", ("s7",))]}


async def test_one_that_cannot_be_read_hides_no_other(desk: BoardDesk) -> None:
    broken = release("mail", wanted="c")
    broken["spec"]["source"] = "text"
    desk.put(broken)
    assert cells(await desk.json("/commits"), C)["staging"] == [("live", ("web",))]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_no_committer_and_no_tenant_writes_into_the_page(desk: BoardDesk, commits: FakeCommits, text: str) -> None:
    plain = Page((await desk.get("/commits"))[1])
    desk.elapsed_s += 61
    commits.subject, commits.author = text, text
    said = json.loads(json.dumps(ROLLED_BACK))
    for condition in said["conditions"]:
        condition["message"] = text[:2048].encode(errors="replace").decode()
    desk.put(release("mail", wanted="c", runs={"b": 2}, readiness=said))
    _, page, _ = await desk.get("/commits")
    tags = [(name, sorted(a)) for name, a in Page(page).tags]
    assert tags == [(name, sorted(a)) for name, a in plain.tags] and Page(page).open == []
    assert not set(page) & {"\x1b", "\u202e", "\u2066", "\x00", "\x07"} and len(page) < 40_000
