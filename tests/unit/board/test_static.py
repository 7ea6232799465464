"""What the board sends to browsers beside its pages."""

from __future__ import annotations

from pathlib import Path

from ecs_release.board import server


def test_there_is_little_script_of_our_own() -> None:
    (script,) = (Path(server.__file__).parent / "static").glob("*.js")
    lines = [line for line in script.read_text().splitlines() if line.strip()]
    assert len(lines) < 150 and max(map(len, lines)) <= 150
