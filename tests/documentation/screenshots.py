"""The pictures of the board: what Chromium shows of it after the demo's first four steps.

`python -m tests.documentation.screenshots` makes them anew. What they show changes with each run, as times do, so no test holds them against
what is shown today; `make demo` shows the same pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.board_process import BoardProcess
from tests.browser.program import ARGUMENTS, find
from tests.demo.__main__ import STAGING_SET, Demo
from tests.demo.bed import demo_bed

DOCS = Path(__file__).resolve().parents[2] / "docs"
MATRIX, SET = DOCS / "board.png", DOCS / "board-set.png"
MOST_BYTES = 150_000
_WIDTH = 1100


def main() -> int:
    """Make them; 1 where there is no Chromium."""
    program = find()
    if program is None:
        print("screenshots: there is no Chromium: make browser says how to get one", file=sys.stderr)
        return 1
    with demo_bed() as bed, BoardProcess(bed.cluster.kubeconfig, {"ECS_RELEASE_BOARD_LOGIN": "headers"}) as board:
        bed.cluster.kubectl("create", "clusterrolebinding", "ben", "--clusterrole=cluster-admin", "--user=ben")
        Demo(bed, None).run_until_halted()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            page = browser.new_context(
                extra_http_headers={"X-Forwarded-User": "ben"}, viewport={"width": _WIDTH, "height": 400}, locale="en-GB", timezone_id="UTC"
            ).new_page()
            page.emulate_media(reduced_motion="reduce")
            page.goto(board.address)
            _shoot(page, MATRIX, 730)
            page.goto(f"{board.address}/sets/shop/{STAGING_SET}")
            _shoot(page, SET, 700)
            browser.close()
    return 0


def _shoot(page: Page, path: Path, height: int) -> None:
    """Take the upper part of a page, once it is up to date."""
    expect(page.locator("#freshness")).to_contain_text("Up to date", timeout=60_000)
    page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})
    size = path.stat().st_size
    print(f"{path}: {size} bytes", file=sys.stderr)
    if size > MOST_BYTES:
        raise ValueError(f"{path} is larger than {MOST_BYTES} bytes")


if __name__ == "__main__":
    sys.exit(main())
