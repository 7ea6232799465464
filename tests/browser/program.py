"""Finds Chromium or Chrome, and installs Debian's where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MACOS = (Path("/Applications/Chromium.app/Contents/MacOS/Chromium"), Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"))
_INSTALL_S = 900
# Nothing but the page that is tested is asked for: no updates, no start page. The tests may run as root, which Chromium's sandbox refuses.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


def find() -> str | None:
    """Return the program: CHROMIUM, one of the PATH, or an application of macOS; None if there is none."""
    given = os.environ.get("CHROMIUM")
    found = given or next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found or next((str(path) for path in _MACOS if path.exists()), None)


def install() -> bool:
    """Install Debian's Chromium, if this is Debian and we may. Returns whether it is there then."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_INSTALL_S)
        if done.returncode:
            print(f"browser: {' '.join(command)} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}", file=sys.stderr)
            return False
    return find() is not None
