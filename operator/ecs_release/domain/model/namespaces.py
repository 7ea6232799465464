"""Which namespaces are watched, and which of them may not be looked into at present."""

from __future__ import annotations

from collections.abc import Iterable


class Namespaces:
    """What the watch, the lists and the decisions go by, all of them by the same one.

    `name in namespaces` tells whether it is known what is there and what is gone: of a namespace that is not watched, or that the API
    server does not let us into, nobody may conclude anything.
    """

    def __init__(self, watched: Iterable[str] = ()) -> None:
        """Without any all are watched, and none is ever left out."""
        self.watched = tuple(watched)
        self.left_out: frozenset[str] = frozenset()

    @property
    def open(self) -> tuple[str, ...]:
        """List those that are watched and may be looked into. Empty also where all are watched: ask `is_empty`."""
        return tuple(name for name in self.watched if name not in self.left_out)

    @property
    def is_empty(self) -> bool:
        """Tell whether all that are watched are left out."""
        return bool(self.watched) and not self.open

    def __contains__(self, name: object) -> bool:
        """Tell whether it is known what a namespace holds."""
        return not self.watched or name in self.open
