"""What a page is narrowed to."""

from __future__ import annotations

import pytest

from ecs_release.pages import filters, matrix
from ecs_release.pages.filters import FilterError, Filters
from tests.builders.board import RELEASES
from tests.unit.cli.kubectl.objects import NOW


def services(query: dict[str, str]) -> list[str]:
    found = filters.parse(query)
    board = found.narrow_rows(matrix.arrange(found.narrow(map(matrix.entry, RELEASES)), None, NOW))
    return [row.service for row in board.rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["cart", "checkout", "mail", "new", "search", "web"]),
        ({"environment": "production"}, ["web"]),
        ({"project": "other"}, []),
        ({"set": "storefront"}, []),
        ({"only": "troubled"}, ["cart", "checkout", "mail", "new", "search"]),
        ({"q": "AR"}, ["cart", "search"]),
        # A hash that is wanted, or runs: of a commit, more or fewer letters.
        ({"q": "aaaa"}, ["checkout", "mail", "search", "web"]),
        ({"q": "aaaaaaa0123"}, ["checkout", "mail", "search", "web"]),
        ({"q": "aaaa", "only": "troubled"}, ["checkout", "mail", "search"]),
        ({"other": "x", "format": "json"}, ["cart", "checkout", "mail", "new", "search", "web"]),
    ],
)
def test_rows_that_are_shown(query: dict[str, str], expected: list[str]) -> None:
    assert services(query) == expected


@pytest.mark.parametrize("query", [{"q": "x" * 254}, {"project": "x" * 254}, {"only": "all"}])
def test_what_is_not_understood_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(FilterError):
        filters.parse(query)


def test_a_query_reads_as_what_it_was_written_from() -> None:
    given = Filters("shop & co", "storefront", "staging", "a=b", troubled=True)
    assert given.query == "project=shop+%26+co&set=storefront&environment=staging&q=a%3Db&only=troubled"
    assert Filters().query == ""
