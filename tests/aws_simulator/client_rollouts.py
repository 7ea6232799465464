"""The simulator for tests, as far as rollouts go: strategies, pauses, alarms, protection. A part of `client.Simulator`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.waiting import PATIENCE_S

ACCOUNT, REGION = "111122223333", "eu-west-1"
_STRATEGIES: dict[str, dict[str, Any]] = {
    "ROLLING": {},
    "BLUE_GREEN": {"bakeTimeInMinutes": 5},
    "LINEAR": {"bakeTimeInMinutes": 5, "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1}},
    "CANARY": {"bakeTimeInMinutes": 5, "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2}},
}


def strategy(name: str, *, hooks: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    """Make a deploymentConfiguration of a strategy, with short bakes; `more` are fields of it."""
    return {"strategy": name, **_STRATEGIES[name], **({"lifecycleHooks": list(hooks)} if hooks else {}), **more}


def pause_hook(*stages: str, minutes: int = 1440, action: str = "ROLLBACK") -> dict[str, Any]:
    """Make a hook that pauses until ContinueServiceDeployment."""
    return {"targetType": "PAUSE", "lifecycleStages": list(stages), "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action}}


def lambda_hook(arn: str, *stages: str) -> dict[str, Any]:
    """Make a hook that asks a function; `hook_answers` says what it answers."""
    role = f"arn:aws:iam::{ACCOUNT}:role/hooks"
    return {"targetType": "AWS_LAMBDA", "hookTargetArn": arn, "roleArn": role, "lifecycleStages": list(stages)}


class Rollouts:
    """What needs `client` and `control`."""

    client: Callable[..., Any]
    control: Callable[..., Any]
    configure: Callable[..., None]

    def service_deployment(self, name: str, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION) -> dict[str, Any]:
        """Describe the newest service deployment of a service."""
        ecs = self.client("ecs", account, region)
        newest = ecs.list_service_deployments(cluster=cluster, service=name)["serviceDeployments"][0]["serviceDeploymentArn"]
        return dict(ecs.describe_service_deployments(serviceDeploymentArns=[newest])["serviceDeployments"][0])

    def wait_deployment(
        self, name: str, *, stage: str = "", status: str = "", deadline_s: float = PATIENCE_S, **where: str
    ) -> dict[str, Any]:  # fmt: skip
        """Wait until the newest service deployment is at a stage, or has a status. Short stages are missed where time is scaled much."""
        return self._wait(
            lambda found: (not stage or found.get("lifecycleStage") == stage) and (not status or found["status"] == status),
            f"{stage or status}", name, deadline_s, where,
        )  # fmt: skip

    def wait_paused(self, name: str, *, deadline_s: float = PATIENCE_S, **where: str) -> dict[str, Any]:
        """Wait until the newest service deployment is paused by a hook."""
        return self._wait(lambda found: _paused(found) is not None, "paused", name, deadline_s, where)

    def continue_deployment(
        self, name: str, action: str = "CONTINUE", *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION
    ) -> str:
        """Continue (or ROLLBACK) what is paused, as somebody else would. Returns the hook's id."""
        found = self.service_deployment(name, cluster=cluster, account=account, region=region)
        hook = _paused(found)
        if hook is None:
            raise ValueError(f"{name} is not paused: {found.get('lifecycleHookDetails')}")
        self.client("ecs", account, region).continue_service_deployment(
            serviceDeploymentArn=found["serviceDeploymentArn"], hookId=hook["hookId"], action=action
        )
        return str(hook["hookId"])

    def hook_answers(self, **results: str) -> None:
        """Say what functions of hooks answer: `hook_answers(**{arn: "FAILED"})`; others succeed."""
        self.configure(switches={"hook_results": results})

    def trigger_alarm(self, service: str, name: str, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION) -> None:
        """Let a deployment alarm go off. Raises ValueError where nothing that is under way watches it."""
        self.control("alarm", account=account, region=region, cluster=cluster, service=service, name=name)

    def protect(
        self, service: str, tasks: int = 1, *, protected: bool = True, minutes: int = 2880, cluster: str = "main", account: str = ACCOUNT,
        region: str = REGION,
    ) -> list[str]:  # fmt: skip
        """Protect so many running tasks of a service from scale-in, or no longer. Returns their ARNs."""
        ecs = self.client("ecs", account, region)
        arns: list[str] = sorted(ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"])[:tasks]
        ecs.update_task_protection(
            cluster=cluster, tasks=arns, protectionEnabled=protected, **({"expiresInMinutes": minutes} if protected else {})
        )
        return arns

    def scale(self, service: str, desired: int, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION) -> None:
        """Set a service's desired count, as Application Auto Scaling does: that is no deployment."""
        self.client("ecs", account, region).update_service(cluster=cluster, service=service, desiredCount=desired)

    def lose_any_task(
        self, service: str, chance: random.Random, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION
    ) -> str:  # fmt: skip
        """Interrupt a random running task of a service as Spot does. Returns its ARN, empty where none runs."""
        ecs = self.client("ecs", account, region)
        arns = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        running = sorted(t["taskArn"] for t in found if (t["lastStatus"], t["desiredStatus"]) == ("RUNNING", "RUNNING"))
        if not running:
            return ""
        try:
            where = {"account": account, "region": region, "cluster": cluster, "service": service}
            return str(self.control("lose-task", **where, task=chance.choice(running))["task"])
        except ValueError:
            # It ended by itself meanwhile (a scale-in).
            return ""

    def container_instances(self, count: int) -> None:
        """Have so many container instances: DAEMON services follow."""
        self.configure(switches={"daemon_instances": count})

    def _wait(
        self, there: Callable[[dict[str, Any]], bool], what: str, name: str, deadline_s: float, where: dict[str, str]
    ) -> dict[str, Any]:  # fmt: skip
        until = time.monotonic() + deadline_s
        while not there(found := self.service_deployment(name, **where)):
            if time.monotonic() > until:
                raise TimeoutError(f"{name} is not {what}: {found}")
            time.sleep(0.02)
        return found


def _paused(deployment: dict[str, Any]) -> dict[str, Any] | None:
    return next((dict(h) for h in deployment.get("lifecycleHookDetails") or () if h["status"] == "AWAITING_ACTION"), None)
