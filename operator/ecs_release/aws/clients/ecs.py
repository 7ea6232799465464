"""ECS: the port `domain.ports.Ecs` on boto3."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ecs_release.aws.clients import task_definitions as revisions
from ecs_release.aws.clients.call_batching import Together
from ecs_release.aws.clients.ecs_responses import (
    aws_time,
    parse_deployment,
    parse_protection,
    parse_service,
    parse_service_deployment,
    parse_task,
)
from ecs_release.aws.clients.task_definition_cache import Shelf
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.domain.ecs.service import PRIMARY, Access, ProtectedTask, ServiceDeployment, Task, TaskDefinition
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Priority, ServicesAnswer, Started

_DEPLOYMENTS = 2000
_TASKS_A_CALL, _DEPLOYMENTS_A_CALL, _LIST_PAGES = 100, 20, 50
_ABSENT_S = 3600.0


class BotoEcs:
    """ECS in one account and region."""

    def __init__(self, caller: Caller, access: Access) -> None:
        """One for each access; it keeps the revisions that it has read."""
        self._caller = caller
        self._access = access
        self._revisions = Shelf()
        self._deployments: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._described = Together(self._describe_deployments, _DEPLOYMENTS_A_CALL)
        self._no_service_deployments_until = 0.0
        self._no_protection_until = 0.0

    async def describe_services(self, cluster: str, names: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> ServicesAnswer:
        """Describe at most 10 services of one cluster."""

        def read(client: Any, parameters: Mapping[str, Any]) -> ServicesAnswer:
            answer = client.describe_services(**parameters)
            found = [parse_service(raw) for raw in answer["services"]]
            return ServicesAnswer({s.name: s for s in found if s.status != "INACTIVE"}, aws_time(answer))

        what = f"{names[0]} in {cluster}" if len(names) == 1 else f"{len(names)} services in {cluster}"
        parameters = {"cluster": cluster, "services": list(names)}
        answer: ServicesAnswer = await self._call(
            "describe_services", pacing.SERVICE_READ, what=what, priority=priority, parameters=parameters, read=read
        )
        return answer

    async def list_tasks(
        self, cluster: str, service: str, *, stopped: bool = False, priority: Priority = Priority.OBSERVATION
    ) -> list[str]:
        """List the ARNs of a service's tasks."""
        wanted = {"cluster": cluster, "serviceName": service, "desiredStatus": "STOPPED" if stopped else "RUNNING"}
        arns, _ = await self._task_pages(wanted, 1 if stopped else _LIST_PAGES, priority)
        return arns

    async def list_cluster_tasks(self, cluster: str, pages: int) -> list[str] | None:
        """List the ARNs of all tasks of a cluster; None where they are on more pages."""
        arns, complete = await self._task_pages({"cluster": cluster, "desiredStatus": "RUNNING"}, pages, Priority.OBSERVATION)
        return arns if complete else None

    async def _task_pages(self, wanted: Mapping[str, str], pages: int, priority: Priority) -> tuple[list[str], bool]:
        arns: list[str] = []
        parameters: dict[str, Any] = {**wanted, "maxResults": _TASKS_A_CALL}
        for _ in range(pages):
            what = f"tasks in {wanted['cluster']}"
            answer = await self._call("list_tasks", pacing.CLUSTER_RESOURCE_READ, what=what, priority=priority, parameters=parameters)
            arns += answer["taskArns"]
            if not answer.get("nextToken"):
                return arns, True
            parameters["nextToken"] = answer["nextToken"]
        return arns, False

    async def describe_tasks(self, cluster: str, arns: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> list[Task]:
        """Describe tasks; those that are gone are left out."""

        def read(client: Any, parameters: Mapping[str, Any]) -> list[Task]:
            return [parse_task(raw) for raw in client.describe_tasks(**parameters)["tasks"]]

        found: list[Task] = []
        for first in range(0, len(arns), _TASKS_A_CALL):
            parameters = {"cluster": cluster, "tasks": list(arns[first : first + _TASKS_A_CALL])}
            found += await self._call(
                "describe_tasks", pacing.CLUSTER_RESOURCE_READ, what=f"tasks in {cluster}", priority=priority,
                parameters=parameters, read=read,
            )  # fmt: skip
        return found

    async def describe_task_definition(self, arn: str, *, fresh: bool = False) -> TaskDefinition:
        """Describe a revision with its tags. Its content never changes, so it is read once; `fresh` reads its status again."""
        known = None if fresh else self._revisions.get(arn)
        if known is not None:
            return known
        revision: TaskDefinition = await self._call(
            "describe_task_definition",
            pacing.TASK_DEFINITION_READ,
            what=arn.rpartition("/")[2],
            priority=Priority.ROLLOUT,
            parameters={"taskDefinition": arn, "include": ["TAGS"]},
            read=revisions.describe,
        )
        self._revisions.put(revision)
        return revision

    async def newest_task_definitions(self, family: str, limit: int) -> list[str]:
        """List the ARNs of a family's newest ACTIVE revisions, newest first."""
        parameters = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": limit}
        answer = await self._call("list_task_definitions", pacing.TASK_DEFINITION_READ, what=family, parameters=parameters)
        # familyPrefix is the whole family's name, not a prefix (ECS API reference, ListTaskDefinitions).
        return list(answer["taskDefinitionArns"])[:limit]

    async def register_task_definition(self, content: Mapping[str, Any], tags: Mapping[str, str]) -> TaskDefinition:
        """Register a revision."""
        parameters: dict[str, Any] = dict(content)
        if tags:
            parameters["tags"] = [{"key": k, "value": v} for k, v in tags.items()]
        revision: TaskDefinition = await self._call(
            "register_task_definition",
            pacing.TASK_DEFINITION_MODIFY,
            what=str(content.get("family", "")),
            mutating=True,
            parameters=parameters,
            read=revisions.register,
        )
        return revision

    async def update_service(self, cluster: str, service: str, task_definition: str, *, force: bool = False) -> Started:
        """Point a service at a revision."""
        parameters: dict[str, Any] = {"cluster": cluster, "service": service, "taskDefinition": task_definition}
        if force:
            parameters["forceNewDeployment"] = True
        answer = await self._call(
            "update_service", pacing.SERVICE_MODIFY, what=f"{service} in {cluster}", mutating=True, parameters=parameters
        )
        deployments = [parse_deployment(raw) for raw in answer["service"].get("deployments") or ()]
        primary = next((d for d in deployments if d.status == PRIMARY), None)
        if primary is None:
            raise Ambiguous(f"ecs:UpdateService on {service} in {cluster}: the answer holds no PRIMARY deployment")
        request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
        return Started(primary.id, primary.task_definition, aws_time(answer), request_id)

    async def service_deployment(self, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        """Find a deployment's service deployment by its number, the target service revision's (as terraform-provider-aws does)."""
        if time.monotonic() < self._no_service_deployments_until:
            return None
        try:
            arn = await self._service_deployment_arn(service_arn, deployment_id)
            if arn is None:
                return None
            return await self._described.ask(arn)
        except Retryable:
            return None
        except Problem:
            # An implementation without this API, or a role without these rights: it only confirms and explains, so do without.
            self._no_service_deployments_until = time.monotonic() + _ABSENT_S
            return None

    async def _describe_deployments(self, arns: Sequence[str]) -> dict[str, ServiceDeployment]:
        answer = await self._deployments_call("describe_service_deployments", {"serviceDeploymentArns": list(arns)})
        return {d.arn: d for d in map(parse_service_deployment, answer.get("serviceDeployments") or ())}

    async def _service_deployment_arn(self, service_arn: str, deployment_id: str) -> str | None:
        """Find the ARN in the list of the service's newest; it never changes, so that it is looked for once."""
        key = (service_arn, deployment_id)
        if key in self._deployments:
            return self._deployments[key]
        number = deployment_id.rpartition("/")[2]
        parameters: dict[str, Any] = {"service": service_arn, "maxResults": 20}
        if service_arn.count("/") > 1:
            parameters["cluster"] = service_arn.split("/")[1]
        listed = await self._deployments_call("list_service_deployments", parameters)
        for brief in listed.get("serviceDeployments") or ():
            if brief.get("targetServiceRevisionArn", "").rpartition("/")[2] == number:
                self._deployments[key] = arn = str(brief["serviceDeploymentArn"])
                while len(self._deployments) > _DEPLOYMENTS:
                    self._deployments.popitem(last=False)
                return arn
        return None

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[ProtectedTask]:
        """Tell which of at most 100 tasks are protected from scale-in; none where that cannot be known."""
        if not arns or time.monotonic() < self._no_protection_until:
            return []
        parameters = {"cluster": cluster, "tasks": list(arns[:_TASKS_A_CALL])}
        try:
            answer = await self._call(
                "get_task_protection", pacing.CLUSTER_RESOURCE_READ, what=f"tasks in {cluster}", parameters=parameters
            )
        except Retryable:
            return []
        except Denied:
            # It only explains: a role without this right does without.
            self._no_protection_until = time.monotonic() + _ABSENT_S
            return []
        except Blocked:
            return []
        return parse_protection(answer)

    async def stop_service_deployment(self, arn: str) -> bool:
        """Ask ECS to roll a deployment back. False where it is over or unknown, or the API is not there. Raises Retryable."""
        if not arn:
            return False
        try:
            await self._call(
                "stop_service_deployment",
                pacing.SERVICE_MODIFY,
                what=arn.rpartition("/")[2],
                mutating=True,
                parameters={"serviceDeploymentArn": arn, "stopType": "ROLLBACK"},
            )
        except Blocked:
            return False
        return True

    async def _deployments_call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        return await self._call(method, pacing.SERVICE_DEPLOYMENT_READ, parameters=parameters)

    @property
    def _call(self) -> Any:
        return partial(self._caller.call, self._access, "ecs")
