"""Jinja2, set up so that no text of tenants, committers or AWS can become HTML, or change the order of what is read.

Each text is escaped by Jinja2 and made visible (`api.visible_text`); a time is written in UTC, and put into the reader's zone by the page's
script where there is one.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ecs_release.api.bounded_types import CUT
from ecs_release.api.meta import to_time
from ecs_release.api.visible_text import visible
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.model.unicode import well_formed
from ecs_release.pages.matrix import short, state_text
from ecs_release.pages.observation import UNTOLD

_LONGEST = 300
"""Characters of a text in a table; pages of one object show more."""


@cache
def templates() -> Environment:
    """Return the templates of this package."""
    made = Environment(
        loader=PackageLoader("ecs_release.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["UNTOLD"] = UNTOLD
    made.filters |= {"cut": cut, "short": short, "state": state_text, "utc": to_time, "minute": minute, "digest": short_digest}
    return made


@cache
def stylesheet() -> str:
    """Return the style of all pages."""
    return (files("ecs_release.pages") / "static" / "board.css").read_text()


def cut(text: str, most: int = _LONGEST) -> str:
    """Cut a text, and mark that it was cut."""
    return text if len(text) <= most else text[: most - 1] + CUT


def minute(time: datetime) -> str:
    """Write a time for people who have no script that puts it into their zone."""
    return f"{to_time(time)[:16].replace('T', ' ')} UTC"


def _harmless(value: Any) -> Any:
    return value if not isinstance(value, str) or isinstance(value, Markup) else well_formed(visible(value))
