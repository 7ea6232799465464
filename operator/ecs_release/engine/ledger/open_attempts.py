"""The open attempts and foreign deployments that existing Releases follow: they are closed when their Release is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.ledger.end_entries import ServiceIdentity
from ecs_release.engine.ledger.pending_writes import ReleaseId

_NOTHING: Mapping[str, datetime] = MappingProxyType({})


class _Opened(NamedTuple):
    uid: str
    identity: ServiceIdentity
    opened: Mapping[str, datetime]


class OpenAttempts:
    """The open attempts of each Release, by its last status."""

    def __init__(self) -> None:
        """Start empty."""
        self._open_attempts: dict[ObjectKey, _Opened] = {}

    def put(self, release_id: ReleaseId, identity: ServiceIdentity, opened: Mapping[str, datetime]) -> None:
        """Set what a Release follows: start times by attempt id."""
        opened_now = _Opened(release_id.uid, identity, opened or _NOTHING)
        if self._open_attempts.get(release_id.key) != opened_now:
            # Thousands of Releases at rest share these strings.
            self._open_attempts[release_id.key] = opened_now._replace(identity=ServiceIdentity(*map(intern, identity)))

    def remove(self, release_id: ReleaseId) -> Mapping[str, datetime]:
        """Remove a deleted Release. Returns its open attempts."""
        known = self._open_attempts.get(release_id.key)
        if known is None or known.uid != release_id.uid:
            return {}
        del self._open_attempts[release_id.key]
        return known.opened

    def ids_of(self, identity: ServiceIdentity) -> frozenset[str] | None:
        """Return the ids that the Releases of a service follow; None if there is no Release, or no status of one yet."""
        found = [f.opened for f in self._open_attempts.values() if f.identity == identity]
        return frozenset(attempt for opened in found for attempt in opened) if found else None
