"""A small SVG canvas: boxes, text and arrows that read on light and on dark pages.

A picture has a background of its own, so that it is readable whatever the page around it looks like, and follows the reader's colour scheme.
Fonts are the reader's; widths are estimated, and text that would not fit is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.page { fill: #ffffff; }
.group { fill: #f4f6f8; stroke: #c3ccd5; }
.inner { fill: #e8edf2; stroke: #b4bfca; }
.box { fill: #ffffff; stroke: #5b7083; }
.strong { fill: #d7e8f7; stroke: #2f6ea5; }
.text { fill: #1c2733; }
.quiet { fill: #52616f; }
.code { fill: #2a5d8f; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.arrow { stroke: #44586a; fill: none; }
.head { fill: #44586a; }
.life { stroke: #b4bfca; stroke-dasharray: 3 3; }
.bold { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .page { fill: #14191f; }
  .group { fill: #1c232b; stroke: #3a4753; }
  .inner { fill: #242d37; stroke: #465563; }
  .box { fill: #14191f; stroke: #8296a8; }
  .strong { fill: #1d3a54; stroke: #6aa9dd; }
  .text { fill: #e6ebf0; }
  .quiet { fill: #a3b1bd; }
  .code { fill: #8cc0ee; }
  .arrow { stroke: #a3b5c5; }
  .head { fill: #a3b5c5; }
  .life { stroke: #465563; }
}
"""
_SANS, _MONO = 0.56, 0.61
"""Width of a character, in parts of the font's size."""
Point = tuple[float, float]


class Canvas:
    """Collects the elements of one picture."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._width, self._height, self._title = width, height, title
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, kind: str = "box", radius: float = 5) -> None:
        """Draw a rectangle."""
        self._parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>')

    def text(
        self, x: float, y: float, text: str, kind: str = "text", size: float = 13, anchor: str = "start", room: float | None = None
    ) -> None:
        """Draw a line of text with its baseline at `y`. Raises ValueError if it is wider than `room`."""
        width = len(text) * size * (_MONO if "code" in kind else _SANS)
        if width > (self._width if room is None else room):
            raise ValueError(f"{text!r} needs about {width:.0f} pixels, and has {room or self._width:.0f}")
        placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size:g}"{placed}>{escape(text, quote=False)}</text>')

    def box(self, x: float, y: float, width: float, height: float, lines: Sequence[str], kind: str = "box") -> None:
        """Draw a box with its lines in the middle: the first as a title, the others smaller."""
        self.rect(x, y, width, height, kind)
        top = y + height / 2 + 4.5 - (len(lines) - 1) * 7.5
        for number, line in enumerate(lines):
            self.text(
                x + width / 2, top + number * 15, line, "quiet" if number else "text bold", 11 if number else 13, "middle", room=width - 4
            )

    def group(self, x: float, y: float, width: float, height: float, title: str, kind: str = "group") -> None:
        """Draw a frame with a title in its upper left corner."""
        self.rect(x, y, width, height, kind, 8)
        self.text(x + 12, y + 18, title, "quiet", 12, room=width - 24)

    def arrow(self, *points: Point, label: str = "", at: Point | None = None, anchor: str = "start") -> None:
        """Draw an arrow along points, with a label at `at`."""
        (x0, y0), (x1, y1) = points[-2:]
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f'<polyline class="arrow" points="{path}" stroke-width="1.4"/>')
        dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
        back = (x1 - 7 * dx, y1 - 7 * dy)
        corners = ((x1, y1), (back[0] - 3.5 * dy, back[1] - 3.5 * dx), (back[0] + 3.5 * dy, back[1] + 3.5 * dx))
        self._parts.append(f'<polygon class="head" points="{" ".join(f"{x:g},{y:g}" for x, y in corners)}"/>')
        if label and at:
            self.text(*at, label, "quiet", 11, anchor)

    def line(self, x: float, top: float, bottom: float, kind: str = "life") -> None:
        """Draw an upright line."""
        self._parts.append(f'<line class="{kind}" x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}"/>')

    def svg(self, source: str) -> str:
        """Return the picture; `source` is what it is made from."""
        return (
            f"<!-- Generated from {source} by `make generate`: do not edit. -->\n"
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width:g} {self._height:g}" role="img">\n'
            f"<title>{escape(self._title)}</title>\n<style>{_STYLE}</style>\n"
            f'<rect class="page" width="{self._width:g}" height="{self._height:g}" rx="8"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )
