"""The simulated ECS of one account and region, on moto's seams."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from moto.ecs.models import EC2ContainerServiceBackend
from moto.utilities.utils import get_partition

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecr.lookup import resolve_image
from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs.rollout import SimService, SimTask
from tests.aws_simulator.ecs.views import service_view
from tests.aws_simulator.events import emit_ecs
from tests.aws_simulator.world import WORLD

_DEPLOYS = ("taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries")
_KEPT_SETTINGS = (
    "deploymentConfiguration", "taskDefinition", "desiredCount", "networkConfiguration", "platformVersion", "loadBalancers",
    "serviceRegistries", "capacityProviderStrategy", "healthCheckGracePeriodSeconds", "placementConstraints", "placementStrategy",
    "enableExecuteCommand", "propagateTags", "enableECSManagedTags", "availabilityZoneRebalancing",
)  # fmt: skip


class SimulatedEcsBackend(EC2ContainerServiceBackend):
    """Task definitions, services and tasks are ours; clusters stay moto's."""

    def __init__(self, region_name: str, account_id: str) -> None:
        """Begin empty."""
        super().__init__(region_name, account_id)
        self.revisions: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.revision_tags: dict[str, list[dict[str, str]]] = {}
        self.sim_services: dict[tuple[str, str], SimService] = {}
        self.moving: set[tuple[str, str]] = set()

    # Task definitions.

    def sim_register(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Register a revision: every field that is given is kept."""
        family = parameters["family"]
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,255}", family):
            raise errors.client("Family contains invalid characters.")
        if not parameters.get("containerDefinitions"):
            raise errors.client("Container list cannot be empty.")
        if len(parameters.get("tags") or ()) > 50:
            raise errors.invalid("The number of tags exceeds the limit of 50.")
        revision = max(self.revisions[family], default=0) + 1
        partition = get_partition(self.region_name)
        arn = f"arn:{partition}:ecs:{self.region_name}:{self.account_id}:task-definition/{family}:{revision}"
        defaults = {
            "cpu": 0,
            "portMappings": [],
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
        }
        content = {k: v for k, v in parameters.items() if k != "tags"}
        content["containerDefinitions"] = [{**defaults, **c} for c in parameters["containerDefinitions"]]
        self.revisions[family][revision] = {
            "volumes": [],
            "placementConstraints": [],
            "compatibilities": ["EC2", "FARGATE"],
            **content,
            "taskDefinitionArn": arn,
            "revision": revision,
            "status": "ACTIVE",
            "registeredAt": as_time(WORLD.clock.now()),
            "registeredBy": f"arn:{partition}:iam::{self.account_id}:root",
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        }
        self.revision_tags[arn] = list(parameters.get("tags") or ())
        return self.revisions[family][revision]

    def sim_revision(self, name: str, *, active: bool = False) -> dict[str, Any]:
        """Find a revision by ARN, family:revision, or family (its latest ACTIVE one)."""
        family, _, number = name.rpartition("/")[2].partition(":")
        if name.startswith("arn:") and name.split(":")[4] != self.account_id:
            raise errors.client("Unable to describe task definition.")
        known = self.revisions.get(family, {})
        if not number:
            number = str(max((n for n, r in known.items() if r["status"] == "ACTIVE"), default=""))
        found = known.get(int(number)) if number.isdigit() else None
        if found is None or (active and found["status"] != "ACTIVE"):
            raise errors.client("TaskDefinition is inactive" if found else "TaskDefinition not found.")
        return found

    # Clusters and services.

    def sim_cluster(self, name: str | None) -> Any:
        """Find a cluster by name or ARN."""
        short = (name or "default").rpartition("/")[2]
        cluster = self.clusters.get(short)
        if cluster is None or cluster.status == "INACTIVE":
            raise errors.no_cluster()
        return cluster

    def sim_service(self, cluster: str | None, name: str) -> SimService:
        """Find a service that was not deleted, brought up to date."""
        found = self.sim_find(cluster, name)
        if found is None:
            raise errors.no_service()
        if found.status != "ACTIVE":
            raise errors.inactive_service()
        return found

    def sim_find(self, cluster: str | None, name: str) -> SimService | None:
        """Find a service, deleted ones too, brought up to date."""
        key = (self.sim_cluster(cluster).name, name.rpartition("/")[2])
        service = self.sim_services.get(key)
        if service is not None and key in self.moving:
            service.catch_up(WORLD.clock.now())
            if not service.moving:
                self.moving.discard(key)
        return service

    def catch_up(self) -> None:
        """Bring everything that moves up to date."""
        for key in list(self.moving):
            service = self.sim_services[key]
            service.catch_up(WORLD.clock.now())
            if not service.moving:
                self.moving.discard(key)

    def sim_create_service(self, parameters: dict[str, Any]) -> SimService:
        """Create a service and begin its first deployment."""
        cluster = self.sim_cluster(parameters.get("cluster"))
        name, now = parameters["serviceName"], WORLD.clock.now()
        known = self.sim_services.get((cluster.name, name))
        if known is not None and known.status != "INACTIVE":
            raise errors.invalid("Creation of service was not idempotent.")
        revision = self.sim_revision(parameters["taskDefinition"], active=True)
        settings = {k: v for k, v in parameters.items() if k not in ("cluster", "serviceName", "clientToken")}
        settings["taskDefinition"] = revision["taskDefinitionArn"]
        partition = get_partition(self.region_name)
        daemon = parameters.get("schedulingStrategy") == "DAEMON"
        service = SimService(
            arn=f"arn:{partition}:ecs:{self.region_name}:{self.account_id}:service/{cluster.name}/{name}",
            name=name,
            cluster_arn=cluster.arn,
            created=now,
            settings=settings,
            desired=2 if daemon else int(parameters.get("desiredCount", 1)),
            emit=lambda kind, detail: emit_ecs(self.account_id, self.region_name, kind, detail),
            resolve=resolve_image,
            containers_of=lambda arn: self.sim_revision(arn)["containerDefinitions"],
        )
        self.sim_services[cluster.name, name] = service
        if (settings.get("deploymentController") or {}).get("type", "ECS") == "ECS":
            service.deploy(revision["taskDefinitionArn"], now)
            self.sim_touch(service)
        return service

    def sim_update_service(self, parameters: dict[str, Any]) -> SimService:
        """Change a service; a new revision or forceNewDeployment begins a deployment, the revision that is PRIMARY already does not."""
        service = self.sim_service(parameters.get("cluster"), parameters["service"])
        now = WORLD.clock.now()
        controller = (service.settings.get("deploymentController") or {}).get("type", "ECS")
        if controller != "ECS" and (parameters.get("taskDefinition") or parameters.get("forceNewDeployment")):
            raise errors.invalid(
                f"Unable to update task definition on services with a {controller} deployment controller. Use AWS CodeDeploy to trigger a new deployment."
            )
        before = service_view(service)
        wanted = service.settings["taskDefinition"]
        if parameters.get("taskDefinition"):
            wanted = self.sim_revision(parameters["taskDefinition"], active=True)["taskDefinitionArn"]
        changed = wanted != (service.primary.task_definition if service.primary else None)
        changed = changed or any(k in parameters and parameters[k] != service.settings.get(k) for k in _DEPLOYS if k != "taskDefinition")
        service.settings |= {k: v for k, v in parameters.items() if k in _KEPT_SETTINGS}
        service.settings["taskDefinition"] = wanted
        if parameters.get("desiredCount") is not None:
            service.desired = int(parameters["desiredCount"])
        if controller == "ECS" and (changed or parameters.get("forceNewDeployment")):
            service.deploy(wanted, now)
            if WORLD.switches.visibility_lag_s:
                service.before_update = (now + WORLD.switches.visibility_lag_s, before)
        self.sim_touch(service)
        return service

    def sim_delete_service(self, parameters: dict[str, Any]) -> SimService:
        """Delete a service: DRAINING until its tasks are gone, INACTIVE then."""
        service = self.sim_service(parameters.get("cluster"), parameters["service"])
        if service.desired and not parameters.get("force"):
            raise errors.invalid("The service cannot be stopped while it is scaled above 0.")
        service.desired, service.status = 0, "DRAINING"
        self.sim_touch(service)
        service.status = "INACTIVE"
        for task in service.tasks:
            if task.alive:
                task.status, task.desired, task.stopped = "STOPPED", "STOPPED", WORLD.clock.now()
        return service

    def sim_touch(self, service: SimService) -> None:
        """Something about a service has changed: let it happen."""
        service.steady = False
        if service.primary is not None:
            service.primary.launch_at = WORLD.clock.now()
        self.moving.add((service.cluster_arn.rpartition("/")[2], service.name))
        service.catch_up(WORLD.clock.now())

    def sim_describe(self, service: SimService) -> dict[str, Any]:
        """Show a service, as it was while a deployment is not visible yet."""
        if service.before_update is not None:
            until, before = service.before_update
            if WORLD.clock.now() < until:
                return before
            service.before_update = None
        return service_view(service)

    def sim_tasks(self, cluster: str | None) -> list[tuple[SimService, SimTask]]:
        """List all tasks of a cluster."""
        name = self.sim_cluster(cluster).name
        self.catch_up()
        return [(s, t) for (c, _), s in self.sim_services.items() if c == name for t in s.tasks]
