"""The board as a page that needs nothing else and is safe to open."""

from __future__ import annotations

from html.parser import HTMLParser

from ecs_release.cli.kubectl.board import html_page, matrix
from tests.unit.cli.kubectl.objects import NOW, ROLLED_BACK, ROLLING, conditions, environment, release

DRIFTED = {"phase": "Drifted", "conditions": conditions("Drifted", "something else runs", stalled="True")}
UNHEALTHY = {"phase": "Failed", "conditions": conditions("TasksUnhealthy", "1 of 2 run")}

RELEASES = [
    release("web"),
    release("web", environment="production", wanted="a"),
    release("search", runs={"a": 2}, readiness=DRIFTED),
    release("checkout", runs={"a": 2}, readiness=ROLLED_BACK),
    release("mail", runs={"a": 1, "b": 1}, readiness=ROLLING),
    release("cart", readiness=UNHEALTHY),
    release("new", runs={}, generation=2),
]


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
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_shows_text_as_text() -> None:
    evil = "</td><script>alert(1)</script><img src=x onerror=y>\"'"
    bodies = [release("web", readiness=ROLLED_BACK, spec={"change": {"description": evil, "requestedBy": evil}}), *RELEASES[1:]]
    page = Page(html_page.render(matrix.build(bodies, [environment(spec={"displayName": evil})], NOW)))

    assert page.open == []
    names = [name for name, _ in page.tags]
    assert "script" not in names
    assert "img" not in names
    assert "link" not in names
    assert [a for _, a in page.tags if "src" in a or "href" in a or any(k.startswith("on") for k in a)] == []
    assert "alert(1)" in page.text
    assert ("html", {"lang": "en"}) in page.tags
    heads = [a.get("scope") for n, a in page.tags if n == "th"]
    assert sorted(set(map(str, heads))) == ["col", "row"]
    assert "prefers-color-scheme: dark" in page.text
    assert "caption" in names
