"""Where a Release is deployed: the ECS service and the repositories that its Environment allows to its namespace.

Nobody gains AWS rights by writing a Release or a Project: role, clusters, service names and repositories come from the Environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.meta import ECS_NAME
from ecs_release.api.project import Container, Project, Service
from ecs_release.domain.ecs.service import Access, ServiceKey
from ecs_release.domain.ecs.service import Service as EcsService
from ecs_release.domain.environments.rollout_policy import RolloutPolicy, rollout_policy
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.image_names import ecr_host

_ECS_NAME, _LONGEST = re.compile(ECS_NAME), 255
"""Of services (ECS API reference, CreateService)."""


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """A container that a Project lists: only these are changed, all others are not changed."""

    name: str
    repository: str


@dataclass(frozen=True, slots=True)
class Target:
    """One ECS service, how to reach it, and what may be deployed to it."""

    key: ServiceKey
    access: Access
    registry_access: Access
    registry_id: str
    containers: tuple[ListedContainer, ...]
    tag_formats: tuple[str, ...]
    policy: RolloutPolicy
    environment_tag: str = ""
    service_set: str = ""

    @property
    def registry_region(self) -> str:
        """The region that artifacts are looked up in."""
        return self.registry_access.region

    @property
    def registry_host(self) -> str:
        """The host name of the registry that artifacts are looked up in."""
        return ecr_host(self.registry_id, self.registry_region)


def namespace_allowed(environment: Environment, namespace: str, labels: Mapping[str, str] | None) -> bool:
    """Return whether an Environment admits a namespace, by name or by its labels (None: they could not be read)."""
    allowed = environment.spec.allowed_namespaces
    if allowed is None:
        return False
    if allowed.names:
        return namespace in allowed.names
    if allowed.selector is None:
        return False
    required = allowed.selector.match_labels or {}
    expressions = allowed.selector.match_expressions or []
    if not required and not expressions:
        return True
    return (
        labels is not None
        and all(labels.get(key) == value for key, value in required.items())
        and all(_expression_holds(e.operator, labels.get(e.key), e.values or []) for e in expressions)
    )


def _expression_holds(operator: str, value: str | None, values: list[str]) -> bool:
    """Evaluate one label selector requirement as Kubernetes does (labels.Requirement.Matches)."""
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def selects_by_label(environment: Environment) -> bool:
    """Return whether it depends on the labels of a namespace whether an Environment admits it."""
    allowed = environment.spec.allowed_namespaces
    selector = allowed.selector if allowed is not None and not allowed.names else None
    return selector is not None and bool(selector.match_labels or selector.match_expressions)


def may_admit(environment: Environment, namespaces: Collection[str]) -> bool:
    """Return whether an Environment may admit one of some namespaces. Any may have the labels that a selector requires."""
    allowed = environment.spec.allowed_namespaces
    if allowed is None:
        return False
    return any(name in namespaces for name in allowed.names) if allowed.names else allowed.selector is not None


def refusal(environment: Environment, namespace: str, labels: Mapping[str, str] | None) -> str:
    """Return why an Environment does not admit a namespace, and what to do; empty if it does."""
    if namespace_allowed(environment, namespace, labels):
        return ""
    name = environment.metadata.name
    if labels is None and selects_by_label(environment):
        return (
            f"Environment {name!r} allows namespaces by label, and those of namespace {namespace!r} may not be read: name it in"
            " spec.allowedNamespaces.names instead, or give the operator the right to get Namespaces"
        )
    return f"Environment {name!r} does not allow namespace {namespace!r}: ask its owner to add it to spec.allowedNamespaces"


def find_service(project: Project, name: str) -> tuple[str, Service]:
    """Find a service of a Project with the name of its service set. Raises Blocked(InvalidSpec) that lists the services there are."""
    found = project.spec.by_service.get(name)
    if found is not None:
        return found
    names = sorted(s.name for group in project.spec.service_sets for s in group.services)
    known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise Blocked(
        Reason.INVALID_SPEC,
        f"Project {project.metadata.name!r} has no service {name!r}: add it there, or name one of: {known}",
    )


def resolve_target(
    environment: Environment,
    project: Project,
    service_name: str,
    namespace_labels: Mapping[str, str] | None = None,
) -> Target:
    """Resolve the ECS service that a Project's service has in an Environment.

    Raises Blocked: TargetNotAllowed for what the Environment does not allow to the Project's namespace, InvalidSpec for an unknown service.
    """
    namespace = project.metadata.namespace or ""
    if why := refusal(environment, namespace, namespace_labels):
        raise Blocked(Reason.TARGET_NOT_ALLOWED, why)
    service_set, service = find_service(project, service_name)
    cluster, ecs_service = _ecs_names(environment, project, service_set, service)
    containers = tuple(ListedContainer(c.name, c.repository) for c in service.containers)
    _check_repositories(environment, containers)
    aws, artifacts = environment.spec.aws, environment.spec.artifacts
    registry_region = artifacts.region or aws.region
    registry_access = Access(aws.account_id, registry_region, aws.role_arn, aws.external_id)
    if artifacts.role_arn:
        account = artifacts.registry_id or aws.account_id
        registry_access = Access(account, registry_region, artifacts.role_arn, artifacts.external_id)
    return Target(
        key=ServiceKey(aws.account_id, aws.region, cluster, ecs_service),
        access=access_of(environment),
        registry_access=registry_access,
        registry_id=artifacts.registry_id or aws.account_id,
        containers=containers,
        tag_formats=tuple(artifacts.tag_formats),
        policy=rollout_policy(environment.spec.rollout, service.rollout),
        environment_tag=environment_tag(environment),
        service_set=service_set,
    )


def check_deployable(key: ServiceKey, service: EcsService | None) -> EcsService:
    """Return the ECS service if there is one and ECS itself rolls it out. Raises Blocked: ServiceNotFound, UnsupportedController."""
    if service is None or service.status == "INACTIVE":
        raise Blocked(Reason.SERVICE_NOT_FOUND, f"there is no ECS service {key}: create it, or correct the target")
    if service.status == "DRAINING":
        raise Blocked(Reason.SERVICE_NOT_FOUND, f"ECS service {key} is being deleted (DRAINING)")
    if service.controller not in ("", "ECS"):
        raise Blocked(
            Reason.UNSUPPORTED_CONTROLLER, f"ECS service {key} has deployment controller {service.controller}: only ECS is supported"
        )
    if service.resource_management == "ECS":
        raise Blocked(Reason.UNSUPPORTED_CONTROLLER, f"ECS service {key} is managed by ECS itself (Express mode)")
    return service


def service_key(environment: Environment, project: Project, service_name: str) -> ServiceKey:
    """Name the ECS service alone. Raises Blocked as `resolve_target` does."""
    service_set, service = find_service(project, service_name)
    _check_repositories(environment, service.containers)
    aws = environment.spec.aws
    return ServiceKey(aws.account_id, aws.region, *_ecs_names(environment, project, service_set, service))


def environment_tag(environment: Environment) -> str:
    """Return the tag that method EnvironmentTag moves for an Environment; an empty string if it has none."""
    return (environment.spec.artifacts.environment_tag or "").replace("{environment}", environment.metadata.name)


def access_of(environment: Environment) -> Access:
    """Return how an Environment's services are reached."""
    aws = environment.spec.aws
    return Access(aws.account_id, aws.region, aws.role_arn, aws.external_id)


def _ecs_names(environment: Environment, project: Project, service_set: str, service: Service) -> tuple[str, str]:
    target = environment.spec.target
    by_template = (
        target.cluster,
        target.service_name.replace("{project}", project.metadata.name)
        .replace("{serviceSet}", service_set)
        .replace("{service}", service.name)
        .replace("{environment}", environment.metadata.name)
        .replace("{namespace}", project.metadata.namespace or ""),
    )
    own = next((t for t in service.targets or () if t.environment == environment.metadata.name), None)
    if own is None:
        return _admitted(*by_template)
    named = (own.cluster or by_template[0], own.service_name or by_template[1])
    if named != by_template and not _is_allowed(environment, project.metadata.namespace or "", *named):
        raise Blocked(
            Reason.TARGET_NOT_ALLOWED,
            f"Environment {environment.metadata.name!r} does not allow namespace {project.metadata.namespace!r} the ECS service"
            f" {named[1]!r} in cluster {named[0]!r}: ask its owner to add it to spec.target.allowed, or change the target in"
            f" Project {project.metadata.name!r}",
        )
    return _admitted(*named)


def _admitted(cluster: str, name: str) -> tuple[str, str]:
    """Return the names of a cluster and a service if ECS admits the latter. Raises Blocked: ECS is not asked for what it cannot have."""
    if len(name) > _LONGEST or not _ECS_NAME.fullmatch(name):
        raise Blocked(
            Reason.INVALID_SPEC,
            f"{name[:_LONGEST]!r} cannot be the name of an ECS service, which has at most {_LONGEST} letters, digits, _ and -: correct the"
            " name of the service in the Project, or target.serviceName of the Environment",
        )
    return cluster, name


def _is_allowed(environment: Environment, namespace: str, cluster: str, ecs_service: str) -> bool:
    return any(
        _matches(namespace, rule.namespaces) and _matches(cluster, rule.clusters) and _matches(ecs_service, rule.service_names)
        for rule in environment.spec.target.allowed or ()
    )


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_repositories(environment: Environment, containers: Iterable[ListedContainer | Container]) -> None:
    allowed = environment.spec.artifacts.allowed_repositories
    if allowed is None:
        return
    for container in containers:
        if not _matches(container.repository, allowed):
            raise Blocked(
                Reason.TARGET_NOT_ALLOWED,
                f"Environment {environment.metadata.name!r} does not allow repository {container.repository!r} (container"
                f" {container.name!r}): ask its owner to add it to spec.artifacts.allowedRepositories",
            )
