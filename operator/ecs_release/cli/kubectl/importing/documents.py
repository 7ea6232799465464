"""The documents that an import prints: checked against the API's models, in an order that is always the same."""

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
class Place:
    """An ECS cluster and how to get there; `service_name` is the template of ECS services there."""

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
    """Cluster and ECS service that the Project names there, where the template does not fit."""


@dataclass(frozen=True, slots=True)
class Member:
    """A service of a Project; `targets` are ECS services by Environment."""

    name: str
    containers: tuple[tuple[str, str], ...]
    targets: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a service runs: container, digest, release hash."""

    release: str
    service: str
    images: tuple[tuple[str, str, str], ...] = field(default=())


def environment(place: Place, namespace: str) -> Document:
    """Write an Environment that only observes: nothing is changed in AWS until somebody sets its mode to Deploy."""
    aws = {"accountID": place.account_id, "region": place.region, "roleARN": place.role_arn, "externalID": place.external_id}
    registry = {
        "registryID": place.registry_id if place.registry_id != place.account_id else "",
        "region": place.registry_region if place.registry_region != place.region else "",
        "tagFormats": list(Artifacts().tag_formats),
        "allowedRepositories": list(place.repositories),
        "environmentTag": place.environment_tag,
    }
    spec: Document = {
        "displayName": place.display_name[:128],
        "mode": "Observe",
        "allowedNamespaces": {"names": [namespace]},
        "aws": _set(aws),
        "target": _set({"cluster": place.cluster, "serviceName": place.service_name, "allowed": _allowed(place.targets, namespace)}),
        "artifacts": _set(registry),
        "rollout": _set({"method": place.method}),
    }
    return {"apiVersion": API_VERSION, "kind": ENVIRONMENT, "metadata": {"name": place.name}, "spec": _set(spec)}


def _allowed(targets: Iterable[tuple[str, str]], namespace: str) -> list[Document]:
    """Allow the ECS services that the Project names, and no other."""
    by_cluster: dict[str, set[str]] = {}
    for cluster, service in targets:
        by_cluster.setdefault(cluster, set()).add(service)
    rules: list[Document] = []
    for cluster, services in sorted(by_cluster.items()):
        names = sorted(services)
        parts = [names[first : first + MOST_NAMES] for first in range(0, len(names), MOST_NAMES)]
        rules += [{"namespaces": [namespace], "clusters": [cluster], "serviceNames": part} for part in parts]
    return rules[:MOST_RULES]


def project(name: str, namespace: str, repository: str, sets: Sequence[tuple[str, Sequence[Member]]]) -> Document:
    """Write a Project of service sets."""
    written = [{"name": set_name, "services": [_service(m) for m in members]} for set_name, members in sets]
    spec = _set({"repository": repository[:2048], "serviceSets": written})
    return {"apiVersion": API_VERSION, "kind": PROJECT, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _service(member: Member) -> Document:
    targets = [{"environment": e, "cluster": c, "serviceName": s} for e, c, s in member.targets]
    containers = [{"name": name, "repository": repository} for name, repository in member.containers]
    return _set({"name": member.name, "containers": containers, "targets": targets})


def release(pinned: Pinned, namespace: str, project_name: str, environment_name: str, why: Mapping[str, str]) -> Document:
    """Write a Release of what runs, by digest: it is adopted as it is."""
    images = [_set({"container": c, "digest": d, "releaseHash": h}) for c, d, h in pinned.images]
    spec = {
        "projectRef": {"name": project_name},
        "service": pinned.service,
        "environmentRef": {"name": environment_name},
        "source": {"images": images},
        "change": dict(why),
    }
    return {"apiVersion": API_VERSION, "kind": RELEASE, "metadata": {"name": pinned.release, "namespace": namespace}, "spec": spec}


def _set(fields: Document) -> Document:
    """Leave out what is empty."""
    return {k: v for k, v in fields.items() if v not in ("", None, [], {})}


def fits(pattern: str, text: str, most: int = 255) -> bool:
    """Tell whether a text is what a field of the API takes."""
    return len(text) <= most and re.fullmatch(pattern, text) is not None


def is_account(text: str) -> bool:
    """Tell whether a text is an AWS account."""
    return fits(ACCOUNT, text)


def is_region(text: str) -> bool:
    """Tell whether a text may be a region."""
    return fits(REGION, text, 32)


def is_role(text: str) -> bool:
    """Tell whether a text is the ARN of an IAM role."""
    return fits(ROLE_ARN, text, 2048)


def is_ecs_name(text: str) -> bool:
    """Tell whether a text may name a cluster or a service of ECS."""
    return fits(ECS_NAME, text)


def is_repository(text: str) -> bool:
    """Tell whether a text may name an ECR repository."""
    return len(text) >= 2 and fits(REPOSITORY, text, 256)


def is_template(text: str) -> bool:
    """Tell whether a text is a template of ECS services: the CRD's rule, and {service} in it, so that no two services are one."""
    bare = re.sub(r"\{(project|serviceSet|service|environment|namespace)\}", "", text)
    return "{service}" in text and len(text) <= 255 and re.fullmatch(r"[a-zA-Z0-9_-]*", bare) is not None
