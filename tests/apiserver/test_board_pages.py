"""The board in a real Chromium: its three questions answered as a person would, what changes while they look, and without a mouse."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from tests.apiserver.board_bed import BoardBed, board_bed, running
from tests.apiserver.board_browser import check_for_everybody, chromium, visit
from tests.control_plane.control_plane import Cluster
from tests.unit.cli.kubectl.objects import ROLLED_BACK, ROLLING, WAITING, conditions

DRIFT_MESSAGE = "something else runs"
DRIFTED = {"phase": "Drifted", "conditions": conditions("Drifted", DRIFT_MESSAGE, stalled="True")}


@pytest.fixture(scope="module")
def bed(cluster: Cluster) -> Iterator[BoardBed]:
    with board_bed(cluster) as running_board:
        for name in ("staging", "production"):
            running_board.observe(name)
        yield running_board


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shop(bed: BoardBed, namespace: str) -> str:
    """A namespace with a service that is fine, one that is being deployed, one that was rolled back, and one that drifted."""
    bed.put(namespace, running("web", "b"))
    bed.put(namespace, running("web", "a", environment="production", readiness=WAITING))
    bed.put(namespace, running("mail", "b", runs={"a": 2}, readiness=ROLLING))
    bed.put(namespace, running("checkout", "b", runs={"a": 2}, readiness=ROLLED_BACK))
    bed.put(namespace, running("search", "b", runs={"c": 2}, readiness=DRIFTED))
    bed.allow(namespace, namespace)
    return namespace


@pytest.fixture
def page(browser: Browser, bed: BoardBed, shop: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The home page, as somebody sees it who may see this namespace alone."""
    with visit(browser, bed.process.address, shop, **getattr(request, "param", {})) as made:
        expect(made.get_by_role("rowheader", name="checkout")).to_be_visible()
        yield made


def cell(page: Page, namespace: str, service: str, environment: str = "staging") -> Any:
    return page.locator(f'[id="{namespace}/shop/{service}/{environment}"]')


def test_is_my_version_there_yet(page: Page, shop: str) -> None:
    page.get_by_label("Service or hash").fill("bbbbbbb")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("q=bbbbbbb"))
    expect(cell(page, shop, "web")).to_contain_text("bbbbbbb ✔ Ready")
    expect(cell(page, shop, "mail")).to_contain_text("aaaaaaa ◐ Progressing wants bbbbbbb")
    page.go_back()
    expect(page.get_by_label("Service or hash")).to_have_value("")
    expect(page.get_by_role("rowheader", name="search")).to_be_visible()


def test_is_it_broken_or_being_deployed(page: Page, shop: str) -> None:
    page.get_by_label("only what is not as it should be").check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(cell(page, shop, "checkout")).to_contain_text("RolledBack")
    expect(cell(page, shop, "checkout")).to_contain_text("tasks failed to start")
    expect(cell(page, shop, "mail")).to_contain_text("1 of 2 new tasks")
    expect(cell(page, shop, "web", "production")).to_contain_text("window weekend is closed")
    expect(cell(page, shop, "search")).to_contain_text(DRIFT_MESSAGE)


def test_what_code_is_there_without_a_mouse(page: Page, shop: str) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(12):
        if page.evaluate("document.activeElement.name") == "q":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("search")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=search"))
    expect(cell(page, shop, "search")).to_contain_text("ccccccc ≠ Drifted wants bbbbbbb")
    expect(page.get_by_role("rowheader", name="web", exact=True)).to_have_count(0)


def test_what_changes_is_shown_and_said_without_a_reload(page: Page, bed: BoardBed, shop: str) -> None:
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    page.evaluate("window.stillHere = true")
    bed.put(shop, running("web", "b", readiness=ROLLED_BACK))
    expect(cell(page, shop, "web")).to_contain_text("RolledBack")
    expect(page.locator("#said")).to_contain_text("web in staging: RolledBack")
    expect(page.locator("#troubled")).to_have_text("5")
    bed.put(shop, running("new", "d"))
    expect(page.get_by_role("rowheader", name="new")).to_be_visible()
    assert page.evaluate("window.stillHere")


def test_what_changes_while_a_page_is_fetched_anew_is_not_lost(page: Page, bed: BoardBed, shop: str) -> None:
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held or route.request.resource_type != "fetch":
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/*", hold)
    bed.put(shop, running("late", "d"))
    ends_at = time.monotonic() + 60
    while not held:
        assert time.monotonic() < ends_at
        page.wait_for_timeout(50)
    # It is made by now, and on its way.
    bed.put(shop, running("checkout", "b"))
    expect(cell(page, shop, "checkout")).to_contain_text("Ready")
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.get_by_role("rowheader", name="late")).to_be_visible()
    expect(cell(page, shop, "checkout")).to_contain_text("Ready")


def test_times_are_the_readers_with_utc_beside(page: Page, shop: str) -> None:
    time = cell(page, shop, "web").locator("time")
    expect(time).to_have_attribute("title", "2026-11-24 11:51:00 UTC")
    expect(time).to_have_text("24 Nov 2026, 12:51")


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_it_works_without_javascript(page: Page, shop: str) -> None:
    expect(cell(page, shop, "web").locator("time")).to_have_text("2026-11-24 11:51 UTC")
    page.get_by_label("only what is not as it should be").check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(cell(page, shop, "checkout")).to_contain_text("RolledBack")
    expect(page.locator("#freshness")).to_contain_text("As of")


def test_nobody_is_kept_out(page: Page) -> None:
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    check_for_everybody(page)
