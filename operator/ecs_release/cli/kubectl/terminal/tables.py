"""Tables as kubectl prints them: columns three spaces apart, no lines; a cell may have a style, which counts for nothing in the width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

from ecs_release.api.visible_text import visible

_GAP = "   "
_CODES = {"good": "32", "bad": "31", "warn": "33", "busy": "36", "dim": "2", "strong": "1"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a style: good, bad, warn, busy, dim or strong."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]


def lines(head: Sequence[str], rows: Sequence[Row], *, coloured: bool = False) -> Iterator[str]:
    """Yield the lines of a table. Control characters are replaced, so that no text can move the cursor or forge a row."""
    table = [[_cell(c) for c in row] for row in ([head, *rows] if head else rows)]
    columns = max((len(row) for row in table), default=0)
    widths = [max((width(row[i].text) for row in table if i < len(row)), default=0) for i in range(columns)]
    for row in table:
        parts = [_painted(cell, coloured=coloured) + " " * (widths[i] - width(cell.text)) for i, cell in enumerate(row)]
        yield _GAP.join(parts).rstrip()


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes (Unicode, UAX #11)."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def plain(text: str) -> str:
    """Return a text for one line: what a terminal would interpret is made visible, and line breaks and odd spaces are spaces."""
    return "".join(c if c.isprintable() else " " for c in visible(text))


def _cell(cell: str | Cell) -> Cell:
    return Cell(plain(cell)) if isinstance(cell, str) else Cell(plain(cell.text), cell.style)


def _painted(cell: Cell, *, coloured: bool) -> str:
    code = _CODES.get(cell.style) if coloured else None
    return f"\x1b[{code}m{cell.text}\x1b[0m" if code and cell.text else cell.text
