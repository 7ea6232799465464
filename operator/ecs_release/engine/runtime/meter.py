"""What the engine tells of its own work, for whoever counts it; and nothing more than that depends on who does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ecs_release.domain.notifications.transitions import Happening
from ecs_release.domain.ports.protocols import Clock, ObjectKey


class Meter(Protocol):
    """Is told; must neither raise nor wait."""

    def happened(self, kind: str, environment: str, happenings: Sequence[Happening]) -> None:
        """An accepted status of a Release or ReleaseSet says that this has happened."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Passes over an object have ended.

        `ok`, `retry` (a fault that passes), `problem` (one that does not), `error` (ours), or `cancelled` (the process ends).
        """


class NoMeter:
    """Counts nothing."""

    def happened(self, kind: str, environment: str, happenings: Sequence[Happening]) -> None:
        """Do nothing."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Do nothing."""


def metered(handle: Callable[[ObjectKey], Awaitable[str]], meter: Meter, clock: Clock) -> Callable[[ObjectKey], Awaitable[None]]:
    """Wrap what works on a key, and returns how it went, so that it is told of."""

    async def handled(key: ObjectKey) -> None:
        begun, result = clock.monotonic(), "cancelled"
        try:
            result = await handle(key)
        except Exception:
            result = "error"
            raise
        finally:
            meter.reconciled(key.kind, result, clock.monotonic() - begun)

    return handled
