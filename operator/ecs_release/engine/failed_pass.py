"""Says in an object's status why no pass over it succeeds: it cannot be read, its status is refused, or something else went wrong.

The status is written as the API server has it, with other conditions: what cannot be read need not be understood for that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ecs_release.api.conditions import Condition
from ecs_release.api.meta import to_time
from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.domain.model.conditions import ConditionUpdate, Situation, kstatus_conditions, phase
from ecs_release.domain.model.errors import Conflict, NotFound, Problem
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey

log = logging.getLogger(__name__)

_WITH_PHASE = frozenset({RELEASE, RELEASE_SET})


class FailureReporter:
    """Writes failures of passes."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        """Reads and writes through `cluster`."""
        self._cluster = cluster
        self._clock = clock

    async def report(self, key: ObjectKey, situation: Situation) -> None:
        """Write a situation into an object's conditions, if it does not stand there already. Raises nothing: the pass has failed anyway."""
        try:
            body = await self._cluster.get(key)
            if body is None or "deletionTimestamp" in body["metadata"]:
                return
            status = with_situation(key.kind, body, situation, self._clock.now())
            if status != body.get("status"):
                meta = body["metadata"]
                await self._cluster.write_status(key, status, uid=meta["uid"], resource_version=meta["resourceVersion"])
        except (Problem, Conflict, NotFound) as problem:
            log.warning("cannot say in its status that a pass failed: %s", problem, extra={"object": str(key)})
        except Exception:
            log.exception("cannot say in its status that a pass failed", extra={"object": str(key)})


def with_situation(kind: str, body: Mapping[str, Any], situation: Situation, now: datetime) -> dict[str, Any]:
    """Return an object's status with the conditions of a situation, and else as it is."""
    status, generation = dict(body.get("status") or {}), int(body["metadata"].get("generation") or 0)
    listed = [c for c in status.get("conditions") or () if isinstance(c, Mapping)]
    updates = kstatus_conditions(situation)
    conditions = [_condition(listed, update, generation, now) for update in updates]
    kept = [c for c in listed if c.get("type") not in {u.type for u in updates}]
    status |= {"observedGeneration": generation, "conditions": [*conditions, *kept]}
    return status | ({"phase": phase(situation)} if kind in _WITH_PHASE else {})


def _condition(listed: list[Mapping[str, Any]], update: ConditionUpdate, generation: int, now: datetime) -> dict[str, Any]:
    was = next((c for c in listed if c.get("type") == update.type and c.get("status") == update.status), None)
    made = Condition(
        type=update.type,
        status=update.status,
        observed_generation=generation,
        last_transition_time=now,
        reason=update.reason,
        message=update.message[:2048],
    ).to_kubernetes()
    return made | {"lastTransitionTime": (was or {}).get("lastTransitionTime") or to_time(now)}
