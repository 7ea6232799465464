"""The pages of a service and of a set: who sees them, as what, and when they are loaded anew."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator

import pytest

from ecs_release.api.names import ENVIRONMENT, LABEL_RELEASE_SET, PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.access import Sight
from ecs_release.board.inventory import Place
from ecs_release.board.object_pages import ServiceTopic, SetTopic
from tests.builders.board import elsewhere
from tests.builders.board_objects import PULL, SHOP, rolled_back, storefront
from tests.builders.html_page import Page
from tests.unit.board.desk import SEES, Desk
from tests.unit.cli.kubectl.objects import ROLLED_BACK, ago, conditions, environment, release

SERVICE, SET = "/services/shop/shop/checkout/staging", "/sets/shop/storefront-staging"
RELOAD = b"event: reload\ndata: {}\n\n"
HIDDEN = ("/services/vault/shop/checkout/staging", "/sets/vault/storefront-staging")
MISSING = (
    "/services/shop/shop/nothing/staging",
    "/services/shop/shop/checkout/nowhere",
    "/services/nowhere/shop/checkout/staging",
    "/sets/shop/nothing",
    "/sets/nowhere/storefront-staging",
)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    made.fill()
    for place in ("shop", "vault"):
        made.watched.changed(PROJECT, elsewhere(SHOP, place))
        made.watched.changed(RELEASE, elsewhere(rolled_back(), place))
        made.watched.changed(RELEASE_SET, elsewhere(storefront(), place))
    task = asyncio.create_task(made.pages.feed.run())
    async with made.served():
        yield made
    task.cancel()


async def test_a_service_is_a_page_and_json_at_one_address(desk: Desk) -> None:
    status, text, headers = await desk.get(SERVICE)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = Page(text)
    assert "checkout in staging" in page.words
    assert {PULL, SET, "https://github.com/example/shop/commit/aaaaaaa"} <= set(page.links)
    _, text, headers = await desk.get(SERVICE, Accept="application/json")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    found = json.loads(text)
    assert (found["service"], found["phase"], found["fresh"], found["releaseSet"]) == ("checkout", "RolledBack", True, "storefront-staging")
    assert (await desk.get(f"{SERVICE}?format=json"))[1] == text


async def test_a_set_is_a_page_and_json_at_one_address(desk: Desk) -> None:
    status, text, _ = await desk.get(SET)
    page = Page(text)
    assert (status, "Set storefront-staging" in page.words, SERVICE in page.links) == (200, True, True)
    assert "svg" in {name for name, _ in page.tags}
    found = json.loads((await desk.get(f"{SET}?format=json"))[1])
    assert (found["name"], len(found["waves"]), found["fresh"]) == ("storefront-staging", 3, True)


async def test_whether_a_page_has_changed_is_known_without_reading_its_objects(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for each page that is open after each change of anything."""
    monkeypatch.setattr(zlib, "decompress", None)
    for topic in (
        ServiceTopic(Place("shop", "shop", "checkout", "staging"), sees_environments=True),
        SetTopic("shop", "storefront-staging", sees_environments=True),
    ):
        assert desk.pages.position(topic)


async def test_the_matrix_leads_to_both(desk: Desk) -> None:
    links = Page((await desk.get("/"))[1]).links
    assert {SERVICE, SET} <= set(links)
    assert not [link for link in links if "vault" in link]
    desk.watched.deleted(RELEASE_SET, "shop", "storefront-staging")
    assert SET not in Page((await desk.get("/"))[1]).links
    assert SET not in Page((await desk.get(SERVICE))[1]).links


async def test_what_does_not_exist_and_what_may_not_be_seen_are_answered_alike(desk: Desk) -> None:
    answers = {}
    for path in (*HIDDEN, *MISSING):
        for suffix in ("", "?format=json", "/events", "/events?at=1"):
            answers[path, suffix] = await desk.get(path + suffix)
    for suffix in ("", "?format=json", "/events", "/events?at=1"):
        of_suffix = [answers[path, suffix] for path in (*HIDDEN, *MISSING)]
        assert {status for status, _, _ in of_suffix} == {404}
        assert len({text for _, text, _ in of_suffix}) == 1
        assert len({tuple(sorted((k, v) for k, v in headers.items() if k != "Date")) for _, _, headers in of_suffix}) == 1
    for path in HIDDEN:
        assert (await desk.get(path, "ada"))[0] == 200


async def test_nothing_is_looked_up_for_whoever_may_not_see_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work is done whether or not it is there: an answer takes as long."""
    asked: list[object] = []
    monkeypatch.setattr(desk.pages, "position", asked.append)
    for path in HIDDEN:
        await desk.get(path)
        await desk.get(f"{path}/events")
    assert asked == []


async def test_environments_are_for_those_who_may_see_them(desk: Desk) -> None:
    assert "Staging of all" not in (await desk.get(SERVICE, "ben"))[1]
    assert "Staging of all" in (await desk.get(SERVICE, "ada"))[1]
    assert "Staging of all" not in (await desk.get(SERVICE, "ben"))[1]
    said = "How old this is cannot be told: you may not see Environments."
    for path in (SERVICE, SET):
        seen = {user: json.loads((await desk.get(f"{path}?format=json", user))[1])["environment"] for user in ("ben", "ada")}
        assert seen["ben"] == {"name": "staging", "displayName": "", "lastSweepTime": None, "old": None}
        assert (seen["ada"]["displayName"], seen["ada"]["old"]) == ("Staging of all", False)
        assert said in (await desk.get(path, "ben"))[1]
        assert said not in (await desk.get(path, "ada"))[1]


async def test_a_page_says_who_else_claims_its_service_and_of_whom_the_operator_has_said_so(desk: Desk) -> None:
    rival = {**release("checkout", name="a-checkout"), "status": {}}
    desk.watched.changed(RELEASE, rival)
    words = Page((await desk.get(SERVICE))[1]).words
    assert "Release a-checkout claims this service, too." in words and "RolledBack" in words
    refused = {"phase": "Failed", "conditions": conditions("TargetConflict", "held by checkout-staging", stalled="True")}
    desk.watched.changed(RELEASE, release("checkout", name="a-checkout", readiness=refused, generation=2))
    assert "Release a-checkout claims this service, too, and does not hold it." in Page((await desk.get(SERVICE))[1]).words
    assert json.loads((await desk.get(f"{SERVICE}?format=json"))[1])["alsoClaimedBy"] == ["a-checkout"]


async def test_a_page_says_when_its_environment_is_not_observed_any_more(desk: Desk) -> None:
    for path in (SERVICE, SET):
        at = (await desk.get(path, "ada"))[1].partition('data-position="')[2].partition('"')[0]
        async with desk.client.get(f"{path}/events?at={at}", headers={"X-Forwarded-User": "ada"}) as stream:
            await stream.content.readuntil(b"\n\n")
            desk.watched.changed(ENVIRONMENT, environment(seen=ago(minutes=20)))
            desk.pages.feed.wake()
            async with asyncio.timeout(30):
                assert await stream.content.readuntil(b"\n\n") == RELOAD
        assert "This Environment was observed last" in (await desk.get(path, "ada"))[1]
        assert "This Environment was" not in (await desk.get(path, "ben"))[1]
        desk.watched.changed(ENVIRONMENT, environment())


async def test_a_page_is_loaded_anew_when_what_it_shows_has_changed_and_only_then(desk: Desk) -> None:
    at = (await desk.get(SERVICE))[1].partition('data-position="')[2].partition('"')[0]
    async with desk.client.get(f"{SERVICE}/events?at={at}", headers={"X-Forwarded-User": "ben"}) as stream:
        assert await stream.content.readuntil(b"\n\n") == b'event: state\ndata: {"fresh":true,"asOf":"2026-11-24T12:00:00Z"}\n\n'
        desk.watched.changed(RELEASE, elsewhere(release("treasure", readiness=ROLLED_BACK), "vault"))
        desk.watched.changed(RELEASE, release("web", readiness=ROLLED_BACK))
        desk.watched.changed(ENVIRONMENT, environment(seen=ago(seconds=3)))
        changed = rolled_back()
        changed["status"]["target"]["cluster"] = "other"
        desk.watched.changed(RELEASE, changed)
        async with asyncio.timeout(30):
            assert await stream.content.readuntil(b"\n\n") == RELOAD
    assert (await desk.get(SERVICE))[1].partition('data-position="')[2].partition('"')[0] != at


async def test_a_set_is_loaded_anew_when_a_release_of_it_has_changed(desk: Desk) -> None:
    at = (await desk.get(SET))[1].partition('data-position="')[2].partition('"')[0]
    async with desk.client.get(f"{SET}/events?at={at}", headers={"X-Forwarded-User": "ben"}) as stream:
        await stream.content.readuntil(b"\n\n")
        changed = rolled_back()
        changed["status"]["rollout"]["completionTime"] = ago(minutes=4)
        desk.watched.changed(RELEASE, changed)
        async with asyncio.timeout(30):
            assert await stream.content.readuntil(b"\n\n") == RELOAD
        desk.watched.deleted(RELEASE_SET, "shop", "storefront-staging")
        async with asyncio.timeout(30):
            assert await stream.content.readuntil(b"\n\n") == RELOAD
    assert (await desk.get(SET))[0] == 404


async def test_who_loses_a_right_loses_page_and_stream(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk.client.get(f"{SERVICE}/events", headers={"X-Forwarded-User": "ben"}) as stream:
        await stream.content.readuntil(b"\n\n")
        monkeypatch.setitem(SEES, "ben", Sight())
        desk.watched.changed(RELEASE, release("checkout"))
        async with asyncio.timeout(30):
            left = await stream.content.read()
    assert left.replace(RELOAD, b"") == b""
    assert (await desk.get(SERVICE))[0] == 404


async def test_streams_of_all_pages_are_bounded_together() -> None:
    made = Desk(streams=2)
    made.fill()
    made.watched.changed(RELEASE, rolled_back())
    async with (
        made.served(),
        made.client.get("/events", headers={"X-Forwarded-User": "ben"}) as one,
        made.client.get(f"{SERVICE}/events", headers={"X-Forwarded-User": "ada"}) as other,
    ):
        assert (one.status, other.status) == (200, 200)
        assert (await made.get(f"{SERVICE}/events"))[0] == 503
        assert (await made.get("/events"))[0] == 503


async def test_while_the_cluster_does_not_answer_the_last_page_says_how_old_it_is(desk: Desk) -> None:
    desk.freshness.lost(RELEASE)
    for path in (SERVICE, SET):
        assert "Not up to date: the cluster does not answer." in (await desk.get(path))[1]
        found = json.loads((await desk.get(f"{path}?format=json"))[1])
        assert (found["fresh"], found["asOf"]) == (False, "2026-11-24T12:00:00Z")
    desk.freshness.heard(RELEASE)
    assert "Not up to date" not in (await desk.get(SERVICE))[1]


async def test_of_two_that_claim_a_service_the_page_shows_the_one_that_holds_it(desk: Desk) -> None:
    rival = release(
        "checkout",
        name="rival",
        readiness={"phase": "Failed", "conditions": [{**c, "reason": "TargetConflict"} for c in ROLLED_BACK["conditions"]]},
    )
    desk.watched.changed(RELEASE, rival)
    words = Page((await desk.get(SERVICE))[1]).words
    assert "Release rival claims this service, too, and does not hold it." in words and "Release checkout-staging" in words


async def test_an_object_that_cannot_be_read_says_so(desk: Desk) -> None:
    body = rolled_back()
    body["status"]["pin"] = {"images": 7}
    desk.watched.changed(RELEASE, body)
    status, text, _ = await desk.get(SERVICE)
    assert status == 500
    assert "Release shop/checkout-staging is there, but this version of the board cannot read it." in text


async def test_pages_hold_neither_script_nor_style(desk: Desk) -> None:
    for path in (SERVICE, SET):
        _, text, headers = await desk.get(path)
        assert text.count("<script") == 1 and "<style" not in text and " style=" not in text
        assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["Cache-Control"] == "no-store"


async def test_names_of_other_alphabets_and_odd_addresses(desk: Desk) -> None:
    for path in (
        "/services/shop/shop/%E2%80%AE/staging",
        "/services/shop/shop/..%2f..%2f/staging",
        "/sets/shop/%00",
        "/services/shop/shop",
        f"/sets/shop/{'x' * 4000}",
    ):
        assert (await desk.get(path))[0] == 404, path
    odd = release("Odd.Name_1")
    odd["metadata"] |= {"labels": {LABEL_RELEASE_SET: "not-there"}}
    desk.watched.changed(RELEASE, odd)
    status, text, _ = await desk.get("/services/shop/shop/Odd.Name_1/staging")
    assert (status, "released with set" in text) == (200, False)
