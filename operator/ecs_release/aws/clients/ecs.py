"""ECS: the port `domain.ports.Ecs` on boto3."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ecs_release.aws.clients import task_definitions
from ecs_release.aws.clients.call_batching import CallBatcher
from ecs_release.aws.clients.ecs_responses import (
    page_of,
    parse_deployment_arns,
    parse_protection,
    parse_service_deployments,
    parse_services,
    parse_started,
    parse_tasks,
)
from ecs_release.aws.clients.task_definition_cache import TaskDefinitionCache
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.domain.ecs.service import Access, ProtectedTask, ServiceDeployment, Task, TaskDefinition
from ecs_release.domain.model.errors import Blocked, Denied, NotSupported, Problem, Retryable
from ecs_release.domain.ports.protocols import Priority, ServicesAnswer, StartedDeployment

_DEPLOYMENTS = 2000
_REFUSALS = 5000
_TASKS_A_CALL, _DEPLOYMENTS_A_CALL, _LIST_PAGES, _STOPPED_PAGES = 100, 20, 50, 5
_ABSENT_S = 3600.0


class _Without:
    """What an optional API was refused for, and for how long it is not asked again: one object, or all if the API is not there."""

    def __init__(self) -> None:
        self._all_until = 0.0
        self._until: OrderedDict[str, float] = OrderedDict()

    def of(self, name: str) -> bool:
        """Return whether the API is not to be asked about an object now."""
        return time.monotonic() < max(self._all_until, self._until.get(name, 0.0))

    def remember(self, name: str, problem: Problem) -> None:
        """Remember a refusal. One object's says nothing about another's, unless the endpoint does not know the operation."""
        until = time.monotonic() + _ABSENT_S
        if isinstance(problem, NotSupported):
            self._all_until = until
            return
        self._until[name] = until
        self._until.move_to_end(name)
        while len(self._until) > _REFUSALS:
            self._until.popitem(last=False)


class BotoEcs:
    """ECS in one account and region."""

    def __init__(self, caller: Caller, access: Access) -> None:
        """One for each access; it caches task definitions."""
        self._caller = caller
        self._access = access
        self._revisions = TaskDefinitionCache()
        self._deployments: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._described = CallBatcher(self._describe_deployments, _DEPLOYMENTS_A_CALL)
        self._without_service_deployments = _Without()
        self._without_protection = _Without()

    async def describe_services(self, cluster: str, names: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> ServicesAnswer:
        """Describe at most 10 services of one cluster."""
        what = f"{names[0]} in {cluster}" if len(names) == 1 else f"{len(names)} services in {cluster}"
        parameters = {"cluster": cluster, "services": list(names)}
        parse = partial(parse_services, names=names)
        answer: ServicesAnswer = await self._call(
            "describe_services", pacing.SERVICE_READ, what=what, priority=priority, parameters=parameters, parse=parse
        )
        return answer

    async def list_tasks(self, cluster: str, service: str, *, priority: Priority = Priority.OBSERVATION) -> list[str]:
        """List the ARNs of a service's tasks that are meant to run."""
        wanted = {"cluster": cluster, "serviceName": service, "desiredStatus": "RUNNING"}
        arns, _ = await self._task_pages(wanted, _LIST_PAGES, priority)
        return arns

    async def list_stopped_tasks(self, cluster: str, *, service: str = "", deployment_id: str = "") -> list[str]:
        """List the ARNs of tasks that have stopped lately: of a service, or of one deployment. ListTasks takes either filter."""
        by = {"startedBy": deployment_id} if deployment_id else {"serviceName": service}
        arns, _ = await self._task_pages({"cluster": cluster, **by, "desiredStatus": "STOPPED"}, _STOPPED_PAGES, Priority.OBSERVATION)
        return arns

    async def list_cluster_tasks(self, cluster: str, pages: int) -> list[str] | None:
        """List the ARNs of all tasks of a cluster; None if there are more pages."""
        arns, complete = await self._task_pages({"cluster": cluster, "desiredStatus": "RUNNING"}, pages, Priority.OBSERVATION)
        return arns if complete else None

    async def _task_pages(self, wanted: Mapping[str, str], pages: int, priority: Priority) -> tuple[list[str], bool]:
        arns: list[str] = []
        parameters: dict[str, Any] = {**wanted, "maxResults": _TASKS_A_CALL}
        for _ in range(pages):
            what = f"tasks in {wanted['cluster']}"
            page, token = await self._call(
                "list_tasks", pacing.CLUSTER_RESOURCE_READ, what=what, priority=priority, parameters=parameters, parse=page_of("taskArns")
            )
            arns += page
            if not token:
                return arns, True
            parameters["nextToken"] = token
        return arns, False

    async def describe_tasks(self, cluster: str, arns: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> list[Task]:
        """Describe tasks; tasks that are gone are left out. Raises Problem if AWS could not describe one for another reason."""
        found: list[Task] = []
        for first in range(0, len(arns), _TASKS_A_CALL):
            parameters = {"cluster": cluster, "tasks": list(arns[first : first + _TASKS_A_CALL])}
            found += await self._call(
                "describe_tasks", pacing.CLUSTER_RESOURCE_READ, what=f"tasks in {cluster}", priority=priority,
                parameters=parameters, parse=parse_tasks,
            )  # fmt: skip
        return found

    async def describe_task_definition(self, arn: str, *, fresh: bool = False) -> TaskDefinition:
        """Describe a revision with its tags. Its content never changes, so it is cached; `fresh` reads its status again."""
        known = None if fresh else self._revisions.get(arn)
        if known is not None:
            return known
        revision: TaskDefinition = await self._call(
            "describe_task_definition",
            pacing.TASK_DEFINITION_READ,
            what=arn.rpartition("/")[2],
            priority=Priority.ROLLOUT,
            parameters={"taskDefinition": arn, "include": ["TAGS"]},
            read=task_definitions.describe,
        )
        self._revisions.put(revision)
        return revision

    async def newest_task_definitions(self, family: str, limit: int) -> list[str]:
        """List the ARNs of a family's newest ACTIVE revisions, newest first."""
        parameters = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": limit}
        # familyPrefix is the whole family's name, not a prefix (ECS API reference, ListTaskDefinitions).
        page, _ = await self._call(
            "list_task_definitions", pacing.TASK_DEFINITION_READ, what=family, parameters=parameters, parse=page_of("taskDefinitionArns")
        )
        return list(page)[:limit]

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
            read=task_definitions.register,
        )
        return revision

    async def update_service(self, cluster: str, service: str, task_definition: str, *, force: bool = False) -> StartedDeployment:
        """Point a service at a revision."""
        parameters: dict[str, Any] = {"cluster": cluster, "service": service, "taskDefinition": task_definition}
        if force:
            parameters["forceNewDeployment"] = True
        what = f"{service} in {cluster}"
        started: StartedDeployment = await self._call(
            "update_service", pacing.SERVICE_MODIFY, what=what, mutating=True, parameters=parameters, parse=parse_started
        )
        return started

    async def service_deployment(self, cluster: str, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        """Find a deployment's service deployment by the number of its target service revision (as terraform-provider-aws does)."""
        # An ARN of the old format names no cluster: services of two clusters may have the same one.
        service = f"{cluster}/{service_arn}"
        if self._without_service_deployments.of(service):
            return None
        try:
            arn = await self._service_deployment_arn(cluster, service_arn, deployment_id)
            if arn is None:
                return None
            return await self._described.get(arn)
        except Retryable:
            return None
        except Problem as problem:
            # It only confirms and explains, so do without: for this service, whatever it is about it that AWS refuses.
            self._without_service_deployments.remember(service, problem)
            return None

    async def _describe_deployments(self, arns: Sequence[str]) -> dict[str, ServiceDeployment]:
        found: dict[str, ServiceDeployment] = await self._deployments_call(
            "describe_service_deployments", {"serviceDeploymentArns": list(arns)}, parse_service_deployments
        )
        return found

    async def _service_deployment_arn(self, cluster: str, service_arn: str, deployment_id: str) -> str | None:
        """Find the ARN in the list of the service's newest; it never changes, so it is cached."""
        key = (cluster, service_arn, deployment_id)
        if key in self._deployments:
            return self._deployments[key]
        number = deployment_id.rpartition("/")[2]
        parameters = {"cluster": cluster, "service": service_arn, "maxResults": 20}
        listed: dict[str, str] = await self._deployments_call("list_service_deployments", parameters, parse_deployment_arns)
        arn = listed.get(number)
        if arn is not None:
            self._deployments[key] = arn
            while len(self._deployments) > _DEPLOYMENTS:
                self._deployments.popitem(last=False)
        return arn

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[ProtectedTask]:
        """Return which of at most 100 tasks are protected from scale-in; none if that cannot be read."""
        if not arns or self._without_protection.of(cluster):
            return []
        parameters = {"cluster": cluster, "tasks": list(arns[:_TASKS_A_CALL])}
        try:
            found: list[ProtectedTask] = await self._call(
                "get_task_protection", pacing.CLUSTER_RESOURCE_READ, what=f"tasks in {cluster}", parameters=parameters,
                parse=parse_protection,
            )  # fmt: skip
        except Retryable:
            return []
        except (Denied, NotSupported) as problem:
            # It only explains: do without if the role lacks this permission in a cluster.
            self._without_protection.remember(cluster, problem)
            return []
        except Blocked:
            return []
        return found

    async def stop_service_deployment(self, arn: str) -> bool:
        """Roll a deployment back. False if it has ended or is unknown, or the API does not exist. Raises Retryable."""
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

    async def continue_service_deployment(self, arn: str, hook_id: str, action: str) -> None:
        """Answer the lifecycle hook at which a deployment waits."""
        await self._call(
            "continue_service_deployment",
            pacing.SERVICE_MODIFY,
            what=f"hook {hook_id} of {arn.rpartition('/')[2]}",
            mutating=True,
            parameters={"serviceDeploymentArn": arn, "hookId": hook_id, "action": action},
        )

    async def _deployments_call(self, method: str, parameters: Mapping[str, Any], parse: Callable[[Any], Any]) -> Any:
        return await self._call(method, pacing.SERVICE_DEPLOYMENT_READ, parameters=parameters, parse=parse)

    @property
    def _call(self) -> Any:
        return partial(self._caller.call, self._access, "ecs")
