"""What a page is narrowed to."""

from __future__ import annotations

import pytest

from ecs_release.api.environment import Environment
from ecs_release.pages import filters, matrix
from ecs_release.pages.filters import FilterError, Filters
from ecs_release.pages.observation import sweep_of
from tests.builders.board import RELEASES
from tests.unit.cli.kubectl.objects import NOW, ago, environment


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


@pytest.mark.parametrize("seen", [ago(minutes=20), ago(minutes=-20)])
def test_what_nobody_observes_is_not_as_it_should_be(seen: str) -> None:
    sweeps = {
        name: sweep_of(Environment.model_validate(environment(name, seen=when)))
        for name, when in (("staging", ago()), ("production", seen))
    }
    entries = [matrix.entry(body) for body in RELEASES if body["spec"]["service"] == "web"]
    board = matrix.arrange(entries, sweeps, NOW)
    assert [row.service for row in Filters(troubled=True).narrow_rows(board).rows] == ["web"]
    assert sum(map(board.troubles, board.rows)) == 1
    # One that is not there is not observed either; how old things are may not be known to everybody.
    without = [sum(map(one.troubles, one.rows)) for one in (matrix.arrange(entries, {}, NOW), matrix.arrange(entries, None, NOW))]
    assert without == [2, 0]


@pytest.mark.parametrize("query", [{"q": "x" * 254}, {"project": "x" * 254}, {"only": "all"}])
def test_what_is_not_understood_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(FilterError):
        filters.parse(query)


def test_a_query_reads_as_what_it_was_written_from() -> None:
    given = Filters("shop & co", "storefront", "staging", "a=b", troubled=True)
    assert given.query == "project=shop+%26+co&set=storefront&environment=staging&q=a%3Db&only=troubled"
    assert Filters().query == ""
