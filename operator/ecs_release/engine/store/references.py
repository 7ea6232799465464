"""Where Releases go: the Environment, the Project and the target that a Release or a ReleaseSet names, as the store knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project, ServiceSet
from ecs_release.domain.environments.targets import Target, refused, resolve_target
from ecs_release.domain.model.errors import Blocked, Waiting
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.protocols import Cluster
from ecs_release.engine.store.claim_index import Claims
from ecs_release.engine.store.store import Invalid, Store


@dataclass(slots=True)
class Places:
    """Looks up what specs refer to."""

    store: Store
    claims: Claims
    cluster: Cluster
    namespaces: Namespaces

    def environment(self, name: str) -> Environment:
        """Find an Environment. Raises Waiting(AwaitingEnvironment) or Blocked(InvalidSpec)."""
        found = self.store.environments.get(name)
        if found is None:
            raise Waiting(Reason.AWAITING_ENVIRONMENT, f"there is no Environment {name!r}: create it, or correct spec.environmentRef")
        if isinstance(found, Invalid):
            raise Blocked(Reason.INVALID_SPEC, found.message)
        return found

    def project(self, namespace: str, name: str) -> Project:
        """Find a Project. Raises Waiting(AwaitingProject) or Blocked(InvalidSpec)."""
        project = self.store.project(namespace, name)
        if project is None:
            raise Waiting(
                Reason.AWAITING_PROJECT, f"there is no Project {name!r} in namespace {namespace!r}: create it, or correct spec.projectRef"
            )
        if isinstance(project, Invalid):
            raise Blocked(Reason.INVALID_SPEC, project.message)
        return project

    @staticmethod
    def service_set(project: Project, name: str) -> ServiceSet:
        """Find a service set. Raises Waiting(AwaitingProject) that lists those there are."""
        found = next((s for s in project.spec.service_sets if s.name == name), None)
        if found is None:
            known = ", ".join(s.name for s in project.spec.service_sets)
            raise Waiting(
                Reason.AWAITING_PROJECT,
                f"Project {project.metadata.name!r} has no service set {name!r} (it has: {known}): add it there, or create another set",
            )
        return found

    async def target(self, environment: Environment, project: Project, service: str, namespace: str) -> Target:
        """Resolve a service's target. Raises Blocked as `resolve_target` does."""
        return resolve_target(environment, project, service, await self.labels(environment, project, namespace))

    async def refused(self, environment: Environment, project: Project, namespace: str) -> str:
        """Say why an Environment does not admit a namespace; empty where it does."""
        return refused(environment, namespace, await self.labels(environment, project, namespace))

    async def labels(self, environment: Environment, project: Project, namespace: str) -> Mapping[str, str] | None:
        """Read a namespace's labels where the Environment asks for some."""
        allowed = environment.spec.allowed_namespaces
        if allowed is None or allowed.selector is None:
            return None
        labels = self.claims.labels[namespace] = await self.cluster.namespace_labels(namespace)
        for facts in self.store.of_project(namespace, project.metadata.name):
            self.claims.refresh(facts)
        return labels
