"""Links to the page that compares two git refs."""

from __future__ import annotations

import pytest

from ecs_release.pages.links import commit_link, compare_link, known_link, web_address


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
        ("https://[github.com/x", ""),
        ("https://github.com:port/x", ""),
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


@pytest.mark.parametrize(
    ("repository", "release_hash", "expected"),
    [
        ("https://github.com/example/shop", "5d6e7f8", "https://github.com/example/shop/commit/5d6e7f8"),
        ("https://gitlab.com/group/shop", "claimed:5d6e7f8", "https://gitlab.com/group/shop/-/commit/5d6e7f8"),
        ("https://github.com/example/shop", "latest", ""),
        ("https://github.com/example/shop", "5d6e7f8/../..", ""),
        ("https://example.com/shop", "5d6e7f8", ""),
        ("", "5d6e7f8", ""),
    ],
)
def test_the_page_of_a_commit(repository: str, release_hash: str, expected: str) -> None:
    assert commit_link(repository, release_hash) == expected


LOG = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Fecs/log-events/app$252F1"


@pytest.mark.parametrize(
    ("address", "is_known"),
    [
        ("https://github.com/example/shop/pull/7", True),
        ("https://github.com", True),
        (LOG, True),
        ("https://cn-north-1.console.amazonaws.cn/ecs/v2", True),
        ("https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2", True),
        ("http://github.com/example", False),
        ("javascript:alert(1)//https://github.com/", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("//github.com/example", False),
        ("https://github.com.evil.example/x", False),
        ("https://evil.example/github.com", False),
        ("https://github.com@evil.example/", False),
        ("https://github.com:x@evil.example/", False),
        ("https://github.com:443/example", False),
        ("https://github.com\\@evil.example/", False),
        ("https://evil.example\\.github.com/", False),
        ("https://github.com/a b", False),
        ("https://github.com/\n", False),
        ("https://github.com/<b>", False),
        ('https://github.com/"onclick=', False),
        ("https://github.com/\u202etxt", False),
        (" https://github.com/", False),
        ("https://GITHUB.com/", False),
        ("https://evilconsole.aws.amazon.com/", False),
        ("https://console.aws.amazon.com.evil.example/", False),
        ("https://github.com/" + "x" * 2048, False),
        ("", False),
        (None, False),
    ],
)
def test_only_known_hosts_are_linked_to_and_by_https(address: str | None, is_known: bool) -> None:
    assert known_link(address, ["github.com"]) == (address if is_known else "")
