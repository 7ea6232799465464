"""Which looks may begin now: in order of priority, then of time, and without looking at all services each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.ports.protocols import Priority
from ecs_release.engine.observation.observed_service import ObservedService, batches
from ecs_release.engine.runtime.due_times import DueTimes

SERVICES_A_CALL = 10
AT_ONCE = {Priority.OBSERVATION: 4, Priority.EVENT: 5, Priority.ROLLOUT: 6}
"""A batch may begin only below this number of batches under way: a sweep that waits for rate limits leaves room for urgent looks."""
_LOOKED_AT = 4
"""How many times as many services of a sweep are considered as fit into its batches: each batch takes those of one cluster only."""


class LookSchedule:
    """The services of one observer by when they are due."""

    def __init__(self, services: Mapping[ServiceKey, ObservedService]) -> None:
        """`services` are those that are observed; `note` is to be called after each change of one, `forget` after a removal."""
        self._services = services
        self._due: DueTimes[ServiceKey] = DueTimes()
        self._urgent: dict[ServiceKey, ObservedService] = {}

    def note(self, observed: ObservedService) -> None:
        """Take in that a service is due at another time, is being read or is not any more, or has become urgent or is not any more."""
        key = observed.key
        if self._services.get(key) is not observed:
            return
        if observed.reading:
            self._due.discard(key)
        else:
            self._due.set(key, observed.due)
        if observed.is_urgent:
            self._urgent[key] = observed
        else:
            self._urgent.pop(key, None)

    def forget(self, key: ServiceKey) -> None:
        """Take in that a service is no longer observed."""
        self._due.discard(key)
        self._urgent.pop(key, None)

    def due_batches(self, now: float, under_way: int) -> list[list[ObservedService]]:
        """Form batches of due services by priority: a sweep never delays a rollout or a look for an event."""
        at_once = sorted((w for w in self._may_begin(under_way) if w.due <= now), key=lambda w: (w.priority, not w.waiting, w.due))
        return batches(chain(at_once, self._sweep(now, under_way)), SERVICES_A_CALL, AT_ONCE[Priority.ROLLOUT] - under_way)

    def next_due(self, under_way: int) -> float:
        """Return when the next look may begin; infinity if that is only after another one has ended."""
        if under_way < AT_ONCE[Priority.OBSERVATION]:
            return self._due.next
        return min((w.due for w in self._may_begin(under_way)), default=float("inf"))

    def _may_begin(self, under_way: int) -> Iterator[ObservedService]:
        """Yield the urgent services of which a look may begin once it is due."""
        return (w for w in self._urgent.values() if not w.reading and under_way < AT_ONCE[w.priority])

    def _sweep(self, now: float, under_way: int) -> Iterator[ObservedService]:
        """Yield the first of the due services that are not urgent, in order of time, if a batch of them may begin."""
        fitting = SERVICES_A_CALL * max(0, AT_ONCE[Priority.OBSERVATION] - under_way)
        first = self._due.first(now, _LOOKED_AT * fitting + len(self._urgent)) if fitting else ()
        return (self._services[key] for key in first if key not in self._urgent)
