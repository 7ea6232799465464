"""Reads pages as browsers do, and has texts that would become more than text there."""

from __future__ import annotations

from html.parser import HTMLParser

_APART = frozenset({"dt", "dd", "td", "th", "p", "div", "small", "li", "text", "title", "desc"})


class Page(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in _APART else ""
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        """What is read, with single spaces."""
        return " ".join(self.text.split())

    @property
    def links(self) -> list[str]:
        """Where it leads."""
        return [its["href"] or "" for name, its in self.tags if name == "a"]


HOSTILE = {
    "script": "</td></table><script>alert(1)</script>",
    "attribute": "\" onmouseover=alert(1) x='",
    "url": "javascript:alert(1)",
    "template": "{{ 7*7 }}{% raw %}",
    "bidi": "safe\u202egnp.exe\u2066",
    "terminal": "\x1b[31mred\x1b]0;title\x07\x00",
    "surrogate": "half \ud800 of a pair",
    "large": "<" * 1_000_000,
}
