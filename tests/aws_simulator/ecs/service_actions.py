"""Operations on clusters and services."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from tests.aws_simulator.ecs import errors, views
from tests.aws_simulator.ecs.actions import Actions

_DESCRIBED_AT_ONCE = 10


class ServiceActions(Actions):
    """DescribeServices takes 10 of one cluster."""

    def create_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_create_service(dict(self.params)), tags=True)})

    def update_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_update_service(dict(self.params)))})

    def delete_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_delete_service(dict(self.params)))})

    def describe_services(self) -> ActionResult:
        names = self._batch("services", _DESCRIBED_AT_ONCE)
        cluster = self.sim.sim_cluster(self._asked("cluster"))
        tags = "TAGS" in (self._asked("include") or [])
        services, failures = [], []
        for name in names:
            arn = name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':service/')}/{name}"
            found = self.sim.sim_find(cluster.name, name)
            if found is None or (name.startswith("arn:") and found.arn != name):
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                services.append(self.sim.sim_describe(found, tags=tags))
        return ActionResult({"services": services, "failures": failures})

    def list_services(self) -> ActionResult:
        cluster = self.sim.sim_cluster(self._asked("cluster"))
        launch, scheduling = self._asked("launchType"), self._asked("schedulingStrategy")
        arns = [
            s.arn
            for s in self.sim.services_of(cluster.name)
            if s.status != "INACTIVE"
            and launch in (None, s.settings.get("launchType", "EC2"))
            and scheduling in (None, s.settings.get("schedulingStrategy", "REPLICA"))
        ]
        return self._paged("serviceArns", arns, default=10)

    # Clusters are moto's, save what they count.

    def describe_clusters(self) -> ActionResult:
        answer = super().describe_clusters()
        result: Any = answer.result
        for cluster in result["clusters"]:
            services = self.sim.services_of(cluster.name)
            tasks = [t for s in services for t in s.tasks]
            cluster.active_services_count = sum(s.status == "ACTIVE" for s in services)
            cluster.running_tasks_count = sum(t.status == "RUNNING" for t in tasks)
            cluster.pending_tasks_count = sum(t.pending for t in tasks)
        return answer

    def delete_cluster(self) -> ActionResult:
        cluster = self.sim.sim_cluster(self._asked("cluster"))
        if any(s.status != "INACTIVE" for s in self.sim.services_of(cluster.name)):
            message = "The Cluster cannot be deleted while Services are active."
            raise errors.EcsError("ClusterContainsServicesException", message)
        return super().delete_cluster()
