"""What the board answers: by rights, by address, and to what it does not take."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.board import inventory, server
from ecs_release.board.access import Sight
from ecs_release.pages import board_page
from tests.builders.board import elsewhere
from tests.unit.board.desk import SEES, Desk
from tests.unit.cli.kubectl.objects import ROLLED_BACK, release


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk(streams=2)
    made.fill()
    async with made.served():
        yield made


async def test_each_sees_what_they_may_and_nothing_else_of_anything(desk: Desk) -> None:
    for path in ("/", "/?q=ccc", "/?only=troubled", "/?environment=staging", "/?format=json", "/?project=shop"):
        status, text, _ = await desk.get(path, "ben")
        assert status == 200
        assert not {word for word in ("treasure", "vault", "ccccccc", "Staging of all") if word in text}, path
    _, text, _ = await desk.get("/", "ada")
    assert "treasure" in text and "Staging of all" in text
    # Neither by a number: the same page, whether or not there is more.
    _, before, _ = await desk.get("/", "ben")
    desk.inventory.changed(RELEASE, elsewhere(release("more"), "vault"))
    _, after, _ = await desk.get("/", "ben")
    assert before.partition("data-position")[2].partition(">")[2] == after.partition("data-position")[2].partition(">")[2]


async def test_whoever_may_see_nothing_is_told_what_would_let_them(desk: Desk) -> None:
    status, text, _ = await desk.get("/", "eve")
    assert status == 200
    assert "There are no Releases that you may see." in text and "You are eve to the cluster" in text
    assert "You are" not in (await desk.get("/", "ben"))[1]


async def test_a_page_that_names_who_looks_is_no_one_else_s(desk: Desk) -> None:
    """Two who may see everything, of which there is nothing."""
    desk.inventory.retain(RELEASE, set())
    for user in ("ada", "ann"):
        assert f"You are {user} to the cluster" in (await desk.get("/", user))[1]


async def test_who_may_not_see_environments_is_told_that_its_age_is_not_known(desk: Desk) -> None:
    said = "How old this is cannot be told: you may not see Environments."
    for path in ("/", "/?only=troubled", "/?only=troubled&q=aaaaaaa&environment=production"):
        assert said in (await desk.get(path, "ben"))[1], path
        assert said not in (await desk.get(path, "ada"))[1], path
    assert said not in (await desk.get("/", "eve"))[1], "nothing is shown of any age"
    old = {user: json.loads((await desk.get("/?format=json", user))[1])["environments"][0]["old"] for user in ("ben", "ada")}
    assert old == {"ben": None, "ada": True}


async def test_the_same_address_answers_with_json(desk: Desk) -> None:
    _, text, headers = await desk.get("/?only=troubled", Accept="application/json")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    found = json.loads(text)
    assert (found["fresh"], len(found["services"])) == (True, 5)
    assert (await desk.get("/?only=troubled&format=json", Accept="text/html"))[1] == text
    assert (await desk.get("/", Accept="text/html,application/json"))[2]["Content-Type"] == "text/html; charset=utf-8"


async def test_a_namespace_that_the_board_may_not_read_is_named_to_whoever_may_see_it(desk: Desk) -> None:
    desk.freshness.leave_out(RELEASE, "vault")
    assert "Not shown, for the board may not read it: vault." in (await desk.get("/", "ada"))[1]
    assert json.loads((await desk.get("/?format=json", "ada"))[1])["leftOut"] == ["vault"]
    assert "vault" not in (await desk.get("/", "ben"))[1]
    assert json.loads((await desk.get("/?format=json", "ben"))[1])["leftOut"] == []
    desk.freshness.heard(RELEASE)
    assert "Not shown" not in (await desk.get("/", "ada"))[1]


async def test_an_answer_says_how_old_it_is_while_the_cluster_does_not_answer(desk: Desk) -> None:
    desk.freshness.lost(RELEASE)
    _, text, _ = await desk.get("/")
    assert "Not up to date: the cluster does not answer." in text and "bbbbbbb" in text
    found = json.loads((await desk.get("/?format=json"))[1])
    assert (found["fresh"], found["asOf"]) == (False, "2026-11-24T12:00:00Z")
    desk.freshness.heard(RELEASE)
    assert "Not up to date" not in (await desk.get("/"))[1]


async def test_before_everything_was_read_there_is_no_page() -> None:
    empty = Desk()
    async with empty.served():
        status, text, headers = await empty.get("/")
        assert (status, headers["Retry-After"]) == (503, "2")
        assert "has not read everything yet" in text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/", {}, 405), ("PUT", "/", {}, 405), ("DELETE", "/?only=troubled", {}, 405), ("OPTIONS", "/", {}, 405),
        ("GET", "/", {"Host": "evil.example.com"}, 421), ("GET", "/", {"Host": "127.0.0.1.evil.example.com"}, 421),
        ("GET", "/", {"Host": "releases.example.com"}, 200), ("GET", "/", {"Host": "RELEASES.example.com:443"}, 200),
        ("GET", "/", {"X-Forwarded-User": ""}, 401), ("GET", "/", {"X-Forwarded-User": "system:admin"}, 401),
        ("GET", "/events", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", "/nothing", {}, 404), ("GET", "/static/server.py", {}, 404), ("GET", "/static/..%2fserver.py", {}, 404),
        ("GET", f"/?q={'x' * 254}", {}, 400), ("GET", "/?only=all", {}, 400), ("HEAD", "/", {}, 200),
        ("GET", f"/?q={'x' * 9000}", {}, 400),
    ],
)  # fmt: skip
async def test_what_is_not_taken(desk: Desk, method: str, path: str, headers: dict[str, str], status: int) -> None:
    async with desk.client.request(method, path, headers={"X-Forwarded-User": "ben", **headers}) as answer:
        assert answer.status == status


async def test_every_answer_is_guarded(desk: Desk) -> None:
    for path in ("/", "/?format=json", "/nothing", "/?only=all", "/static/board.js"):
        _, _, headers = await desk.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in headers
        assert headers["Cache-Control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")


async def test_pages_hold_neither_script_nor_style_and_name_only_their_own_files(desk: Desk) -> None:
    desk.inventory.changed(RELEASE, release("web", readiness=ROLLED_BACK, spec={"change": {"description": "<script>alert(1)</script>"}}))
    _, text, _ = await desk.get("/")
    assert text.count("<script") == 1 and "<style" not in text and " style=" not in text
    assert "http://" not in text and "https://" not in text


async def test_streams_are_bounded(desk: Desk) -> None:
    async with (
        desk.client.get("/events", headers={"X-Forwarded-User": "ben"}) as one,
        desk.client.get("/events", headers={"X-Forwarded-User": "ada"}) as other,
    ):
        assert (one.status, other.status) == (200, 200)
        assert await one.content.readuntil(b"\n\n") == b'event: state\ndata: {"fresh":true,"asOf":"2026-11-24T12:00:00Z"}\n\n'
        assert (await desk.get("/events"))[0] == 503


async def test_who_loses_a_right_loses_the_stream(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk.client.get(f"/events?at={desk.feed.position}", headers={"X-Forwarded-User": "ben"}) as stream:
        await stream.content.readuntil(b"\n\n")
        monkeypatch.setitem(SEES, "ben", Sight())
        desk.feed.tell(desk.freshness.age)
        async with asyncio.timeout(30):
            # The page is loaded anew, as far as it is still theirs.
            assert await stream.content.read() == b"event: reload\ndata: {}\n\n"


async def test_a_stream_ends_so_that_the_login_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_STREAM_S", 0.0)
    async with asyncio.timeout(30), desk.client.get("/events", headers={"X-Forwarded-User": "ben"}) as stream:
        assert await stream.content.read() == b""
    monkeypatch.setattr(server, "_STREAM_S", 0.5)
    url = f"/events?at={desk.feed.position}"
    async with asyncio.timeout(60), desk.client.get(url, headers={"X-Forwarded-User": "ben"}) as stream:
        assert (await stream.content.readuntil(b"\n\n")).startswith(b"event: state")
        assert b"reload" not in await stream.content.read(), "what is shown stays until the page has another stream"


async def test_many_groups_fit_into_a_header(desk: Desk) -> None:
    groups = ",".join(f"organisation:team-{n}" for n in range(1000))
    assert len(groups) > 20_000
    assert (await desk.get("/", **{"X-Forwarded-Groups": groups}))[0] == 200


@pytest.mark.parametrize("path", ["/", "/?format=json"])
async def test_a_page_is_made_outside_of_the_event_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """With thousands of Releases it takes seconds on a busy machine, in which nobody else would be answered."""
    threads = set[int]()
    for module, name in ((inventory, "arrange"), (board_page, "matrix"), (server, "data")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, real=real: (threads.add(threading.get_ident()), real(*given))[1])
    assert (await desk.get(path))[0] == 200
    assert threads and threading.get_ident() not in threads


async def test_5000_releases_are_a_page_of_less_than_150_kb(desk: Desk) -> None:
    for number in range(5000):
        name = f"service-{number % 1250:04}"
        wanted = f"{number * 7919:07x}"[:7]
        body = release(name, environment=("dev", "test", "staging", "production")[number // 1250])
        body["status"]["running"] |= {"hash": wanted, "sinceTime": f"2026-11-{1 + number % 27:02}T{number % 24:02}:{number % 60:02}:00Z"}
        body["status"]["summary"]["hash"] = wanted
        desk.inventory.changed(RELEASE, body)
    async with desk.client.get("/", headers={"X-Forwarded-User": "ben", "Accept-Encoding": "gzip"}) as answer:
        text = await answer.text()
        assert int(answer.headers["Content-Length"]) < 150_000
    assert text.count("<tr><th") == 1250 + 6 + 1
