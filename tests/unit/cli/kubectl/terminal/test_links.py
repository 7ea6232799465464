"""Links to the page that compares two git refs."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl.terminal.links import compare_link, web_address


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://github.com/example/shop", "https://github.com/example/shop/compare/a1...b2"),
        ("https://github.com/example/shop.git/", "https://github.com/example/shop/compare/a1...b2"),
        ("git@github.com:example/shop.git", "https://github.com/example/shop/compare/a1...b2"),
        ("ssh://git@github.example.com/team/shop.git", "https://github.example.com/team/shop/compare/a1...b2"),
        ("https://gitlab.com/group/sub/shop", "https://gitlab.com/group/sub/shop/-/compare/a1...b2"),
        ("https://user:secret@gitlab.example.com:8443/shop", "https://gitlab.example.com:8443/shop/-/compare/a1...b2"),
        ("https://example.com/shop", ""),
        ("javascript://github.com/x", ""),
        ("", ""),
    ],
)
def test_the_page_that_shows_what_lies_between(repository: str, expected: str) -> None:
    found = compare_link(repository, "a1", "b2")
    assert found == expected
    assert "secret" not in web_address(repository)


@pytest.mark.parametrize(("before", "after"), [("a", "a"), ("", "b"), ("a", ""), ("a b", "c"), ("a?x", "b")])
def test_no_link_where_there_is_nothing_between(before: str, after: str) -> None:
    assert compare_link("https://github.com/example/shop", before, after) == ""
