"""The simulated ECS of one account and region, on moto's seams: moto makes one for each account and region that is asked for."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from moto.ecs.models import EC2ContainerServiceBackend
from moto.utilities.utils import get_partition

from tests.aws_simulator.ecr.lookup import EcrImages
from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs.service import Service, Surroundings
from tests.aws_simulator.ecs.service_changes import check_new, check_update, keep, starts_deployment
from tests.aws_simulator.ecs.states import Task
from tests.aws_simulator.ecs.task_definitions import TaskDefinitions
from tests.aws_simulator.ecs.views import service_view, task_view
from tests.aws_simulator.events import emit_ecs
from tests.aws_simulator.world import WORLD


class SimulatedEcsBackend(EC2ContainerServiceBackend):
    """Task definitions, services and tasks are ours; clusters stay moto's. Only services in which something moves cost time."""

    def __init__(self, region_name: str, account_id: str) -> None:
        """Begin empty."""
        super().__init__(region_name, account_id)
        self.definitions = TaskDefinitions(account_id, region_name)
        self.sim_services: dict[tuple[str, str], Service] = {}
        self.moving: set[tuple[str, str]] = set()
        self._created_by_token: dict[str, Service] = {}
        self._by_task_prefix: dict[str, set[tuple[str, str]]] = defaultdict(set)

    # Finding.

    def sim_cluster(self, name: str | None) -> Any:
        """Find a cluster by name or ARN. Raises ClusterNotFoundException."""
        cluster = self.clusters.get((name or "default").rpartition("/")[2])
        if cluster is None or cluster.status == "INACTIVE":
            raise errors.no_cluster()
        return cluster

    def sim_service(self, cluster: str | None, name: str) -> Service:
        """Find an ACTIVE service, brought up to date. Raises ServiceNotFoundException or ServiceNotActiveException."""
        found = self.sim_find(cluster, name)
        if found is None:
            raise errors.no_service()
        if found.status != "ACTIVE":
            raise errors.inactive_service()
        return found

    def sim_find(self, cluster: str | None, name: str) -> Service | None:
        """Find a service, deleted ones too, brought up to date."""
        key = (self.sim_cluster(cluster).name, name.rpartition("/")[2])
        self._catch_up(key)
        return self.sim_services.get(key)

    def services_of(self, cluster: str) -> list[Service]:
        """List the services of a cluster, brought up to date."""
        self.catch_up()
        return [s for (c, _), s in self.sim_services.items() if c == cluster]

    def sim_tasks(self, cluster: str | None) -> list[tuple[Service, Task]]:
        """List all tasks of a cluster."""
        return [(s, t) for s in self.services_of(self.sim_cluster(cluster).name) for t in s.tasks]

    def sim_task(self, cluster: str | None, name: str) -> tuple[Service, Task] | None:
        """Find a task by id or ARN."""
        cluster_name, task_id = self.sim_cluster(cluster).name, name.rpartition("/")[2]
        for key in self._by_task_prefix.get(task_id[:8], ()):
            if key[0] == cluster_name:
                self._catch_up(key)
                service = self.sim_services[key]
                found = next((t for t in service.tasks if t.id == task_id), None)
                if found is not None:
                    return service, found
        return None

    def sim_service_of_arn(self, arn: str) -> Service | None:
        """Find the service of a service-deployment or service-revision ARN (its last part is the deployment or revision)."""
        parts = arn.rpartition(":")[2].split("/")
        if len(parts) != 4 or parts[1] not in self.clusters:
            return None
        found = self.sim_find(parts[1], parts[2])
        return found if found is not None and arn.startswith(found.arn.split(":service/")[0]) else None

    # Time.

    def catch_up(self) -> None:
        """Bring everything that moves up to date."""
        for key in list(self.moving):
            self._catch_up(key)

    def _catch_up(self, key: tuple[str, str]) -> None:
        if key in self.moving:
            service = self.sim_services[key]
            service.catch_up(WORLD.clock.now())
            if service.next_at() is None:
                self.moving.discard(key)

    def sim_touch(self, service: Service) -> None:
        """Something about a service has changed: let it happen."""
        service.touch(WORLD.clock.now())
        self.moving.add((service.cluster, service.name))
        self._catch_up((service.cluster, service.name))

    # Changing.

    def sim_create_service(self, parameters: dict[str, Any]) -> Service:
        """Create a service and begin its first deployment."""
        cluster, name, token = self.sim_cluster(parameters.get("cluster")), parameters["serviceName"], parameters.get("clientToken")
        if token and token in self._created_by_token:
            return self._created_by_token[token]
        known = self.sim_find(cluster.name, name)
        if known is not None and known.status == "DRAINING":
            raise errors.invalid("Unable to Start a service that is still Draining.")
        if known is not None and known.status == "ACTIVE":
            raise errors.invalid("Creation of service was not idempotent.")
        check_new(parameters)
        service = self._new_service(cluster, name, parameters)
        self.sim_services[cluster.name, name] = service
        self._by_task_prefix[service.task_prefix].add((cluster.name, name))
        if token:
            self._created_by_token[token] = service
        if service.controller != "EXTERNAL":
            # CodeDeploy's first task set is made with the service; an EXTERNAL one's are made by CreateTaskSet.
            service.deploy(service.settings["taskDefinition"], WORLD.clock.now())
            self.sim_touch(service)
        return service

    def _new_service(self, cluster: Any, name: str, parameters: dict[str, Any]) -> Service:
        settings = {k: v for k, v in parameters.items() if k not in ("cluster", "serviceName", "clientToken", "tags", "desiredCount")}
        if parameters.get("taskDefinition"):
            settings["taskDefinition"] = self.definitions.deployable(parameters["taskDefinition"])["taskDefinitionArn"]
        settings.setdefault("taskDefinition", "")
        daemon = parameters.get("schedulingStrategy") == "DAEMON"
        desired = WORLD.switches.daemon_instances if daemon else int(parameters.get("desiredCount") or 0)
        arn = f"arn:{get_partition(self.region_name)}:ecs:{self.region_name}:{self.account_id}:service/{cluster.name}/{name}"
        tags = list(parameters.get("tags") or ())
        return Service(arn, name, cluster.arn, WORLD.clock.now(), settings, desired, self._surroundings(), tags=tags)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            images=EcrImages(),
            containers_of=lambda arn: self.definitions.find(arn)["containerDefinitions"],
            emit=lambda kind, resource, detail, at: emit_ecs(self.account_id, self.region_name, kind, resource, detail, at),
            task_view=task_view,
            scaled=_scaled,
            seed=WORLD.seed,
            inactive_lingers_s=lambda: WORLD.switches.inactive_lingers_s,
            hook_result=lambda arn: WORLD.switches.hook_results.get(arn, "SUCCEEDED"),
        )

    def sim_update_service(self, parameters: dict[str, Any]) -> Service:
        """Change a service; a new revision or forceNewDeployment begins a deployment, the revision that is PRIMARY already does not."""
        service = self.sim_service(parameters.get("cluster"), parameters["service"])
        check_update(service, parameters)
        wanted = service.settings["taskDefinition"]
        if parameters.get("taskDefinition"):
            wanted = self.definitions.deployable(parameters["taskDefinition"])["taskDefinitionArn"]
        now, before = WORLD.clock.now(), self.sim_describe(service)
        deploys = starts_deployment(service, wanted, parameters)
        keep(service, wanted, parameters)
        if deploys:
            service.deploy(wanted, now)
            if WORLD.switches.visibility_lag_s:
                service.hidden_until, service.shown_before = now + WORLD.switches.visibility_lag_s, before
        self.sim_touch(service)
        return service

    def sim_resize_daemons(self) -> None:
        """Container instances have come or gone: daemons have a task on each."""
        for service in self.sim_services.values():
            if service.daemon and service.status == "ACTIVE" and service.desired != WORLD.switches.daemon_instances:
                service.desired = WORLD.switches.daemon_instances
                self.sim_touch(service)

    def sim_delete_service(self, parameters: dict[str, Any]) -> Service:
        """Delete a service: DRAINING until its tasks are gone, INACTIVE then."""
        service = self.sim_service(parameters.get("cluster"), parameters["service"])
        if service.desired and not service.daemon and not parameters.get("force"):
            raise errors.invalid("The service cannot be stopped while it is scaled above 0.")
        service.drain(WORLD.clock.now())
        self.sim_touch(service)
        return service

    def sim_forget(self, cluster: str) -> None:
        """Remove a cluster's services at once, with their tasks and without an event."""
        for key in [k for k in self.sim_services if k[0] == cluster]:
            self._by_task_prefix[self.sim_services.pop(key).task_prefix].discard(key)
            self.moving.discard(key)

    def sim_describe(self, service: Service, *, tags: bool = False) -> dict[str, Any]:
        """Show a service, as it was while a deployment is not visible yet."""
        if service.shown_before is not None and WORLD.clock.now() < service.hidden_until:
            return service.shown_before
        service.shown_before = None
        return service_view(service, tags=tags)


def _scaled(duration: float) -> float:
    # The world's clock may be replaced while services live.
    return WORLD.clock.seconds(duration)
