"""The documents that an import prints, in a deterministic order, and checks of their fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_release.api.environment import Artifacts
from ecs_release.api.meta import ACCOUNT, ECS_NAME, REGION, REPOSITORY, ROLE_ARN
from ecs_release.api.names import API_VERSION, ENVIRONMENT, PROJECT, RELEASE

Document = dict[str, Any]
MOST_TARGETS, MOST_RULES, MOST_NAMES = 50, 50, 50


@dataclass(frozen=True, slots=True)
class EnvironmentFields:
    """Fields of an Environment; `service_name` is the template of ECS services."""

    name: str
    display_name: str
    account_id: str
    region: str
    role_arn: str
    external_id: str
    cluster: str
    service_name: str
    registry_id: str = ""
    registry_region: str = ""
    repositories: tuple[str, ...] = ()
    environment_tag: str = ""
    method: str = ""
    targets: tuple[tuple[str, str], ...] = ()
    """Cluster and ECS service of the Project's targets there, if the template does not fit."""


@dataclass(frozen=True, slots=True)
class ServiceFields:
    """Fields of a Project's service; `targets` are Environment, cluster and ECS service."""

    name: str
    containers: tuple[tuple[str, str], ...]
    targets: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseFields:
    """Fields of a Release; `images` are container, digest and release hash."""

    release: str
    service: str
    images: tuple[tuple[str, str, str], ...] = field(default=())


def environment(fields: EnvironmentFields, namespace: str) -> Document:
    """Return an Environment in mode Observe: nothing is changed in AWS until somebody sets it to Deploy."""
    aws = {"accountID": fields.account_id, "region": fields.region, "roleARN": fields.role_arn, "externalID": fields.external_id}
    registry = {
        "registryID": fields.registry_id if fields.registry_id != fields.account_id else "",
        "region": fields.registry_region if fields.registry_region != fields.region else "",
        "tagFormats": list(Artifacts().tag_formats),
        "allowedRepositories": list(fields.repositories),
        "environmentTag": fields.environment_tag,
    }
    spec: Document = {
        "displayName": fields.display_name[:128],
        "mode": "Observe",
        "allowedNamespaces": {"names": [namespace]},
        "aws": _set(aws),
        "target": _set({"cluster": fields.cluster, "serviceName": fields.service_name, "allowed": _allowed(fields.targets, namespace)}),
        "artifacts": _set(registry),
        "rollout": _set({"method": fields.method}),
    }
    return {"apiVersion": API_VERSION, "kind": ENVIRONMENT, "metadata": {"name": fields.name}, "spec": _set(spec)}


def allowable(targets: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the targets that fit into the rules of one Environment."""
    return {(cluster, name) for cluster, names in _rules(targets) for name in names}


def _allowed(targets: Iterable[tuple[str, str]], namespace: str) -> list[Document]:
    """Return rules that allow the ECS services of the Project's targets, and no other."""
    return [{"namespaces": [namespace], "clusters": [cluster], "serviceNames": names} for cluster, names in _rules(targets)]


def _rules(targets: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Group ECS services by cluster, in rules of the size and number that the API takes."""
    by_cluster: dict[str, set[str]] = {}
    for cluster, service in targets:
        by_cluster.setdefault(cluster, set()).add(service)
    rules: list[tuple[str, list[str]]] = []
    for cluster, services in sorted(by_cluster.items()):
        names = sorted(services)
        rules += [(cluster, names[first : first + MOST_NAMES]) for first in range(0, len(names), MOST_NAMES)]
    return rules[:MOST_RULES]


def project(name: str, namespace: str, repository: str, sets: Sequence[tuple[str, Sequence[ServiceFields]]]) -> Document:
    """Return a Project of service sets."""
    written = [{"name": set_name, "services": [_service(m) for m in members]} for set_name, members in sets]
    spec = _set({"repository": repository[:2048], "serviceSets": written})
    return {"apiVersion": API_VERSION, "kind": PROJECT, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _service(fields: ServiceFields) -> Document:
    targets = [{"environment": e, "cluster": c, "serviceName": s} for e, c, s in fields.targets]
    containers = [{"name": name, "repository": repository} for name, repository in fields.containers]
    return _set({"name": fields.name, "containers": containers, "targets": targets})


def release(fields: ReleaseFields, namespace: str, project_name: str, environment_name: str, why: Mapping[str, str]) -> Document:
    """Return a Release of what runs, by digest: the operator adopts it without a deployment."""
    images = [_set({"container": c, "digest": d, "releaseHash": h}) for c, d, h in fields.images]
    spec = {
        "projectRef": {"name": project_name},
        "service": fields.service,
        "environmentRef": {"name": environment_name},
        "source": {"images": images},
        "change": dict(why),
    }
    return {"apiVersion": API_VERSION, "kind": RELEASE, "metadata": {"name": fields.release, "namespace": namespace}, "spec": spec}


def _set(fields: Document) -> Document:
    """Return the fields that are not empty."""
    return {k: v for k, v in fields.items() if v not in ("", None, [], {})}


def is_valid(pattern: str, text: str, most: int = 255) -> bool:
    """Return whether a text is valid for a field of the API."""
    return len(text) <= most and re.fullmatch(pattern, text) is not None


def is_account(text: str) -> bool:
    """Return whether a text is an AWS account."""
    return is_valid(ACCOUNT, text)


def is_region(text: str) -> bool:
    """Return whether a text may be a region."""
    return is_valid(REGION, text, 32)


def is_role(text: str) -> bool:
    """Return whether a text is the ARN of an IAM role."""
    return is_valid(ROLE_ARN, text, 2048)


def is_ecs_name(text: str) -> bool:
    """Return whether a text may name a cluster or a service of ECS."""
    return is_valid(ECS_NAME, text)


def is_repository(text: str) -> bool:
    """Return whether a text may name an ECR repository."""
    return len(text) >= 2 and is_valid(REPOSITORY, text, 256)


def is_template(text: str) -> bool:
    """Return whether a text is a template of ECS services: the CRD's rule, and it must contain {service}."""
    bare = re.sub(r"\{(project|serviceSet|service|environment|namespace)\}", "", text)
    return "{service}" in text and len(text) <= 255 and re.fullmatch(r"[a-zA-Z0-9_-]*", bare) is not None
