"""The operations of the simulated ECS. moto finds them by name and writes their dicts by botocore's model."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.models import ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse

from tests.aws_simulator.ecs import errors, views
from tests.aws_simulator.ecs.rollout import SimService, SimServiceDeployment
from tests.aws_simulator.world import WORLD


def _page(items: list[Any], token: str | None, size: int) -> tuple[list[Any], dict[str, str]]:
    first = int(token or 0)
    rest = {"nextToken": str(first + size)} if first + size < len(items) else {}
    return items[first : first + size], rest


class SimulatedEcsResponse(EC2ContainerServiceResponse):
    """What is not here is moto's."""

    @property
    def sim(self) -> Any:
        """The backend of the caller's account and region."""
        return ecs_backends[self.current_account][self.region]

    def _all(self) -> dict[str, Any]:
        return dict(self.params)

    # Task definitions.

    def register_task_definition(self) -> ActionResult:
        parameters = self._all()
        revision = self.sim.sim_register(parameters)
        return ActionResult({"taskDefinition": revision, "tags": self.sim.revision_tags[revision["taskDefinitionArn"]]})

    def describe_task_definition(self) -> ActionResult:
        revision = self.sim.sim_revision(self._get_param("taskDefinition"))
        answer: dict[str, Any] = {"taskDefinition": revision}
        if "TAGS" in (self._get_param("include") or []):
            answer["tags"] = self.sim.revision_tags[revision["taskDefinitionArn"]]
        return ActionResult(answer)

    def deregister_task_definition(self) -> ActionResult:
        revision = self.sim.sim_revision(self._get_param("taskDefinition"))
        revision["status"] = "INACTIVE"
        return ActionResult({"taskDefinition": revision})

    def list_task_definitions(self) -> ActionResult:
        family, status = self._get_param("familyPrefix"), self._get_param("status") or "ACTIVE"
        found = [
            (name, number, r["taskDefinitionArn"])
            for name, revisions in self.sim.revisions.items()
            if family in (None, name)
            for number, r in revisions.items()
            if r["status"] == status
        ]
        found.sort(reverse=self._get_param("sort") == "DESC")
        arns, rest = _page([arn for _, _, arn in found], self._get_param("nextToken"), int(self._get_param("maxResults") or 100))
        return ActionResult({"taskDefinitionArns": arns, **rest})

    def list_tags_for_resource(self) -> ActionResult:
        arn = self._get_param("resourceArn")
        if arn in self.sim.revision_tags:
            return ActionResult({"tags": self.sim.revision_tags[arn]})
        return ActionResult({"tags": []})

    # Services.

    def create_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_create_service(self._all()))})

    def update_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_update_service(self._all()))})

    def delete_service(self) -> ActionResult:
        return ActionResult({"service": views.service_view(self.sim.sim_delete_service(self._all()))})

    def describe_services(self) -> ActionResult:
        names = self._get_param("services") or []
        if not names:
            raise errors.invalid("Services cannot be empty.")
        if len(names) > 10:
            raise errors.invalid("Services exceeds the maximum number of 10.")
        cluster = self.sim.sim_cluster(self._get_param("cluster"))
        services, failures = [], []
        for name in names:
            found = self.sim.sim_find(cluster.name, name)
            if found is None:
                arn = name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':service/')}/{name}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                services.append(self.sim.sim_describe(found))
        return ActionResult({"services": services, "failures": failures})

    def list_services(self) -> ActionResult:
        cluster = self.sim.sim_cluster(self._get_param("cluster"))
        arns = [s.arn for (c, _), s in self.sim.sim_services.items() if c == cluster.name and s.status != "INACTIVE"]
        found, rest = _page(arns, self._get_param("nextToken"), int(self._get_param("maxResults") or 10))
        return ActionResult({"serviceArns": found, **rest})

    # Tasks.

    def list_tasks(self) -> ActionResult:
        size = int(self._get_param("maxResults") or 100)
        if size > 100:
            raise errors.invalid("maxResults must be at most 100.")
        status = self._get_param("desiredStatus") or "RUNNING"
        service, family, started = self._get_param("serviceName"), self._get_param("family"), self._get_param("startedBy")
        if service:
            self.sim.sim_service(self._get_param("cluster"), service)
        arns = [
            t.arn
            for s, t in self.sim.sim_tasks(self._get_param("cluster"))
            if t.desired == status
            and (not service or s.name == service.rpartition("/")[2])
            and (not started or t.deployment == started)
            and (not family or t.task_definition.rpartition("/")[2].partition(":")[0] == family)
        ]
        found, rest = _page(arns, self._get_param("nextToken"), size)
        return ActionResult({"taskArns": found, **rest})

    def describe_tasks(self) -> ActionResult:
        wanted = self._get_param("tasks") or []
        if not wanted:
            raise errors.invalid("Tasks cannot be empty.")
        if len(wanted) > 100:
            raise errors.invalid("Tasks exceeds the maximum number of 100.")
        by_id = {t.arn.rpartition("/")[2]: (s, t) for s, t in self.sim.sim_tasks(self._get_param("cluster"))}
        tasks, failures = [], []
        for name in wanted:
            found = by_id.get(name.rpartition("/")[2])
            if found is None:
                failures.append({"arn": name, "reason": "MISSING"})
            else:
                tasks.append(views.task_view(found[1], found[0].name, found[0].cluster_arn))
        return ActionResult({"tasks": tasks, "failures": failures})

    def stop_task(self) -> ActionResult:
        wanted = self._get_param("task").rpartition("/")[2]
        for service, task in self.sim.sim_tasks(self._get_param("cluster")):
            if task.arn.rpartition("/")[2] == wanted:
                service.lose_task(task, self._get_param("reason") or "Task stopped by user", "UserInitiated", WORLD.clock.now())
                self.sim.sim_touch(service)
                return ActionResult({"task": views.task_view(task, service.name, service.cluster_arn)})
        raise errors.invalid("The referenced task was not found.")

    # Service deployments.

    def _need_service_deployments(self) -> None:
        if not WORLD.switches.service_deployments:
            raise errors.EcsError("UnknownOperationException", "")

    def _records(self) -> dict[str, tuple[SimService, SimServiceDeployment]]:
        self.sim.catch_up()
        return {r.arn: (s, r) for s in self.sim.sim_services.values() for r in s.records}

    def list_service_deployments(self) -> ActionResult:
        self._need_service_deployments()
        name = self._get_param("service")
        cluster = self._get_param("cluster") or (name.split("/")[1] if name.count("/") > 1 else None)
        service = self.sim.sim_service(cluster, name)
        statuses = self._get_param("status") or []
        after = (self._get_param("createdAt") or {}).get("after")
        records = [r for r in service.records if not statuses or r.status in statuses]
        if after is not None:
            limit = after.timestamp() if hasattr(after, "timestamp") else float(after)
            records = [r for r in records if r.created > limit]
        found, rest = _page(records, self._get_param("nextToken"), int(self._get_param("maxResults") or 20))
        return ActionResult({"serviceDeployments": [views.record_brief(service, r) for r in found], **rest})

    def describe_service_deployments(self) -> ActionResult:
        self._need_service_deployments()
        wanted = self._get_param("serviceDeploymentArns") or []
        if len(wanted) > 20:
            raise errors.invalid("serviceDeploymentArns exceeds the maximum number of 20.")
        known = self._records()
        return ActionResult(
            {
                "serviceDeployments": [views.record_view(*known[arn]) for arn in wanted if arn in known],
                "failures": [{"arn": arn, "reason": "MISSING"} for arn in wanted if arn not in known],
            }
        )

    def describe_service_revisions(self) -> ActionResult:
        self._need_service_deployments()
        wanted = self._get_param("serviceRevisionArns") or []
        if len(wanted) > 20:
            raise errors.invalid("serviceRevisionArns exceeds the maximum number of 20.")
        self.sim.catch_up()
        known = {views.revision_arn(s, d.number): (s, d) for s in self.sim.sim_services.values() for d in s.deployments}
        shown = []
        for arn in wanted:
            if arn in known:
                service, deployment = known[arn]
                names = {c["image"]: c["name"] for c in self.sim.sim_revision(deployment.task_definition)["containerDefinitions"]}
                shown.append(views.revision_view(service, deployment, names))
        missing = [{"arn": arn, "reason": "MISSING"} for arn in wanted if arn not in known]
        return ActionResult({"serviceRevisions": shown, "failures": missing})

    def stop_service_deployment(self) -> ActionResult:
        self._need_service_deployments()
        arn = self._get_param("serviceDeploymentArn")
        found = self._records().get(arn)
        if found is None:
            raise errors.EcsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
        service, record = found
        if not service.stop_deployment(record, WORLD.clock.now()):
            raise errors.EcsError("ConflictException", f"The service deployment cannot be stopped: its status is {record.status}.")
        self.sim.sim_touch(service)
        return ActionResult({"serviceDeploymentArn": arn})
