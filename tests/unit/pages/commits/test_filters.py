"""What the address of the commits page says."""

from __future__ import annotations

import pytest

from ecs_release.domain.ports.commits import Commit
from ecs_release.pages.commits.filters import CommitFilters, parse_commits
from ecs_release.pages.filters import FilterError

COMMIT = Commit("abc1234" + "0" * 33, "Faster <pages>", "Ana Ärger", None)


def test_an_address_says_it_and_is_said_again() -> None:
    given = {"project": "shop/web", "service": "web", "environment": "staging", "author": "ana", "q": "a&b", "format": "json"}
    assert parse_commits(given) == CommitFilters("shop/web", "web", "staging", "ana", "a&b")
    assert parse_commits(given).query == "project=shop%2Fweb&service=web&environment=staging&author=ana&q=a%26b"
    with pytest.raises(FilterError):
        parse_commits({"author": "x" * 600})


@pytest.mark.parametrize(
    ("author", "text", "is_shown"),
    [
        ("", "", True), ("ÄRGER", "", True), ("bob", "", False), ("", "ABC12", True), ("", "bc1234", False),
        ("", "<pages", True), ("ana", "slower", False), ("", "a" * 40, False),
    ],
)  # fmt: skip
def test_which_commits_are_shown(author: str, text: str, is_shown: bool) -> None:
    assert CommitFilters(author=author, text=text).admits(COMMIT) is is_shown


@pytest.mark.parametrize(("text", "commit"), [("ABC1234", "abc1234"), ("abc123", ""), ("pages", ""), ("-abc1234", ""), ("a" * 41, "")])
def test_a_hash_is_told_by_its_form(text: str, commit: str) -> None:
    assert CommitFilters(text=text).commit == commit
