"""scripts/base-image: a release builds on a digest that was looked at. Docker is played by a script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME, OLD, NEW = "python:3.13-slim-trixie", f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "operator" / "base-image"
        for name in ("scripts", "operator", "bin"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "scripts" / "base-image", folder / "scripts")
        for tool in ("sh", "dirname", "cat"):
            (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
        self.registry(f"echo {NEW}")

    def registry(self, does: str) -> None:
        (self.folder / "bin" / "docker").write_text(f"#!/bin/sh\n{does}\n")
        (self.folder / "bin" / "docker").chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "scripts" / "base-image"), *arguments]
        return subprocess.run(
            command, env={"PATH": str(self.folder / "bin")}, capture_output=True, text=True, check=False, timeout=20, cwd="/"
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("content", "arguments", "printed", "code"),
    [
        (NAME, (), f"{NAME}@{NEW}\n", 0),
        (f"{NAME}@{OLD}", (), f"{NAME}@{OLD}\n", 0),
        (f"{NAME}@{OLD}", ("--pinned",), f"{NAME}@{OLD}\n", 0),
        (NAME, ("--pinned",), "", 1),
        (NAME, ("--nonsense",), "", 1),
    ],
)
def test_what_is_printed(checkout: Checkout, content: str, arguments: tuple[str, ...], printed: str, code: int) -> None:
    checkout.file.write_text(f"{content}\n")
    done = checkout.run(*arguments)
    assert (done.stdout, done.returncode) == (printed, code), done.stderr
    assert checkout.file.read_text() == f"{content}\n"


@pytest.mark.parametrize("content", [NAME, f"{NAME}@{OLD}"])
def test_pinning_writes_todays_digest(checkout: Checkout, content: str) -> None:
    checkout.file.write_text(f"{content}\n")
    assert checkout.run("--pin").returncode == 0
    assert checkout.file.read_text() == f"{NAME}@{NEW}\n"


@pytest.mark.parametrize("registry", ["exit 1", "echo nonsense", "true"])
@pytest.mark.parametrize("arguments", [(), ("--pin",)])
def test_no_digest_is_invented(checkout: Checkout, registry: str, arguments: tuple[str, ...]) -> None:
    checkout.file.write_text(f"{NAME}\n")
    checkout.registry(registry)
    done = checkout.run(*arguments)
    assert (done.stdout, done.returncode) == ("", 1)
    assert checkout.file.read_text() == f"{NAME}\n"
