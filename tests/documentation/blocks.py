"""The blocks of commands in the pages that people follow: what each says, and why one is not run.

A fence of language `sh` is a script. One of language `console` has commands behind `$ `, and below each what it prints. Comments right before
a fence say what the reader sees by themselves: `<!-- no-run: why -->`, `<!-- exit: 1 -->` where it ends so, and must.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = ("sh", "console")
DATA = ("yaml", "json", "text", "hcl")
"""Languages of fences that hold no command."""
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)(?P=ticks)$", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"<!-- (no-run|exit): ([^>]+?) -->\s*\Z")


@dataclass(frozen=True, slots=True)
class Step:
    """A script, and what it is said to print; nothing, where nothing is said."""

    script: str
    shown: str


@dataclass(frozen=True, slots=True)
class Block:
    """One fence of a page."""

    page: str
    line: int
    language: str
    text: str
    no_run: str
    exit_code: int

    @property
    def place(self) -> str:
        """Say where it is."""
        return f"docs/{self.page}:{self.line}"

    @property
    def steps(self) -> list[Step]:
        """Return what is to be run, in order."""
        if self.language == "sh":
            return [Step(self.text, "")]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        assert not parts[0].strip(), f"{self.place}: a console begins with a command"
        return [_step(part) for part in parts[1:]]


def pages() -> list[str]:
    """Return the pages that people follow: the tutorial and all how-tos."""
    return ["tutorial.md", *sorted(p.relative_to(DOCS).as_posix() for p in (DOCS / "how-to").glob("*.md"))]


def blocks(page: str) -> list[Block]:
    """Return the fences of a page."""
    text = (DOCS / page).read_text()
    return [_block(page, text, found) for found in _FENCE.finditer(text)]


def commands(page: str) -> list[Block]:
    """Return the blocks of commands of a page."""
    return [b for b in blocks(page) if b.language in COMMANDS]


def _block(page: str, text: str, found: re.Match[str]) -> Block:
    before = text[: found.start()]
    notes: dict[str, str] = {}
    while note := _NOTE.search(before):
        notes[note[1]] = note[2]
        before = before[: note.start()]
    indent = len(found["indent"])
    lines = [line[indent:] for line in found["text"].splitlines()]
    line = text.count("\n", 0, found.start()) + 1
    return Block(page, line, found["language"], "\n".join(lines), notes.get("no-run", ""), int(notes.get("exit", "0")))


def _step(part: str) -> Step:
    """Part a command from what it prints: a backslash at its end goes on with it."""
    lines = part.split("\n")
    end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
    return Step("\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :]))
