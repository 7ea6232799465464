"""Two environments compared, as each may see them: HTML and JSON at one address."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ecs_release.pages.comparison import page
from tests.builders.board import elsewhere
from tests.builders.board_desk import BoardDesk
from tests.builders.fake_commits import FakeCommits
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import REFUSED, ROLLED_BACK, ago, digest, environment, project, release

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
        "otherDigests": {},
        "taskDefinition": None,
        "seen": "All",
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


def verdicts(found: dict[str, Any]) -> dict[str, tuple[str, bool | None]]:
    return {s["service"]: (s["verdict"], s["differs"]) for s in found["services"]}


NOTHING = {"a": 0}
UNSEEN = {"running": None}


@pytest.mark.parametrize(
    ("staging", "production", "expected", "said"),
    [
        (release("x"), {}, ("Same", False), "= the same"),
        (release("x"), {"wanted": "a"}, ("Differs", True), "≠ differs"),
        (release("x", **UNSEEN), UNSEEN, ("Unknown", None), "what runs in staging is not known"),
        (release("x", **UNSEEN), {}, ("Unknown", None), "? not known"),
        (release("x", runs={"b": 1, "a": 1}), {}, ("Differs", True), "tasks in staging run several images"),
        (release("x", runs={"b": 1, "a": 1}), {"runs": {"b": 1, "a": 1}}, ("Differs", True), "tasks in production run several images"),
        (release("x", runs={"b": 0}), {"runs": {"b": 0}}, ("NothingRuns", None), "no task runs in production"),
        (release("x", runs={"a": 0}), {}, ("NothingRuns", None), "no task runs in staging"),
        (release("x", readiness=REFUSED), {}, ("Unknown", None), "not every task in staging has shown what it runs, or not lately"),
        (release("x", readiness=REFUSED), {"wanted": "a"}, ("Differs", True), "? not observed: may no longer be so"),
    ],
    ids=str,
)  # fmt: skip
async def test_only_what_is_proven_is_the_same(
    desk: BoardDesk, staging: dict[str, Any], production: dict[str, Any], expected: tuple[str, bool | None], said: str
) -> None:
    desk.put(staging, release("x", environment="production", **production))
    for only in ("", "&only=different"):
        found = verdicts(await desk.json(f"{BOTH}&q=x{only}"))
        assert found == ({} if only and expected[0] == "Same" else {"x": expected})
    assert said in re.sub(r"<[^>]*>", "", (await desk.get(f"{BOTH}&q=x"))[1])


async def test_what_is_not_known_is_counted_by_itself(desk: BoardDesk) -> None:
    desk.put(
        release("y", **UNSEEN), release("y", environment="production"), release("z", runs={"b": 0}), release("z", environment="production")
    )
    assert "3 of 6 services differ. Of 1 it is not known. Of 1 nothing runs." in re.sub(r"<[^>]*>", "", (await desk.get(BOTH))[1])
    # Whoever may see that nobody observes one of the two is told that nothing of it is known to be the same.
    desk.put(environment("production", seen=ago(hours=2)))
    assert verdicts(await desk.json(f"{BOTH}&only=different", "ada"))["mail"] == ("Unknown", None)
    assert "mail" not in verdicts(await desk.json(f"{BOTH}&only=different"))
    assert verdicts(await desk.json(BOTH, "ada"))["web"] == ("Differs", True)


async def test_between_what_ran_last_and_what_runs_no_commits_are_counted(desk: BoardDesk, commits: FakeCommits) -> None:
    desk.put(release("web", runs={"c": 0}))
    found = await desk.json(f"{BOTH}&q=web")
    assert services(found) == {"web": (None, None, None)} and commits.asked == []


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
    web["status"]["running"]["containers"][0]["name"] = web["status"]["pin"]["images"][0]["container"] = text
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
    desk.put(environment("production", seen=ago(hours=-2)))
    assert "which is yet to come: clocks differ" in (await desk.get(BOTH, "ada"))[1]
    desk.freshness.lost("Release")
    assert "Not up to date: the cluster does not answer." in (await desk.get(BOTH))[1]
    assert (await desk.json(BOTH))["asOf"] == "2026-11-24T12:00:00Z"


async def test_who_may_not_see_environments_is_told_that_its_age_is_not_known(desk: BoardDesk) -> None:
    said = "How old this is cannot be told: you may not see Environments."
    found = await desk.json(BOTH)
    assert found["first"] == {"name": "staging", "lastSweepTime": None, "old": None}
    assert said in (await desk.get(BOTH))[1]
    assert said not in (await desk.get("/compare"))[1], "nothing is shown of any age"
    assert (await desk.json(BOTH, "ada"))["first"]["old"] is False
    assert said not in (await desk.get(BOTH, "ada"))[1]


async def test_it_is_made_once_for_all_who_see_the_same(desk: BoardDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("ecs_release.board.commits.comparing.page.html", lambda *given: made.append(given) or "page")
    for user in ("ben", "ben", "eve", "ben"):
        await desk.get(BOTH, user)
    assert len(made) == 2
    desk.put(release("web", wanted="b"))
    await desk.get(BOTH)
    assert len(made) == 3


async def test_what_changes_while_commits_are_asked_for_makes_another_page(
    desk: BoardDesk, commits: FakeCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_release.board.commits.distances._WAIT_S", 60)
    commits.hanging.add(GIT["git"]["url"])
    position, asked = desk.feed.position, asyncio.create_task(desk.get(BOTH))
    async with asyncio.timeout(60):
        while not commits.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        desk.put(release("web", wanted="a"))
        commits.released.set()
        _, text, _ = await asked
    assert f'data-position="{position}"' in text, "the change is sent to it"
    assert services(await desk.json(BOTH))["web"] == (False, None, None)
    assert "2 commits" not in (await desk.get(BOTH))[1]


async def test_it_is_compared_outside_of_the_event_loop(desk: BoardDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set[int]()
    for name in ("rows_of", "html"):
        real = getattr(page, name)
        monkeypatch.setattr(page, name, lambda *given, real=real: (threads.add(threading.get_ident()), real(*given))[1])
    assert (await desk.get(BOTH))[0] == 200
    assert threads and threading.get_ident() not in threads
