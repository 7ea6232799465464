"""Pages of a list, with opaque tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def page(
    items: Sequence[Item], token: str | None, size: int | None, *, default: int, most: int, refuse: Callable[[str], Exception]
) -> tuple[list[Item], dict[str, str]]:
    """Return one page and the rest of the answer: `nextToken` where there is more. `refuse` makes the error for a bad size or token."""
    wanted = default if size is None else int(size)
    if not 1 <= wanted <= most:
        raise refuse(f"maxResults must be between 1 and {most}.")
    try:
        first = int(base64.b64decode(token, validate=True)) if token else 0
    except (binascii.Error, ValueError):
        raise refuse("Invalid token.") from None
    last = first + wanted
    rest = {"nextToken": base64.b64encode(str(last).encode()).decode()} if last < len(items) else {}
    return list(items[first:last]), rest
