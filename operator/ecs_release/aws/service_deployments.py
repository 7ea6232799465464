"""ECS's service deployments: what confirms and explains a rollout where the implementation has them, and the caller may read them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from ecs_release.aws import pacing
from ecs_release.aws.caller import Caller
from ecs_release.aws.ecs_parse import parse_service_deployment
from ecs_release.aws.faults import is_unavailable
from ecs_release.domain.errors import Blocked, Problem
from ecs_release.domain.observation import Access, ServiceDeployment

log = logging.getLogger(__name__)

_READS = frozenset({"ListServiceDeployments", "DescribeServiceDeployments"})
_ABSENT_S = 3600.0


class ServiceDeployments:
    """Service deployments in one account and region. No verdict needs them, so that no fault of theirs is raised by `find`."""

    def __init__(self, caller: Caller, access: Access) -> None:
        """One for each access: where it cannot use them, they are not asked for again for an hour."""
        self._call = partial(caller.call, access, "ecs")
        self._access = access
        self._absent_until = 0.0

    async def find(self, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        """Find a deployment's service deployment by its number, the target service revision's (as terraform-provider-aws does)."""
        if time.monotonic() < self._absent_until:
            return None
        try:
            arn = await self._arn_of(service_arn, deployment_id.rpartition("/")[2])
            if not arn:
                return None
            answer = await self._read("describe_service_deployments", {"serviceDeploymentArns": [arn]})
        except Problem as problem:
            if is_unavailable(problem.__cause__, _READS):
                self._absent_until = time.monotonic() + _ABSENT_S
                log.warning(
                    "rollouts in %s/%s are judged without ECS's service deployments: %s",
                    self._access.account_id, self._access.region, problem.message,
                )  # fmt: skip
            return None
        found = answer.get("serviceDeployments") or ()
        return parse_service_deployment(found[0]) if found else None

    async def stop(self, arn: str) -> bool:
        """Ask ECS to roll a deployment back. False where it is over or unknown, or we may not. Raises Retryable."""
        if not arn:
            return False
        parameters = {"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}
        what = arn.rpartition("/")[2]
        try:
            # Not in AWS's table of request rates: counted with what else changes services.
            await self._call("stop_service_deployment", pacing.SERVICE_MODIFY, what=what, mutating=True, parameters=parameters)
        except Blocked as problem:
            log.warning("not rolled back by ECS: %s", problem.message)
            return False
        return True

    async def _arn_of(self, service_arn: str, number: str) -> str:
        # The newest 20: ours is among them as long as anybody asks.
        parameters: dict[str, Any] = {"service": service_arn, "maxResults": 20}
        if service_arn.count("/") > 1:
            parameters["cluster"] = service_arn.split("/")[1]
        listed = (await self._read("list_service_deployments", parameters)).get("serviceDeployments") or ()
        ours = (d["serviceDeploymentArn"] for d in listed if d.get("targetServiceRevisionArn", "").rpartition("/")[2] == number)
        return next(ours, "")

    async def _read(self, method: str, parameters: Mapping[str, Any]) -> Any:
        what = str(parameters.get("service") or parameters["serviceDeploymentArns"][0]).partition("/")[2]
        return await self._call(method, pacing.SERVICE_DEPLOYMENT_READ, what=what, parameters=parameters)
