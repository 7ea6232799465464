"""What a site has its reader's browser load from elsewhere: nothing, or people whose cluster has no way out read half of it.

Links are not loaded. Scripts may name addresses that they ask for in some case only: each such case is ruled out in `NEVER_ASKED`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

NEVER_ASKED: Mapping[str, str] = {
    "https://unpkg.com/mermaid": "only where a page has a Mermaid diagram: none may have, see `_Page`",
    "https://unpkg.com/resize-observer-polyfill": "only by browsers from before 2020",
    "https://api.github.com/": "only with repo_url in mkdocs.yml, for a count of stars",
    "https://${e}/api/v4/": "the same of a GitLab",
}
"""Beginnings of addresses in the theme's scripts, and when those would ask there."""
_LOADS = {
    "script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",), "embed": ("src",), "object": ("data",),
    "video": ("src", "poster"), "audio": ("src",), "track": ("src",), "image": ("href", "xlink:href"), "use": ("href", "xlink:href"),
}  # fmt: skip
_LINKS_THAT_LOAD = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
    "manifest",
    "apple-touch-icon",
}
_ELSEWHERE = re.compile(r"(?:https?:)?//")
_IN_STYLES = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s;]+)")
_IN_SCRIPTS = re.compile(r"[\"'`](https?://[^\"'`\s]+)")


def elsewhere(site: Path) -> list[str]:
    """List what files of a built site load from elsewhere, each with the file's name."""
    return [f"{path.relative_to(site)}: {found}" for path in sorted(site.rglob("*")) if path.is_file() for found in loaded(path)]


def loaded(path: Path) -> Iterator[str]:
    """Tell what one file loads from elsewhere."""
    match path.suffix:
        case ".html" | ".svg":
            page = _Page()
            page.feed(path.read_text())
            page.close()
            yield from page.found
        case ".css":
            yield from _IN_STYLES.findall(path.read_text())
        case ".js":
            yield from _of_script(path.read_text())


def _of_script(text: str) -> list[str]:
    return [address for address in _IN_SCRIPTS.findall(text) if not address.startswith(tuple(NEVER_ASKED))]


class _Page(HTMLParser):
    """Reads a page, or a picture, and keeps what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        its = {name: value or "" for name, value in attrs}
        self._inside = tag if tag in ("script", "style") else ""
        loads = [its.get(name, "") for name in _LOADS.get(tag, ())]
        if tag == "link" and _LINKS_THAT_LOAD & set(its.get("rel", "").split()):
            loads.append(its.get("href", ""))
        # A srcset holds several.
        self.found += [part for value in loads for part in value.replace(",", " ").split() if _ELSEWHERE.match(part)]
        self.found += _IN_STYLES.findall(its.get("style", ""))
        if "mermaid" in its.get("class", "").split():
            self.found.append("a Mermaid diagram, which a script from elsewhere draws: make it a picture")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._inside = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.found += _of_script(data)
        elif self._inside == "style":
            self.found += _IN_STYLES.findall(data)
