"""Which two environments a page compares, and what it is narrowed to, as its address says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ecs_release.pages.filters import FilterError, Filters, parse

_DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class ComparisonFilters:
    """Two environments, empty until they are chosen; what narrows the services; and whether equal ones are left out."""

    first: str = ""
    second: str = ""
    services: Filters = field(default_factory=Filters)
    different: bool = False

    @property
    def is_chosen(self) -> bool:
        """Whether there is something to compare."""
        return bool(self.first and self.second)

    @property
    def query(self) -> str:
        """The filters as the address of a page says them; empty without any."""
        given = {name: value for name, value in (("first", self.first), ("second", self.second)) if value}
        only = {"only": _DIFFERENT} if self.different else {}
        return "&".join(part for part in (urlencode(given), self.services.query, urlencode(only)) if part)


def parse_comparison(query: Mapping[str, str]) -> ComparisonFilters:
    """Read the filters of an address. Raises FilterError."""
    only = query.get("only", "")
    if only not in ("", _DIFFERENT):
        raise FilterError(f"only is {_DIFFERENT}, or left out")
    services = parse({name: query.get(name, "") for name in ("project", "set", "q")})
    # Names of Environments are as long as those that filters take.
    first, second = (parse({"environment": query.get(name, "")}).environment for name in ("first", "second"))
    return ComparisonFilters(first, second, services, bool(only))
