"""Checks whether the API server stamps who applied a Release, or anybody may write it: from time to time, for all Environments."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.api.names import APPLIED_BY_POLICIES
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate, find
from ecs_release.domain.model.errors import Denied, Problem
from ecs_release.domain.ports.protocols import Clock, Cluster

log = logging.getLogger(__name__)

_KIND = ConditionType.APPLIED_BY_AUTHENTICATED
_EVERY_S, _UNTIL_TRUE_S, _AGAIN_S = 3600.0, 300.0, 60.0
_STAMPS = {(resource, name) for resource, name in APPLIED_BY_POLICIES if resource.startswith("mutating")}


class AppliedByCheck:
    """Checks that the admission policies that stamp the annotation exist. Their content is not checked."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        """Concurrent callers share one check."""
        self._cluster = cluster
        self._clock = clock
        self._looking = asyncio.Lock()
        self._due_s = float("-inf")
        self._update: ConditionUpdate | None = None

    async def conditions(self, before: Sequence[Condition] | None) -> tuple[ConditionUpdate, ...]:
        """Return the condition; until the first check succeeds, as it is in `before`."""
        async with self._looking:
            if self._clock.monotonic() >= self._due_s:
                await self._look()
        if self._update is not None:
            return (self._update,)
        was = find(before, _KIND)
        return (ConditionUpdate(_KIND, was.status, was.reason, was.message),) if was is not None else ()

    async def _look(self) -> None:
        pause_s = _UNTIL_TRUE_S
        try:
            self._update = _verdict([one for one in APPLIED_BY_POLICIES if not await self._cluster.has_policy(*one)])
            pause_s = _EVERY_S if self._update.status == TRUE else _UNTIL_TRUE_S
        except Denied as problem:
            log.info("whether appliedBy is authenticated is not known: %s", problem.message)
            text = "the operator may not read the admission policies that say who applied: see docs/how-to/who.md for what it needs"
            self._update = ConditionUpdate(_KIND, UNKNOWN, Reason.NOT_OBSERVED, text)
        except Problem as problem:
            log.warning("cannot look for admission policies, the next time is in %.0f s: %s", _AGAIN_S, problem.message)
            pause_s = _AGAIN_S
        self._due_s = self._clock.monotonic() + pause_s


def _verdict(missing: Sequence[tuple[str, str]]) -> ConditionUpdate:
    """Return the condition for these missing policies and bindings."""
    if not missing:
        return ConditionUpdate(_KIND, TRUE, Reason.STAMPED, "the API server stamps who applied")
    named = ", ".join(f"{resource}/{name}" for resource, name in missing)
    if set(missing) <= _STAMPS:
        means = "nothing stamps who applied, so that appliedBy is mostly absent; a forged one is refused"
    else:
        means = "appliedBy is what anybody who may annotate a Release has written"
    return ConditionUpdate(_KIND, FALSE, Reason.NOT_STAMPED, f"{means}. Not installed, or not served before Kubernetes 1.36: {named}")
