"""Resolves references: the Environment, the Project and the target that a Release or a ReleaseSet names, from the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.names import RELEASE
from ecs_release.api.project import Project, ServiceSet
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import Target, refusal, resolve_target, selects_by_label
from ecs_release.domain.model.errors import Blocked, Waiting
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.namespace_labels import NamespaceLabels
from ecs_release.engine.store.store import Invalid, Store

_LABELS_S = 0.5


@dataclass(slots=True)
class References:
    """Looks up the objects that specs refer to."""

    store: Store
    claims: ClaimIndex
    labels: NamespaceLabels
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
        """Find a service set. Raises Waiting(AwaitingProject), with a list of those that exist."""
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
        return resolve_target(environment, project, service, await self._namespace_labels(environment, namespace))

    async def refusal(self, environment: Environment, namespace: str) -> str:
        """Return why an Environment does not admit a namespace; empty if it does."""
        return refusal(environment, namespace, await self._namespace_labels(environment, namespace))

    async def contenders(self, service: ServiceKey, release: ObjectKey, running: Ownership | None = None) -> tuple[Claim, ...]:
        """Return the claims that decide whether a Release holds a service. Labels of namespaces that these depend on are read first.

        A pass does not wait long for them: what is not known then, it does without, and begins nothing.
        """
        await self.read_unknown(self.claims.unknown_namespaces(service))
        namespace, _, name = running.release.partition("/") if running is not None else ("", "", "")
        return self.claims.contenders(service, release, ObjectKey(RELEASE, namespace, name))

    async def read_unknown(self, namespaces: Collection[str]) -> None:
        """Read the labels of namespaces that are not known yet; a pass does not wait long for them."""
        await self.labels.read_unknown(namespaces, _LABELS_S)

    async def _namespace_labels(self, environment: Environment, namespace: str) -> Mapping[str, str] | None:
        """Read a namespace's labels if the Environment selects namespaces by label."""
        return await self.labels.read(namespace) if selects_by_label(environment) else None
