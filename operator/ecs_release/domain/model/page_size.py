"""How many objects to ask for at once: their owners choose how large they are."""

from __future__ import annotations

_WANTED, _MOST = 1024 * 1024, 2 * 1024 * 1024
_FIRST, _LAST = 25, 250
_GROWTH = 4
OBJECT_BYTES = 16 * 1024 * 1024
"""More than the API server stores of an object or answers with one: what is longer is broken."""


class PageSize:
    """How many objects to ask for in the next page of a list, by the bytes of the pages before."""

    def __init__(self) -> None:
        """Begin with a few."""
        self.limit = _FIRST

    @property
    def most_bytes(self) -> int:
        """How many bytes of a page are read before it is given up. An object by itself is read whole."""
        return _MOST if self.limit > 1 else OBJECT_BYTES

    def seen(self, items: int, size: int) -> None:
        """Take in a page that was read."""
        fitting = _WANTED * items // size if size else _LAST
        self.limit = max(1, min(fitting, self.limit * _GROWTH, _LAST))

    def exceeded(self) -> None:
        """Take in a page that was given up: the same objects are asked for again, fewer at once."""
        self.limit = max(1, self.limit // _GROWTH)
