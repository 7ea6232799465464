"""Every command has a module, a line of help and a place in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.command_registry import COMMANDS


def test_every_command_has_its_module_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for entry in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main.run([entry.name, "--help"])
        assert entry.help.split(";")[0] in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit, match="0"):
        main.run([])
    shown = capsys.readouterr().out
    assert [e.name for e in COMMANDS if f"\n  {e.name} " not in shown] == []


def test_the_commands_are_documented() -> None:
    docs = "".join(path.read_text() for path in (Path(__file__).parents[4] / "docs").rglob("*.md"))
    assert [entry.name for entry in COMMANDS if f"ecs-release {entry.name}" not in docs] == []
