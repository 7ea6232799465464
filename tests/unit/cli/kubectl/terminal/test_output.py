"""Nothing that the plugin prints controls the terminal, and data stays the same data."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml
from rich.text import Text
from rich.tree import Tree

from ecs_release.cli.kubectl.manifests import yaml_text
from ecs_release.cli.kubectl.terminal.output import Output, write_error
from ecs_release.cli.kubectl.terminal.tables import Cell

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b2J\u202egnp\u2066\u200f\u061c"
SAID = "\\x1b]0;owned\\x07\\x1b[2J\\x9b2J\\u202egnp\\u2066\\u200f\\u061c"
FORBIDDEN = ("\x07", "\x9b", "\u202e", "\u2066", "\u200f", "\u061c", "\x1b]", "\x1b[2J")


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["a pipe", "a terminal"])
def out(request: pytest.FixtureRequest) -> Output:
    return Output({"TERM": "xterm"}, request.param(), request.param())


def printed(out: Output) -> str:
    text = f"{out.stdout.getvalue()}{out.stderr.getvalue()}"  # type: ignore[attr-defined]
    assert [c for c in FORBIDDEN if c in text] == []
    return text


@pytest.mark.parametrize(
    "write",
    [
        lambda out: out.write_line(EVIL),
        lambda out: out.write_text(EVIL),
        lambda out: out.note(EVIL),
        lambda out: out.ask(EVIL),
        lambda out: out.rows([EVIL], [[EVIL], [Cell(EVIL, "bad")]]),
        lambda out: out.console.print(Text(EVIL)),
        lambda out: out.console.print(EVIL),
        lambda out: out.console.print(_tree()),
        lambda out: out.server_table({"columnDefinitions": [{"name": EVIL}], "rows": [{"cells": [EVIL], "object": {"metadata": {}}}]}),
    ],
)
def test_what_would_control_a_terminal_is_visible(out: Output, write: Any) -> None:
    write(out)

    # Rich drops some controls by itself.
    assert SAID.lower()[:13] in printed(out).lower()


def _tree() -> Tree:
    tree = Tree(Text(EVIL, "red"))
    tree.add(EVIL)
    return tree


def test_colours_stay(out: Output) -> None:
    out.rows([], [[Cell("bad", "bad")]])

    assert printed(out) == ("\x1b[31mbad\x1b[0m\n" if out.coloured else "bad\n")


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
@pytest.mark.parametrize("text", [EVIL, "Grüße \N{ROCKET}", "a\nb\tc"])
def test_data_is_the_same_data(out: Output, output: str, load: Any, text: str) -> None:
    out.data({"message": text, "other": "Grüße"}, output)

    assert load(printed(out)) == {"message": text, "other": "Grüße"}


def test_manifests_are_the_same_manifests() -> None:
    said = yaml_text.dump({"message": EVIL})

    assert [c for c in FORBIDDEN if c in said] == []
    assert yaml.safe_load(said) == {"message": EVIL}
    assert yaml_text.dump({"message": "Grüße"}) == "message: Grüße\n"


def test_errors_are_visible_too(capsys: pytest.CaptureFixture[str]) -> None:
    write_error(EVIL)

    assert capsys.readouterr().err == f"error: {SAID}\n"
