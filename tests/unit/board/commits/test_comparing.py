"""Two environments compared, as each may see them: HTML and JSON at one address."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.builders.board import elsewhere
from tests.builders.board_desk import BoardDesk
from tests.builders.fake_commits import FakeCommits
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import ROLLED_BACK, ago, digest, environment, project, release

A, B, C, D = (letter * 40 for letter in "abcd")
# a - b - c, and d beside b; the newest of the branch is c.
GRAPH = {A: [], B: [A], C: [B], D: [A]}
GIT = {"git": {"url": "https://github.com/example/shop"}}
BOTH = "/compare?first=staging&second=production"


def code(namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    body = project()
    return elsewhere({**body, "spec": {**body["spec"], **(spec or GIT)}}, namespace)


def fill(desk: BoardDesk) -> None:
    desk.put(
        environment(spec={"displayName": "Staging of all"}), environment("production"), code(), code("vault"),
        release("web", wanted="c"), release("web", wanted="a", environment="production"),
        release("mail", wanted="a"), release("mail", wanted="a", environment="production"),
        release("search", wanted="d", readiness=ROLLED_BACK), release("search", wanted="b", environment="production"),
        release("alone", wanted="b"), release("elsewhere", environment="dev"),
        elsewhere(release("treasure", wanted="c"), "vault"), elsewhere(release("treasure", wanted="d", environment="production"), "vault"),
    )  # fmt: skip


@pytest.fixture
def commits() -> FakeCommits:
    return FakeCommits(GRAPH, tip=C)


@pytest.fixture
async def desk(commits: FakeCommits) -> AsyncIterator[BoardDesk]:
    made = BoardDesk(commits)
    fill(made)
    async with made.served():
        yield made


def services(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {s["service"]: (s["differs"], s["ahead"], s["behind"]) for s in found["services"]}


async def test_what_runs_in_both_and_how_far_apart_it_is(desk: BoardDesk) -> None:
    # FakeCommits has c on the branch, and d by its full hash only.
    desk.put(release("search", wanted="d", readiness=ROLLED_BACK, spec={"source": {"releaseHash": D}}))
    found = await desk.json(BOTH)
    assert services(found) == {"alone": (True, None, None), "mail": (False, None, None), "search": (True, None, None), "web": (True, 2, 0)}
    web = next(s for s in found["services"] if s["service"] == "web")
    assert web["first"] == {
        "hash": "ccccccc",
        "digests": {"app": digest("c")},
        "taskDefinition": None,
        "phase": "Ready",
        "reason": "Succeeded",
    }
    assert (web["link"], found["fresh"], found["awaited"]) == ("https://github.com/example/shop/compare/ccccccc...aaaaaaa", True, False)
    assert [c["hash"] for c in found["ranges"][0]["onlyFirst"]] == [C, B]
    search = next(s for s in found["services"] if s["service"] == "search")
    assert "begin so" in search["unknown"]
    assert next(s for s in found["services"] if s["service"] == "alone")["second"] is None


async def test_the_page_says_the_same(desk: BoardDesk) -> None:
    _, text, _ = await desk.get(BOTH)
    shown = re.sub(r"<[^>]*>", "", text)
    assert "3 of 4 services differ." in shown
    assert "≠ differs: 2 ahead" in shown and "= the same" in shown and "no Release" in shown
    assert "web: staging is 2 ahead" in shown and "2 commits only in staging:" in shown and "commit ccccccc Ana" in shown
    assert '<a href="#range-1">' in text and 'id="range-1"' in text
    assert 'href="https://github.com/example/shop/compare/ccccccc...aaaaaaa"' in text
    assert "Staging of all" not in shown, "who may not get Environments does not see their names for people"
    assert "Staging of all" in (await desk.get(BOTH, "ada"))[1]


async def test_what_is_narrowed(desk: BoardDesk) -> None:
    for query, expected in (
        ("&only=different", {"alone", "search", "web"}), ("&q=web", {"web"}), ("&q=ddd", {"search"}), ("&project=other", set()), ("&set=x", set())
    ):  # fmt: skip
        assert services(await desk.json(BOTH + query)).keys() == expected, query
    assert "Nothing is there to compare" in (await desk.get(BOTH + "&project=other"))[1]
    assert "Nothing differs: all 1 services" in (await desk.get(BOTH + "&only=different&q=mail"))[1]
    assert (await desk.get(BOTH + "&only=all"))[0] == 400


async def test_nothing_is_compared_before_two_are_chosen(desk: BoardDesk, commits: FakeCommits) -> None:
    for path in ("/compare", "/compare?first=staging"):
        _, text, _ = await desk.get(path)
        assert ("Choose two environments" in text and "<option selected>staging" in text) or "first=" not in path
        assert (await desk.json(path))["services"] == []
    assert commits.asked == []


async def test_each_sees_what_they_may_and_nothing_else_of_anything(desk: BoardDesk, commits: FakeCommits) -> None:
    for path in (BOTH, f"{BOTH}&format=json", f"{BOTH}&q=treasure", f"{BOTH}&only=different"):
        text = (await desk.get(path))[1]
        assert not {
            word
            for word in ("treasure", "vault", "Staging of all")
            if word in text.replace("q=treasure", "").replace('value="treasure"', "")
        }
    assert "treasure" in (await desk.get(BOTH, "ada"))[1]
    # What is not there, and what may not be seen, is answered alike; and nothing is asked about it.
    asked = len(commits.asked)
    for place in ("first=vaulted&second=production", "first=nowhere&second=nothing"):
        assert services(await desk.json(f"/compare?{place}", "eve")) == {}
    assert services(await desk.json(BOTH, "eve")) == {}
    there, not_there = [
        (await desk.get(p, "eve"))[1].replace("production", "nothing").replace("staging", "nowhere")
        for p in (BOTH, "/compare?first=nowhere&second=nothing")
    ]
    assert re.sub(r'data-position="\w+"', "", there) == re.sub(r'data-position="\w+"', "", not_there)
    assert len(commits.asked) == asked


async def test_commits_are_asked_once_for_all_who_look(desk: BoardDesk, commits: FakeCommits) -> None:
    await asyncio.gather(*(desk.json(BOTH + f"&q={n % 2 and 'web'}") for n in range(20)))
    assert len([q for q in commits.asked if q[0] == "relation"]) == 1


async def test_a_page_does_not_wait_for_commits_for_long(desk: BoardDesk, commits: FakeCommits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_release.board.commits.distances._WAIT_S", 0.05)
    commits.hanging.add(GIT["git"]["url"])
    _, text, _ = await desk.get(BOTH)
    assert "its commits are being counted" in text and "data-again" in text
    assert (await desk.json(BOTH))["awaited"] is True
    commits.released.set()
    async with asyncio.timeout(30):
        while (await desk.json(BOTH))["awaited"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert services(await desk.json(BOTH))["web"] == (True, 2, 0)


async def test_without_a_commits_service_there_are_hashes_and_links(commits: FakeCommits) -> None:
    desk = BoardDesk()
    fill(desk)
    async with desk.served():
        _, text, _ = await desk.get(BOTH)
        assert "this board has no commits service" in text and "counted" in text
        assert "https://github.com/example/shop/compare/ccccccc...aaaaaaa" in text
        assert services(await desk.json(BOTH))["web"] == (True, None, None)


@pytest.mark.parametrize(
    "link", ["https://github.evil.example/shop", "javascript:alert(1)//github.com/x", "http://github.com/example/shop"]
)
async def test_a_page_links_to_known_hosts_alone(desk: BoardDesk, link: str) -> None:
    desk.put(code(repository=link))
    assert not re.findall(r'href="(?!/|#)[^"]*"', (await desk.get(BOTH))[1])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_no_committer_and_no_tenant_writes_into_the_page(desk: BoardDesk, commits: FakeCommits, text: str) -> None:
    plain = Page((await desk.get(BOTH, "ada"))[1])
    desk.elapsed_s += 61
    commits.subject, commits.author = text, text
    web = release("web", wanted="c", runs={"c": 2})
    web["status"]["running"]["containers"][0]["name"] = text
    desk.put(web, environment(spec={"displayName": text[:60].encode(errors="replace").decode()}))
    _, page, _ = await desk.get(BOTH, "ada")
    assert [(name, sorted(a)) for name, a in Page(page).tags if name != "small"] == [
        (name, sorted(a)) for name, a in plain.tags if name != "small"
    ]
    assert Page(page).open == [] and len(page) < 40_000
    assert not set(page) & {"\x1b", "\u202e", "\u2066", "\x00", "\x07"}


async def test_a_page_says_how_old_it_is(desk: BoardDesk) -> None:
    desk.put(environment("production", seen=ago(hours=2)))
    assert "not observed since" in (await desk.get(BOTH, "ada"))[1]
    desk.freshness.lost("Release")
    assert "Not up to date: the cluster does not answer." in (await desk.get(BOTH))[1]
    assert (await desk.json(BOTH))["asOf"] == "2026-11-24T12:00:00Z"


async def test_it_is_made_once_for_all_who_see_the_same(desk: BoardDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("ecs_release.board.commits.comparing.page.html", lambda *given: made.append(given) or "page")
    for user in ("ben", "ben", "eve", "ben"):
        await desk.get(BOTH, user)
    assert len(made) == 2
    desk.put(release("web", wanted="b"))
    await desk.get(BOTH)
    assert len(made) == 3
