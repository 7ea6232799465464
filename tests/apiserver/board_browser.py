"""A person with Chromium in front of the board. What scripts or the policy of the page object to fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.program import ARGUMENTS, find

expect.set_options(timeout=300_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run it; the test is skipped where there is none."""
    program = find()
    if program is None:
        pytest.skip("THERE IS NO CHROMIUM: make browser says how to get one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@contextmanager
def visit(browser: Browser, address: str, user: str, *, meant: str = "", **options: Any) -> Iterator[Page]:
    """Open a page as somebody in Berlin sees it. `meant` is part of the errors that are no fault; `options` are the browser context's."""
    context = browser.new_context(extra_http_headers={"X-Forwarded-User": user}, locale="en-GB", timezone_id="Europe/Berlin", **options)
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    made.goto(address)
    yield made
    context.close()
    assert [text for text in wrong if not meant or meant not in text] == []


def check_for_everybody(page: Page) -> None:
    """Have axe-core look at a page, light and dark, wide and as narrow as a phone."""
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 320), ("dark", 320)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 640})
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        # Tables scroll by themselves, the page does not.
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (scheme, width)


def press_tab_until(page: Page, script: str, most: int = 60) -> None:
    """Go on with the Tab key until what is focused is as a script says."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(script):
            return
    raise AssertionError(f"{most} times Tab, and not: {script}")
