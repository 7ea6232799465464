"""The protocol by which the engine reports what it does to metrics. Nothing else depends on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ecs_release.domain.notifications.transitions import Transition
from ecs_release.domain.ports.protocols import Clock, ObjectKey


class Meter(Protocol):
    """Counts what happens. Its methods must neither raise nor block."""

    def happened(self, kind: str, environment: str, happenings: Sequence[Transition]) -> None:
        """Count transitions in an accepted status of a Release or ReleaseSet."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Count a reconciliation of an object that has ended.

        `result` is `ok`, `retry` (a temporary fault), `problem` (a lasting one), `error` (a defect of ours), or `cancelled` (shutdown).
        """


class NoMeter:
    """Counts nothing."""

    def happened(self, kind: str, environment: str, happenings: Sequence[Transition]) -> None:
        """Do nothing."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Do nothing."""


def metered(handle: Callable[[ObjectKey], Awaitable[str]], meter: Meter, clock: Clock) -> Callable[[ObjectKey], Awaitable[None]]:
    """Wrap a function that handles a key and returns its result, so that each call is counted."""

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
