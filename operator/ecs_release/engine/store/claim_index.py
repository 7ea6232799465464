"""Which Release wants to go to which ECS service: what is observed, who holds a service, and whose pass a change there concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.ecs.service import Access, ServiceKey
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import access_of, namespace_allowed, service_key
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.store.store import ReleaseFacts, Store


class Claims:
    """Services by Release and Releases by service, kept as Releases, Projects and Environments change."""

    def __init__(self, store: Store) -> None:
        """Reads the store; whoever changes that calls `refresh`."""
        self._store = store
        self._services: dict[ObjectKey, ServiceKey] = {}
        self._releases: dict[ServiceKey, dict[ObjectKey, Claim]] = defaultdict(dict)
        self.labels: dict[str, Mapping[str, str] | None] = {}

    def refresh(self, facts: ReleaseFacts) -> None:
        """Work out anew what a Release claims. One that its Environment does not allow claims nothing."""
        service = self._service_of(facts)
        before = self._services.get(facts.key)
        if before is not None and before != service:
            self.forget(facts.key)
        if service is not None:
            self._services[facts.key] = service
            self._releases[service][facts.key] = Claim(facts.created, str(facts.key))

    def forget(self, key: ObjectKey) -> None:
        """A Release is gone, or claims nothing any more."""
        service = self._services.pop(key, None)
        if service is not None:
            self._releases[service].pop(key, None)
            if not self._releases[service]:
                del self._releases[service]

    def on(self, service: ServiceKey) -> tuple[Claim, ...]:
        """List who claims a service."""
        return tuple(self._releases.get(service, {}).values())

    def releases_of(self, service: ServiceKey) -> list[ObjectKey]:
        """List the Releases that a change of a service concerns."""
        return list(self._releases.get(service, ()))

    def observed(self, environment: str) -> dict[ServiceKey, Access]:
        """List the services of an Environment that Releases go to, and how they are reached."""
        found = self._store.environments.get(environment)
        if not isinstance(found, Environment):
            return {}
        access = access_of(found)
        keys = (self._services.get(facts.key) for facts in self._store.of_environment(environment))
        return {key: access for key in keys if key is not None}

    def _service_of(self, facts: ReleaseFacts) -> ServiceKey | None:
        environment = self._store.environments.get(facts.environment)
        project = self._store.project(facts.key.namespace, facts.project)
        if not isinstance(environment, Environment) or not isinstance(project, Project):
            return None
        if not namespace_allowed(environment, facts.key.namespace, self.labels.get(facts.key.namespace)):
            return None
        try:
            return service_key(environment, project, facts.service)
        except Problem:
            return None
