"""The records of the service-deployment API: how each deployment of a service went.

Amazon ECS developer guide, "View service history using Amazon ECS service deployments". There is no status FAILED.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.aws_simulator.ecs.rolling import breaker_threshold
from tests.aws_simulator.ecs.states import Deployment, ServiceDeployment

_KEPT = 500
_PENDING_S, _STOPPING_S = 1.0, 1.0
SUPERSEDED = "The deployment was stopped because a newer deployment took its place."


class Records:
    """One service's records, newest first."""

    def __init__(self, service_arn: str, scaled: Callable[[float], float]) -> None:
        """Begin empty; `scaled` turns AWS's seconds into the simulator's."""
        self.all: list[ServiceDeployment] = []
        self._base = service_arn.replace(":service/", ":service-deployment/")
        self._scaled = scaled

    def open(
        self, deployment: Deployment, sources: list[int], breaker: Mapping[str, Any], alarms: Mapping[str, Any], desired: int,
        chance_id: int, now: float,
    ) -> None:  # fmt: skip
        """Begin a record; it is PENDING for a moment."""
        status = "MONITORING" if breaker.get("enable") else "DISABLED"
        arn = f"{self._base}/{uuid.UUID(int=chance_id).hex[:20]}"
        record = ServiceDeployment(arn, deployment.number, "IN_PROGRESS", now, now + self._scaled(_PENDING_S), sources, breaker=status)
        record.threshold = breaker_threshold(breaker, desired)
        record.alarm_names = list(alarms.get("alarmNames") or ())
        record.alarms = "MONITORING" if alarms.get("enable") else "DISABLED"
        self.all.insert(0, record)
        del self.all[_KEPT:]

    def of(self, number: int) -> ServiceDeployment | None:
        """Find the newest record of a deployment."""
        return next((r for r in self.all if r.deployment == number), None)

    def close(self, number: int, status: str, reason: str, now: float) -> None:
        """End what is still open of a deployment: STOPPED takes a moment; a rollback that is overtaken has failed."""
        record = self.of(number)
        if record is None or record.finished is not None:
            return
        if record.breaker == "MONITORING":
            record.breaker = "MONITORING_COMPLETE"
        if record.alarms == "MONITORING":
            record.alarms = "MONITORING_COMPLETE"
        if record.status == "ROLLBACK_IN_PROGRESS":
            record.status, record.finished = "ROLLBACK_FAILED", now
            return
        record.status, record.reason = status, reason
        record.stop_requested = now if status == "STOPPED" else None
        record.finished = now + self._scaled(_STOPPING_S) if status == "STOPPED" else now

    def tripped(self, number: int, failures: int) -> None:
        """The circuit breaker has ended a deployment."""
        record = self.of(number)
        if record is not None and record.finished is None:
            record.breaker, record.failures = "TRIGGERED", failures

    def failed(self, number: int, reason: str, now: float) -> None:
        """A deployment has failed and nothing replaces it: STOPPED, or a rollback that has failed."""
        self.close(number, "STOPPED", reason, now)
        self._fail_rollbacks_to(number, now)

    def roll_back(self, number: int, target: int, reason: str, now: float, *, requested: bool) -> None:
        """A deployment is rolled back to another one."""
        record = self.of(number)
        if record is None:
            return
        record.status, record.reason, record.rollback_reason, record.rollback_to = "ROLLBACK_IN_PROGRESS", reason, reason, target
        record.stop_requested = now if requested else None
        record.rollback_at = now + self._scaled(_STOPPING_S) if requested else now

    def overtaken(self, number: int, now: float) -> None:
        """A newer deployment has replaced a PRIMARY one: its own record ends, and a rollback to it has failed."""
        self.close(number, "STOPPED", SUPERSEDED, now)
        self._fail_rollbacks_to(number, now)

    def _fail_rollbacks_to(self, number: int, now: float) -> None:
        for record in self.all:
            if record.rollback_to == number and record.finished is None:
                record.status, record.finished = "ROLLBACK_FAILED", now

    def completed(self, number: int, now: float) -> None:
        """A deployment has completed: its own, or as what another one was rolled back to."""
        for record in self.all:
            if record.finished is not None:
                continue
            if record.deployment == number and record.status == "IN_PROGRESS":
                self.close(number, "SUCCESSFUL", "Service deployment completed.", now)
            elif record.status == "ROLLBACK_IN_PROGRESS" and record.rollback_to == number:
                record.status, record.finished = "ROLLBACK_SUCCESSFUL", now
