"""The board: what is shown of what runs, what is marked, and that the page is safe to open."""

from __future__ import annotations

from html.parser import HTMLParser

from ecs_release.cli.kubectl.board import html_page as board_page
from ecs_release.cli.kubectl.board import matrix as board
from ecs_release.cli.kubectl.terminal.tables import lines
from tests.unit.cli.kubectl.objects import NOW, READY, ROLLED_BACK, ROLLING, ago, conditions, environment, release

DRIFTED = {"phase": "Drifted", "conditions": conditions("Drifted", "something else runs", stalled="True")}
UNHEALTHY = {"phase": "Failed", "conditions": conditions("TasksUnhealthy", "1 of 2 run")}

RELEASES = [
    release("web"),
    release("web", environment="production", wanted="a"),
    release("search", runs={"a": 2}, standing=DRIFTED),
    release("checkout", runs={"a": 2}, standing=ROLLED_BACK),
    release("mail", runs={"a": 1, "b": 1}, standing=ROLLING),
    release("cart", standing=UNHEALTHY),
    release("new", runs={}, generation=2),
]


def shown(**options: bool) -> list[str]:
    places = [environment(), environment("production", seen=ago(minutes=20))]
    head, rows = board.rows(board.board(RELEASES, places, NOW), **options)
    return list(lines(head, rows))


def test_a_cell_says_what_runs_and_what_is_not_as_it_should_be() -> None:
    assert shown() == [
        "PROJECT   SERVICE    production (seen 20m ago)   staging",
        "shop      cart                                   bbbbbbb ✖ TasksUnhealthy",
        "shop      checkout                               aaaaaaa ✖ bbbbbbb RolledBack",
        "shop      mail                                   aaaaaaa ◐ bbbbbbb Progressing",
        "shop      new                                    - ○ bbbbbbb Pending",
        "shop      search                                 aaaaaaa ≠ bbbbbbb Drifted",
        "shop      web        aaaaaaa ?                   bbbbbbb",
    ]


def test_wide_adds_tasks_time_and_person_and_all_namespaces_theirs() -> None:
    assert shown(wide=True)[-1] == "shop      web        aaaaaaa 2/2 9m ben ?        bbbbbbb 2/2 9m ben"
    assert shown(namespaces=True)[0].startswith("NAMESPACE   PROJECT")


def test_environments_that_may_not_be_read_and_that_are_not_there() -> None:
    assert board.board(RELEASES, None, NOW).places[0].old is False
    head, _ = board.rows(board.board(RELEASES, [], NOW))
    assert head[-1] == "staging (no such Environment)"


def test_of_two_that_claim_a_place_its_holder_is_shown() -> None:
    conflict = release(
        "web", name="a-web", standing={"phase": "Failed", "conditions": conditions("TargetConflict", "held", stalled="True")}
    )
    found = board.board([conflict, release("web", standing=READY)], None, NOW)
    assert found.lines[0].squares["staging"].release == "web-staging"


def test_whole_git_hashes_are_shortened_and_tags_are_not() -> None:
    assert board.short("0123456789abcdef0123456789abcdef01234567") == "0123456789"
    assert board.short("0123456789abcdef") == "0123456789abcdef"
    assert board.short("release-2026-11-24") == "release-2026-11-24"


def test_json_has_what_the_table_has() -> None:
    found = board.data(board.board(RELEASES, [environment()], NOW))
    assert found["environments"][1] == {"name": "staging", "displayName": "", "lastSweepTime": ago(seconds=12), "old": False}
    web = next(s for s in found["services"] if s["service"] == "web")
    assert web["environments"]["staging"]["running"] == "bbbbbbb"
    assert web["environments"]["staging"]["since"] == ago(minutes=9)


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
    bodies = [release("web", standing=ROLLED_BACK, spec={"change": {"description": evil, "requestedBy": evil}}), *RELEASES[1:]]
    page = Page(board_page.page(board.board(bodies, [environment(spec={"displayName": evil})], NOW)))

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
