"""The four kinds, as models, and as the API server has them (`..._object`). Keyword arguments are fields of the spec."""

from __future__ import annotations

from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import API_VERSION
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.environments.targets import Target, resolve_target

ACCOUNT, REGION = "111122223333", "eu-west-1"


def metadata(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """As of an object that was just made. What is None is left out."""
    usual = {
        "name": name, "namespace": namespace or None, "uid": f"uid-{name}", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return {k: v for k, v in (usual | more).items() if v is not None}


def release_object(
    name: str = "web",
    /,
    *,
    namespace: str = "shop",
    meta: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A Release of the service of its name into Environment prod."""
    usual = {
        "projectRef": {"name": "store"}, "service": name, "environmentRef": {"name": "prod"}, "source": {"releaseHash": "bbbbbbb"},
    }  # fmt: skip
    return {
        "apiVersion": API_VERSION, "kind": "Release", "metadata": metadata(name, namespace, annotations=annotations, **meta or {}),
        "spec": usual | spec, **({"status": status} if status is not None else {}),
    }  # fmt: skip


def release(name: str = "web", /, *, status: ReleaseStatus | None = None, **more: Any) -> Release:
    """The same as a model."""
    return Release.model_validate(release_object(name, **more)).model_copy(update={"status": status})


def environment_object(name: str = "prod", /, **spec: Any) -> dict[str, Any]:
    """An Environment that admits namespace shop."""
    usual = {
        "allowedNamespaces": {"names": ["shop"]},
        "aws": {"accountID": ACCOUNT, "region": REGION, "roleARN": f"arn:aws:iam::{ACCOUNT}:role/r"},
        "target": {"cluster": "prod", "serviceName": "{environment}-{project}-{serviceSet}-{service}"},
    }
    return {"apiVersion": API_VERSION, "kind": "Environment", "metadata": metadata(name), "spec": usual | spec}


def environment(name: str = "prod", /, **spec: Any) -> Environment:
    """The same as a model."""
    return Environment.model_validate(environment_object(name, **spec))


def project_object(**service: Any) -> dict[str, Any]:
    """Project store of one service set, front, with one service: `web`, unless fields of it are given."""
    services = [{"name": "web", "containers": [{"name": "app", "repository": "shop/web"}], **service}]
    spec = {"serviceSets": [{"name": "front", "services": services}]}
    return {"apiVersion": API_VERSION, "kind": "Project", "metadata": metadata("store", "shop"), "spec": spec}


def project(**service: Any) -> Project:
    """The same as a model."""
    return Project.model_validate(project_object(**service))


def release_set_object(name: str = "front-prod", /, *, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A ReleaseSet of that service set into Environment prod."""
    made = release_object(name, status=status, **spec)
    del made["spec"]["service"]
    return made | {"kind": "ReleaseSet", "spec": {"serviceSet": "front", **made["spec"]}}


def target(place: Environment | None = None, /, **service: Any) -> Target:
    """Where a service of that Project goes in an Environment."""
    return resolve_target(place or environment(), project(**service), service.get("name", "web"))
