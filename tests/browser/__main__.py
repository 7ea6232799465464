"""`python -m tests.browser`: have a Chromium for the tests; 1 where there is none and CI asks."""

from __future__ import annotations

import os
import sys

from tests.browser.program import find, install


def main() -> int:
    """Find it, or install it."""
    if find() is not None or install():
        return 0
    print(
        "browser: THERE IS NO CHROMIUM: tests of the board's pages are skipped; install chromium, or name one by CHROMIUM", file=sys.stderr
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
