"""Pages of what code is where, in a real Chromium, with a commits service that reads a real repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.apiserver.board_bed import BoardBed, board_bed, of_commit
from tests.apiserver.board_browser import check_for_everybody, chromium, press_tab_until, visit
from tests.control_plane.control_plane import Cluster
from tests.git_host.repositories import BareRepository
from tests.git_host.server import GitHost, running_host
from tests.git_host.service import CommitsService, binding
from tests.unit.cli.kubectl.objects import ROLLED_BACK, project

EVIL = "<img src=x onerror=alert(1)> \u202e{{ 7*7 }}"


@dataclass(frozen=True)
class Code:
    """A repository of eight commits, and the service that reads it."""

    host: GitHost
    service: CommitsService
    repository: BareRepository
    hashes: list[str]

    @property
    def git(self) -> dict[str, str]:
        return {"url": self.host.url("shop/web"), "branch": "main"}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    with running_host(tmp_path_factory.mktemp("host")) as host:
        repository = host.repository("shop/web")
        hashes = repository.line(7)
        hashes.append(repository.commit(hashes[-1], subject=EVIL, author="Eve <b>", branch="main"))
        with CommitsService(tmp_path_factory.mktemp("service"), [binding(host, "shop/*", namespaces=("*",))]) as service:
            yield Code(host, service, repository, hashes)


@pytest.fixture(scope="module")
def bed(cluster: Cluster, code: Code) -> Iterator[BoardBed]:
    settings = {
        "ECS_RELEASE_BOARD_COMMITS_ADDRESS": code.service.address,
        "ECS_RELEASE_BOARD_COMMITS_TOKEN_FILE": str(code.service.token_file),
    }
    with board_bed(cluster, settings) as running_board:
        for name in ("staging", "production"):
            running_board.observe(name)
        yield running_board


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shop(bed: BoardBed, code: Code, namespace: str) -> str:
    """A namespace whose production is behind its staging; another of the same repository, which the viewer may not see."""
    other = f"{namespace}-2"
    bed.cluster.kubectl("create", "namespace", other)
    hashes = code.hashes
    for place in (namespace, other):
        body = project("web", "mail", repository="https://github.com/example/shop")
        bed.put(place, {**body, "spec": {**body["spec"], "git": code.git}})
    bed.put(namespace, of_commit("web", hashes[7], "b"))
    bed.put(namespace, of_commit("web", hashes[4], "a", environment="production"))
    bed.put(namespace, of_commit("mail", hashes[4], "a"))
    bed.put(namespace, of_commit("mail", hashes[4], "a", environment="production"))
    bed.put(other, of_commit("treasure", hashes[2], "c"))
    bed.allow(namespace, namespace)
    return namespace


@pytest.fixture
def page(browser: Browser, bed: BoardBed, shop: str) -> Iterator[Page]:
    """The home page, as somebody sees it who may see this namespace alone."""
    with visit(browser, bed.process.address, shop) as made:
        expect(made.get_by_role("rowheader", name="mail")).to_be_visible()
        yield made


def row(page: Page, service: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=service, exact=True))


def compare(page: Page) -> None:
    page.get_by_role("link", name="Compare environments").click()
    page.get_by_label("Environment").select_option("staging")
    page.get_by_label("compared with").select_option("production")
    page.get_by_role("button", name="Compare").click()
    expect(row(page, "web")).to_contain_text("3 ahead")


def test_which_commits_lie_between_two_environments(page: Page, code: Code) -> None:
    compare(page)
    expect(page).to_have_url(re.compile(r"first=staging&second=production"))
    expect(row(page, "mail")).to_contain_text("= the same")
    expect(page.locator("main")).to_contain_text("1 of 2 services differ.")
    row(page, "web").get_by_role("link", name="3 ahead").click()
    section = page.get_by_role("region", name="web: staging is 3 ahead")
    expect(section.get_by_role("listitem")).to_have_count(3)
    expect(section.get_by_role("listitem").nth(0)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(section.get_by_role("listitem").nth(0)).to_contain_text("{{ 7*7 }}")
    expect(section.get_by_role("listitem").nth(2)).to_contain_text("commit 5")
    link = row(page, "web").get_by_role("link", name="compare in the repository")
    expect(link).to_have_attribute("href", f"https://github.com/example/shop/compare/{code.hashes[7]}...{code.hashes[4]}")
    page.get_by_label("only what differs").check()
    page.get_by_role("button", name="Compare").click()
    expect(row(page, "mail")).to_have_count(0)
    page.go_back()
    expect(row(page, "mail")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("treasure")


def test_a_comparison_is_kept_up_to_date(page: Page, bed: BoardBed, code: Code, shop: str) -> None:
    compare(page)
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    page.evaluate("window.stillHere = true")
    page.get_by_role("link", name="3 ahead").focus()
    bed.put(shop, of_commit("web", code.hashes[5], "d", environment="production", readiness=ROLLED_BACK, observedGeneration=2))
    expect(row(page, "web")).to_contain_text("2 ahead")
    expect(row(page, "web")).to_contain_text("RolledBack")
    assert page.evaluate("window.stillHere")
    expect(page.get_by_role("link", name="2 ahead")).to_be_focused()


def test_environments_are_compared_without_a_mouse(page: Page) -> None:
    page.goto(f"{page.url}compare")
    for name, value in (("first", "staging"), ("second", "production")):
        press_tab_until(page, f"document.activeElement.name === '{name}'")
        page.keyboard.type(value)
    press_tab_until(page, "document.activeElement.tagName === 'BUTTON'")
    page.keyboard.press("Enter")
    expect(row(page, "web")).to_contain_text("3 ahead")


def test_nobody_is_kept_out_of_a_comparison(page: Page) -> None:
    compare(page)
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    check_for_everybody(page)


def test_where_my_commit_is(page: Page, bed: BoardBed, code: Code, shop: str) -> None:
    page.get_by_role("link", name="Commits").click()
    mine = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile("commit 5")))
    expect(mine.get_by_role("cell").nth(0)).to_contain_text("○ not yet")
    # Environments are in the order of their names: production, staging.
    expect(mine.get_by_role("cell").nth(1)).to_contain_text("✔ live 1 of 2")
    expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("main")).not_to_contain_text("treasure")
    page.get_by_label("Author").fill("eve")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("1 of 1 commit")
    page.go_back()
    mine.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(f"q={code.hashes[5]}"))
    expect(page.get_by_role("row")).to_have_count(2)
    # It arrives while they look.
    bed.put(shop, of_commit("web", code.hashes[5], "d", environment="production"))
    expect(mine.get_by_role("cell").nth(0)).to_contain_text("✔ live 1 of 2")
    # Who may not see the namespace is told nothing.
    page.set_extra_http_headers({"X-Forwarded-User": "nobody"})
    page.reload()
    expect(page.locator("main")).to_contain_text("or you may not see it")
    expect(page.locator("main")).not_to_contain_text("commit 5")


def test_commits_are_found_without_a_mouse(page: Page, code: Code) -> None:
    press_tab_until(page, "document.activeElement.textContent === 'Commits'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Commits and where they are")).to_be_visible()
    press_tab_until(page, "document.activeElement.name === 'q'")
    page.keyboard.type(code.hashes[6][:10])
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("rowheader", name=re.compile("commit 6"))).to_be_visible()


def test_nobody_is_kept_out_of_commits(page: Page) -> None:
    page.get_by_role("link", name="Commits").click()
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    expect(page.get_by_role("rowheader", name=re.compile("commit 5"))).to_be_visible()
    check_for_everybody(page)
