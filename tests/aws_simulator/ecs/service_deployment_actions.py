"""Operations on service deployments and service revisions. They can be switched off: not every implementation of ECS has them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs import service_deployment_views as views
from tests.aws_simulator.ecs.actions import Actions
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.stages import answer_hook
from tests.aws_simulator.ecs.states import ServiceDeployment
from tests.aws_simulator.world import WORLD

_DESCRIBED_AT_ONCE, _PAGE = 20, 20


class ServiceDeploymentActions(Actions):
    """Describe takes 20 ARNs of any service; pages by hand."""

    def list_service_deployments(self) -> ActionResult:
        self._need_api()
        name = self._asked("service")
        cluster = self._asked("cluster") or (name.split("/")[1] if name.count("/") > 1 else None)
        service = self.sim.sim_find(cluster, name)
        if service is None:
            raise errors.no_service()
        now, statuses = WORLD.clock.now(), self._asked("status") or []
        span = self._asked("createdAt") or {}
        after, before = _seconds(span.get("after"), 0.0), _seconds(span.get("before"), float("inf"))
        records = service.records.all[1:] if now < service.hidden_until else service.records.all
        wanted = [r for r in records if (not statuses or r.status_at(now) in statuses) and after <= r.created <= before]
        return self._paged("serviceDeployments", [views.brief(service, r, now) for r in wanted], default=_PAGE)

    def describe_service_deployments(self) -> ActionResult:
        self._need_api()
        shown, failures = [], []
        for arn in self._batch("serviceDeploymentArns", _DESCRIBED_AT_ONCE):
            found = self._record(arn)
            if found is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                shown.append(views.full(*found, WORLD.clock.now()))
        return ActionResult({"serviceDeployments": shown, "failures": failures})

    def describe_service_revisions(self) -> ActionResult:
        self._need_api()
        shown, failures = [], []
        for arn in self._batch("serviceRevisionArns", _DESCRIBED_AT_ONCE):
            service, number = self.sim.sim_service_of_arn(arn), arn.rpartition("/")[2]
            deployment = service.revisions.get(int(number)) if service is not None and number.isdigit() else None
            if service is None or deployment is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                shown.append(views.revision(service, deployment))
        return ActionResult({"serviceRevisions": shown, "failures": failures})

    def stop_service_deployment(self) -> ActionResult:
        self._need_api()
        arn = self._asked("serviceDeploymentArn")
        service, record = self._need_record(arn)
        now = WORLD.clock.now()
        if not service.stop_deployment(record, now, abort=self._asked("stopType") == "ABORT"):
            message = (
                f"The service deployment cannot be stopped: its status is {record.status_at(now)}, or there is nothing to roll back to."
            )
            raise errors.EcsError("ConflictException", message)
        self.sim.sim_touch(service)
        return ActionResult({"serviceDeploymentArn": arn})

    def continue_service_deployment(self) -> ActionResult:
        """Continue or roll back what a PAUSE hook holds (API reference, ContinueServiceDeployment: CONTINUE unless said otherwise)."""
        self._need_api()
        arn, hook = self._asked("serviceDeploymentArn"), self._asked("hookId")
        service, record = self._need_record(arn)
        deployment = service.revisions.get(record.deployment)
        action = self._asked("action") or "CONTINUE"
        if action not in ("CONTINUE", "ROLLBACK"):
            raise errors.invalid(f"Invalid action {action}. Valid values are CONTINUE, ROLLBACK.")
        if deployment is None or not answer_hook(service, deployment, hook, action, WORLD.clock.now()):
            raise errors.invalid(f"The lifecycle hook {hook} does not await an action.")
        self.sim.sim_touch(service)
        return ActionResult({"serviceDeploymentArn": arn})

    def _record(self, arn: str) -> tuple[Service, ServiceDeployment] | None:
        service = self.sim.sim_service_of_arn(arn)
        record = next((r for r in service.records.all if r.arn == arn), None) if service is not None else None
        return (service, record) if service is not None and record is not None else None

    def _need_record(self, arn: str) -> tuple[Service, ServiceDeployment]:
        found = self._record(arn)
        if found is None:
            raise errors.EcsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
        return found

    def _need_api(self) -> None:
        switches = WORLD.switches
        if not switches.service_deployments or self.current_account in switches.accounts_without_service_deployments:
            raise errors.EcsError("UnknownOperationException", "")


def _seconds(value: Any, default: float) -> float:
    if value is None:
        return default
    return float(value.timestamp() if hasattr(value, "timestamp") else value)
