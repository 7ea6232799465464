"""How two commits stand to each other, in words, and what is asked about a difference."""

from __future__ import annotations

import pytest

from ecs_release.domain.ports.commits import Repository
from ecs_release.pages.comparison.differences import Difference, Side
from ecs_release.pages.comparison.distance import Distance, Pair, pair_of

GIT = Repository("shop", "https://git.example.com/shop", "main")


@pytest.mark.parametrize(
    ("ahead", "behind", "words"), [(3, 0, "3 ahead"), (0, 2, "2 behind"), (3, 2, "3 ahead, 2 behind"), (0, 0, "the same commit")]
)
def test_words(ahead: int, behind: int, words: str) -> None:
    assert Distance(ahead, behind).words == words


@pytest.mark.parametrize(
    ("first", "second", "asked"),
    [
        ("a" * 7, "b" * 40, ("a" * 7, "b" * 40)),
        ("claimed:" + "a" * 7, "b" * 7, ("a" * 7, "b" * 7)),
        ("a" * 7, "a" * 7, None),
        ("claimed:" + "a" * 7, "a" * 7, None),
        ("", "b" * 7, None),
        ("v1.2.3", "b" * 7, None),
        ("a" * 7, "-b" * 7, None),
        ("a" * 6, "b" * 7, None),
    ],
)
def test_what_is_asked_about_a_difference(first: str, second: str, asked: tuple[str, str] | None) -> None:
    one = Difference("shop", "shop", "web", Side(first), Side(second))
    assert pair_of(one, GIT) == (Pair(GIT, *asked) if asked else None)
    assert pair_of(one, None) is None
