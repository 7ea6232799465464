"""How many Releases each Environment has, by state, and whose promotion is overdue: kept as single Releases change."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable

from ecs_release.api.environment import ReleaseCounts
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.model.conditions import TRUE
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.store.promotion_facts import OverduePromotion
from ecs_release.engine.store.store import ReleaseFacts

_Overdue = tuple[OverduePromotion, ObjectKey]

_FAILED = frozenset({"Failed", "RolledBack"})
_TOTAL, _READY, _FAILED_COUNT, _DRIFTED, _WAITING, _REFUSED = "total", "ready", "failed", "drifted", "waiting", "refused"


class ReleaseCounter:
    """Counts Releases. One that its Environment refuses is in no other number."""

    def __init__(self) -> None:
        """Start at zero."""
        self._counted: dict[ObjectKey, tuple[str, tuple[str, ...], OverduePromotion | None]] = {}
        self._numbers: dict[str, Counter[str]] = defaultdict(Counter)
        self._unknown: dict[str, Counter[str]] = defaultdict(Counter)
        self._overdue: dict[str, list[_Overdue]] = defaultdict(list)

    def put(self, facts: ReleaseFacts, admission: Admission) -> None:
        """Count a Release as it is now."""
        counted = (facts.environment, _states(facts, admission), facts.overdue if admission is Admission.ADMITTED else None)
        if self._counted.get(facts.key) == counted:
            return
        self.remove(facts.key)
        self._counted[facts.key] = counted
        self._add(facts.key, counted[:2], 1)
        if counted[2] is not None:
            insort(self._overdue[facts.environment], (counted[2], facts.key))

    def remove(self, key: ObjectKey) -> None:
        """Count a Release no longer."""
        counted = self._counted.pop(key, None)
        if counted is not None:
            self._add(key, counted[:2], -1)
            self._remove_overdue(key, counted[0], counted[2])

    def overdue(self, environment: str, most: int) -> tuple[int, list[_Overdue]]:
        """Return how many promotions into an Environment are overdue, and those that have waited longest, at most so many."""
        found = self._overdue.get(environment, [])
        return len(found), found[:most]

    def _remove_overdue(self, key: ObjectKey, environment: str, overdue: OverduePromotion | None) -> None:
        if overdue is None:
            return
        found = self._overdue[environment]
        del found[bisect_left(found, (overdue, key))]
        if not found:
            del self._overdue[environment]

    def unknown(self, environment: str) -> frozenset[str]:
        """List the namespaces of which it is not known whether an Environment admits them."""
        return frozenset(self._unknown.get(environment, ()))

    def counts(self, environment: str, is_given_up: Callable[[str], bool]) -> ReleaseCounts | None:
        """Return the numbers of an Environment; None while labels are unknown that are not given up."""
        unknown = self._unknown.get(environment, Counter())
        if not all(is_given_up(namespace) for namespace in unknown):
            return None
        found = self._numbers.get(environment, Counter())
        refused = found[_REFUSED] + unknown.total()
        return ReleaseCounts(
            total=found[_TOTAL],
            ready=found[_READY],
            failed=found[_FAILED_COUNT],
            drifted=found[_DRIFTED],
            waiting=found[_WAITING],
            refused=refused or None,
        )

    def _add(self, key: ObjectKey, counted: tuple[str, tuple[str, ...]], number: int) -> None:
        environment, states = counted
        for state in states:
            _add(self._numbers, environment, state, number)
        if not states:
            _add(self._unknown, environment, key.namespace, number)


def _add(numbers: dict[str, Counter[str]], environment: str, name: str, number: int) -> None:
    """Add to a number. What is zero is dropped: anybody may name any Environment."""
    counter = numbers[environment]
    counter[name] += number
    if not counter[name]:
        del counter[name]
        if not counter:
            del numbers[environment]


def _states(facts: ReleaseFacts, admission: Admission) -> tuple[str, ...]:
    """Return the numbers that a Release is in; none if it is not known whether it counts."""
    if admission is not Admission.ADMITTED:
        return (_REFUSED,) if admission is Admission.REFUSED else ()
    is_in = {
        _READY: facts.ready == TRUE,
        _FAILED_COUNT: facts.phase in _FAILED,
        _DRIFTED: facts.phase == "Drifted",
        _WAITING: facts.phase == "Waiting",
    }
    return (_TOTAL, *(state for state, holds in is_in.items() if holds))
