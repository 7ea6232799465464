"""The pages of a service and of a set in a real Chromium: from the matrix by clicking and by keyboard, as they change, for everybody."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.apiserver.board_bed import BoardBed, board_bed, running
from tests.apiserver.board_browser import check_for_everybody, chromium, press_tab_until, visit
from tests.builders.board_objects import LOG, PULL, REPOSITORY, SHOP, rolled_back, storefront
from tests.control_plane.control_plane import Cluster
from tests.unit.cli.kubectl.objects import READY, member

_HEARD_S = 16.0
"""After so long the board has said something, whether anything has changed or not."""


@pytest.fixture(scope="module")
def bed(cluster: Cluster) -> Iterator[BoardBed]:
    with board_bed(cluster) as running_board:
        running_board.observe("staging")
        yield running_board


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shop(bed: BoardBed, namespace: str) -> str:
    """A namespace with a set: of its three services one is through, one was rolled back, and one was not begun."""
    bed.put(namespace, SHOP)
    for body in (running("web", "a"), running("search", "b"), rolled_back(), storefront()):
        bed.put(namespace, body)
    bed.allow(namespace, namespace)
    return namespace


@pytest.fixture
def page(browser: Browser, bed: BoardBed, shop: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The home page, as somebody sees it who may see this namespace alone."""
    with visit(browser, bed.process.address, shop, **getattr(request, "param", {})) as made:
        expect(made.get_by_role("rowheader", name="checkout")).to_be_visible()
        yield made


def open_service(page: Page, shop: str, service: str = "checkout") -> None:
    page.locator(f'[id="{shop}/shop/{service}/staging"]').get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{service} in staging")


def open_set(page: Page) -> None:
    page.get_by_role("link", name="storefront in staging").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set storefront-staging")


def test_is_my_version_there_yet(page: Page, shop: str) -> None:
    open_service(page, shop)
    main = page.get_by_role("main")
    expect(main).to_contain_text("Runsaaaaaaa")
    expect(main).to_contain_text("Wantedbbbbbbb")
    containers = page.get_by_role("region", name="Containers")
    expect(containers.get_by_role("row", name="app")).to_contain_text("in 2 tasks, not what is wanted")
    page.go_back()
    open_service(page, shop, "search")
    expect(containers.get_by_role("row", name="app")).to_contain_text("in 2 tasks, as wanted")


def test_a_page_that_cannot_be_fetched_is_not_called_up_to_date(browser: Browser, bed: BoardBed, shop: str) -> None:
    """The stream goes on meanwhile, as it does when a login has ended, and says every 15 s that the board is up to date."""
    refused: list[float] = []

    def refuse(route: Route) -> None:
        refused.append(time.monotonic())
        route.abort()

    with visit(browser, bed.process.address, shop, meant="net::ERR_FAILED") as page:
        open_service(page, shop)
        address, said = page.url, page.locator("#freshness")
        page.route(address, refuse)
        bed.put(shop, running("checkout", "b"))
        expect(said).to_contain_text("Not up to date since")
        while refused[-1] - refused[0] < _HEARD_S:
            page.wait_for_timeout(500)
            assert "Not up to date since" in said.inner_text()
        page.unroute(address)
        expect(page.get_by_role("main")).to_contain_text("Runsbbbbbbb")
        expect(said).to_have_text("Up to date: changes are shown as they come.")


def test_is_it_broken_or_being_deployed(page: Page, shop: str) -> None:
    open_service(page, shop)
    evidence = page.get_by_role("region", name="Tasks that failed in the latest attempt")
    expect(evidence).to_contain_text("Essential container in task exited")
    expect(evidence.get_by_role("link")).to_have_attribute("href", LOG)
    history = page.get_by_role("region", name="Attempts, newest first").get_by_role("row")
    expect(history.nth(1)).to_contain_text("RolledBack")
    expect(history.nth(1)).to_contain_text("4m")
    page.get_by_role("link", name="storefront-staging").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set storefront-staging")
    waves = page.get_by_role("region", name="Waves and services")
    expect(waves.get_by_role("row", name="checkout")).to_contain_text("✖ Failed")
    expect(waves.get_by_role("row", name="web")).to_contain_text("○ Pending")


def test_what_code_is_there(page: Page, shop: str) -> None:
    open_service(page, shop)
    main = page.get_by_role("main")
    expect(main.get_by_role("link", name="aaaaaaa", exact=True).first).to_have_attribute("href", f"{REPOSITORY}/commit/aaaaaaa")
    expect(main.get_by_role("link", name="Compare what runs with what is wanted")).to_have_attribute(
        "href", f"{REPOSITORY}/compare/aaaaaaa...bbbbbbb"
    )
    expect(main.get_by_role("link", name=PULL).first).to_have_attribute("href", PULL)


def test_without_a_mouse(page: Page, shop: str) -> None:
    press_tab_until(page, f"(document.activeElement.getAttribute('href') || '').endsWith('/services/{shop}/shop/checkout/staging')")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("checkout in staging")
    # What scrolls is reached, too, and says what it is.
    press_tab_until(page, "document.activeElement.getAttribute('aria-label') === 'Containers'")
    press_tab_until(page, f"document.activeElement.getAttribute('href') === '{PULL}'")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Tab")
    page.go_back()
    press_tab_until(page, "(document.activeElement.textContent || '') === 'storefront in staging'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set storefront-staging")
    press_tab_until(page, "document.activeElement.getAttribute('aria-label') === 'Timeline of the waves'")


def test_what_changes_is_shown_and_said_and_the_focus_stays(page: Page, bed: BoardBed, shop: str) -> None:
    open_service(page, shop)
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    page.evaluate("window.stillHere = true")
    page.get_by_role("link", name="storefront-staging").focus()
    body = rolled_back()
    bed.put(shop, {**body, "status": {**body["status"], **READY, "summary": {"hash": "a" * 7, "runningHash": "a" * 7}}})
    expect(page.locator(".how")).to_contain_text("✔ Ready")
    expect(page.locator("#said")).to_have_text("checkout in staging: Ready")
    assert page.evaluate("window.stillHere")
    assert page.evaluate("document.activeElement.textContent") == "storefront-staging"


def test_a_set_is_drawn_as_it_goes_out(page: Page, bed: BoardBed, shop: str) -> None:
    open_set(page)
    drawing = page.get_by_role("img", name="Waves of storefront-staging over time")
    expect(drawing).to_contain_text("Wave 2")
    expect(drawing.locator("rect")).to_have_count(4)
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    body = storefront()
    body["status"]["services"][2] = member("web", "Progressing", startTime="2026-11-24T11:56:00Z", message="1 of 2 new tasks")
    body["status"]["waves"][2] |= {"state": "Open", "startTime": "2026-11-24T11:56:00Z"}
    bed.put(shop, body)
    expect(drawing.locator("rect")).to_have_count(6)
    expect(page.get_by_role("region", name="Waves and services").get_by_role("row", name="web")).to_contain_text("◐ Progressing")


def test_a_page_whose_object_goes_away_says_so(bed: BoardBed, browser: Browser, shop: str) -> None:
    # Chromium reports each answer 404.
    with visit(browser, f"{bed.process.address}/services/{shop}/shop/web/staging", shop, meant="404") as page:
        expect(page.locator("#freshness")).to_contain_text("Up to date")
        with page.expect_navigation():
            bed.cluster.kubectl("delete", "release", "web-staging", "-n", shop)
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_both_work_without_javascript(page: Page, shop: str) -> None:
    open_service(page, shop)
    expect(page.locator("#freshness")).to_contain_text("As of")
    expect(page.get_by_role("region", name="Attempts, newest first")).to_contain_text("2026-11-24 11:51 UTC")
    page.get_by_role("link", name="storefront-staging").click()
    expect(page).to_have_url(re.compile("/sets/"))
    expect(page.get_by_role("region", name="Waves and services")).to_contain_text("ECS rolled back")


def test_nobody_is_kept_out(page: Page, shop: str) -> None:
    open_service(page, shop)
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    check_for_everybody(page)
    page.get_by_role("link", name="storefront-staging").click()
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    check_for_everybody(page)
