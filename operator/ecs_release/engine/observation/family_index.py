"""Which attempts the Releases that are there follow, their own and others': what one leaves open as it goes, and what the next takes up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.ledger.end_entries import Identity
from ecs_release.engine.ledger.write_queue import LineKey

_NOTHING: Mapping[str, datetime] = MappingProxyType({})


class _Follower(NamedTuple):
    uid: str
    identity: Identity
    opened: Mapping[str, datetime]


class Followers:
    """What each Release has told last."""

    def __init__(self) -> None:
        """Nobody has told anything."""
        self._followers: dict[ObjectKey, _Follower] = {}

    def told(self, line_key: LineKey, identity: Identity, opened: Mapping[str, datetime]) -> None:
        """Note what a Release follows: attempts by their id, with the time of their start."""
        told = _Follower(line_key.uid, identity, opened or _NOTHING)
        if self._followers.get(line_key.key) != told:
            # Thousands at rest share what is alike.
            self._followers[line_key.key] = told._replace(identity=Identity(*map(intern, identity)))

    def leave(self, line_key: LineKey) -> Mapping[str, datetime]:
        """A Release is gone. Returns what it leaves open."""
        known = self._followers.get(line_key.key)
        if known is None or known.uid != line_key.uid:
            return {}
        del self._followers[line_key.key]
        return known.opened

    def of(self, identity: Identity) -> frozenset[str] | None:
        """Name what the Releases of a service follow; None where there is none, or none has told yet."""
        found = [f.opened for f in self._followers.values() if f.identity == identity]
        return frozenset(attempt for opened in found for attempt in opened) if found else None
