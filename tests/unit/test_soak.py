"""A soak is made of parts: each is run, whatever the others find, and one that was ended goes on when it is given its seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reliability import parts


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The parts that were run; `wires` finds something."""
    names: list[str] = []

    def run(part: str, seed: int, minutes: float) -> int:
        names.append(part)
        return 1 if part == "wires" else 0

    monkeypatch.setattr(parts, "run", run)
    monkeypatch.setattr(parts, "STATE", tmp_path / "build" / "parts.json")
    monkeypatch.setattr(parts, "FRESH", tmp_path / "build" / "soak.json")
    return names


def test_what_one_part_finds_keeps_no_other_from_running(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["--seed", "7"]) == 1
    assert ran == list(parts.PARTS)
    assert "soak: seed 7: something was found by wires" in capsys.readouterr().out


def test_one_that_was_ended_goes_on_with_the_parts_that_are_left(ran: list[str]) -> None:
    parts.main(["--seed", "7", "wires", "walk"])
    parts.FRESH.write_text("{}")
    ran.clear()

    assert parts.main(["--seed", "7"]) == 1, "what was found stays found"
    assert ran == [part for part in parts.PARTS if part not in ("wires", "walk")]
    assert parts.FRESH.exists()


def test_another_seed_is_another_soak(ran: list[str]) -> None:
    parts.main(["--seed", "7"])
    parts.FRESH.write_text("{}")
    ran.clear()

    parts.main(["--seed", "8", "walk"])

    assert (ran, parts.FRESH.exists()) == (["walk"], False)
    assert json.loads(parts.STATE.read_text()) == {"seed": 8, "ended": {"walk": 0}}


def test_a_seed_is_drawn_and_printed(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["walk"]) == 0
    assert f"soak: seed {json.loads(parts.STATE.read_text())['seed']}\n" in capsys.readouterr().out


@pytest.mark.parametrize("part", parts.PARTS)
def test_a_part_gets_seed_and_time(part: str) -> None:
    words = parts.command(part, 7, 20.0)[2:]

    assert words[0] in ("tests.model", "tests.fuzz", "tests.reliability", "pytest")
    if "--minutes" in words:
        assert words[words.index("--seed") + 1] == "7"
        assert 0 < float(words[words.index("--minutes") + 1]) <= 20
