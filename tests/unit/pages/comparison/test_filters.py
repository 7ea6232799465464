"""What the address of a comparison says."""

from __future__ import annotations

import pytest

from ecs_release.pages.comparison.filters import ComparisonFilters, parse_comparison
from ecs_release.pages.filters import FilterError, Filters


def test_an_address_says_it_and_is_said_again() -> None:
    given = {"first": "staging", "second": "production", "project": "shop", "set": "all", "q": "a&b", "only": "different", "format": "json"}
    found = parse_comparison(given)
    assert found == ComparisonFilters("staging", "production", Filters(project="shop", service_set="all", text="a&b"), different=True)
    assert found.query == "first=staging&second=production&project=shop&set=all&q=a%26b&only=different"
    assert found.is_chosen


def test_nothing_is_chosen_at_first() -> None:
    assert parse_comparison({}) == ComparisonFilters()
    assert parse_comparison({}).query == ""
    assert not parse_comparison({"first": "staging"}).is_chosen


@pytest.mark.parametrize("query", [{"only": "troubled"}, {"first": "x" * 254}, {"second": "x" * 254}, {"q": "x" * 254}])
def test_what_is_not_taken(query: dict[str, str]) -> None:
    with pytest.raises(FilterError):
        parse_comparison(query)


def test_the_environment_of_the_matrix_does_not_narrow_a_comparison() -> None:
    assert parse_comparison({"environment": "staging"}).services == Filters()
