"""The namespaces that are watched, and those of them that the operator may not read at present."""

from __future__ import annotations

from collections.abc import Iterable


class Namespaces:
    """The namespaces that the watch, the lists and the decisions use, all of them the same instance.

    `name in namespaces` is whether it is known what exists there. Of a namespace that is not watched, or that the API server does not
    let the operator read, nothing may be concluded: an object that is not seen may exist.
    """

    def __init__(self, watched: Iterable[str] = ()) -> None:
        """Watch these namespaces; without any, all are watched and none is ever left out."""
        self.watched = tuple(watched)
        self.left_out: frozenset[str] = frozenset()

    @property
    def open(self) -> tuple[str, ...]:
        """Those that are watched and may be read. Also empty if all namespaces are watched: see `is_empty`."""
        return tuple(name for name in self.watched if name not in self.left_out)

    @property
    def is_empty(self) -> bool:
        """Whether all that are watched are left out."""
        return bool(self.watched) and not self.open

    def __contains__(self, name: object) -> bool:
        """Return whether it is known what a namespace holds."""
        return not self.watched or name in self.open
