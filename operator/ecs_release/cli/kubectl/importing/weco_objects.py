"""Converts a `.wellcome_project` manifest into Projects and Environments, with notes on what could not be mapped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ecs_release.cli.kubectl.importing import documents
from ecs_release.cli.kubectl.importing.documents import Document, EnvironmentFields, ServiceFields
from ecs_release.cli.kubectl.importing.names import UniqueNames, container_name, object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes, WecoEnvironment, WecoProject

_NAMESPACE, _REGION = "uk.ac.wellcome", "eu-west-1"
_SETS, _SERVICES, _CONTAINERS = 10, 50, 10


@dataclass(frozen=True, slots=True)
class Options:
    """What the manifest does not contain. Templates may use {project} and {environment}, the ids in the manifest."""

    namespace: str = ""
    account_id: str = ""
    region: str = ""
    cluster: str = "{environment}"
    clusters: Mapping[str, str] = field(default_factory=dict)
    service_name: str = "{service}"
    service_names: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """By service and environment: cluster (empty: the environment's) and ECS service."""
    container: str = "{image}"
    environment_tags: bool = False
    environment: str = "{project}-{environment}"
    """Names of Environments; {account} may be part of it, too."""


@dataclass(slots=True)
class _Service:
    """A service with its images from all image repositories that list it."""

    id: str
    name: str
    role_arn: str = ""
    images: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportNames:
    """The names that one import has given: those of Environments are cluster-wide, and projects may share a namespace."""

    environments: UniqueNames = field(default_factory=UniqueNames)
    projects: UniqueNames = field(default_factory=UniqueNames)


def convert(project: WecoProject, options: Options, notes: Notes, names: ImportNames) -> list[Document]:
    """Return a project's objects."""
    name = names.projects.unique(object_name(project.id), project.id)
    namespace = options.namespace or name
    groups = _groups(project, _services(project, options, notes), notes)
    environments: list[EnvironmentFields] = []
    set_names = UniqueNames()
    sets: list[tuple[str, list[ServiceFields]]] = []
    for (role, services), suffix in zip(groups, _suffixes([role for role, _ in groups]), strict=True):
        mine = _environments(project, role, suffix, options, notes, names.environments)
        environments += [fields for _, fields in mine]
        members = [ServiceFields(s.name, tuple(s.images.items()), _targets(s, mine, options, notes)) for s in services]
        sets += _chunks(service_name("-".join((project.id, *suffix))), role, members, set_names, notes)
    if len(sets) > _SETS:
        notes.add(f"project {project.id}: a Project has at most {_SETS} service sets of {_SERVICES}: the others are left out")
    environments, sets = _allowed(environments, sets[:_SETS], notes)
    found = [documents.environment(fields, namespace) for fields in environments]
    if not sets:
        notes.add(f"project {project.id}: no service has an image: no Project is made")
        return found
    return [documents.project(name, namespace, _repository(project), sets), *found]


def _suffixes(roles: Iterable[str]) -> list[tuple[str, ...]]:
    """Return what is appended to the names of the service set and the Environments of each role.

    Nothing for the first, the role's account for the others, and the role's name as well if another has that account.
    """
    found: list[tuple[str, ...]] = []
    for number, role in enumerate(roles):
        short = object_name(role.rpartition("/")[2])
        account = _account_of(role) or short
        found.append(() if not number else (account, short) if (account,) in found else (account,))
    return found


def _repository(project: WecoProject) -> str:
    known = project.repository
    return f"https://github.com/{known}" if known and "://" not in known else known


def _services(project: WecoProject, options: Options, notes: Notes) -> list[_Service]:
    """Turn images with services into services with images."""
    found: dict[str, _Service] = {}
    names = UniqueNames()
    for image in project.images:
        repository = f"{project.namespace or _NAMESPACE}/{image.id}"
        if not image.services:
            notes.add(f"project {project.id}: image {image.id} feeds no service, and is left out")
        elif not documents.is_repository(repository):
            notes.add(f"project {project.id}: {repository!r} can be no ECR repository: image {image.id} is left out")
            continue
        for service_id in image.services:
            name = names.unique(service_name(service_id.id), service_id.id)
            service = found.setdefault(service_id.id, _Service(service_id.id, name))
            if service_id.role_arn and service.role_arn not in ("", service_id.role_arn):
                notes.add(f"project {project.id}: service {service_id.id} has several roles: {service.role_arn} counts")
            service.role_arn = service.role_arn or service_id.role_arn
            service.images.setdefault(image.id, repository)
    for service in found.values():
        service.images = _containers(service, options, names=UniqueNames(255))
    full = [s for s in found.values() if len(s.images) > _CONTAINERS]
    for service in full:
        notes.add(f"project {project.id}: service {service.id} has more than {_CONTAINERS} images, and is left out")
    if found:
        notes.add(
            f"project {project.id}: the manifest does not name containers: each is taken to have the name of its image; correct them, or"
            " give --container"
        )
    return [s for s in found.values() if s not in full]


def _containers(service: _Service, options: Options, names: UniqueNames) -> dict[str, str]:
    template = options.container if len(service.images) == 1 else "{image}"
    return {names.unique(container_name(template.replace("{image}", i)), i): r for i, r in service.images.items()}


def _groups(project: WecoProject, services: list[_Service], notes: Notes) -> list[tuple[str, list[_Service]]]:
    """Group services by role: the project's first, then those with one of their own."""
    groups: dict[str, list[_Service]] = {project.role_arn: []}
    for service in services:
        groups.setdefault(service.role_arn or project.role_arn, []).append(service)
    if len(groups) > 1:
        others = ", ".join(role for role in groups if role != project.role_arn)
        notes.add(f"project {project.id}: some services have roles of their own ({others}): they get a service set and Environments for it")
    filled = [(role, members) for role, members in groups.items() if members]
    return filled or [(project.role_arn, [])]


def _environments(
    project: WecoProject, role: str, suffix: tuple[str, ...], options: Options, notes: Notes, names: UniqueNames
) -> list[tuple[WecoEnvironment, EnvironmentFields]]:
    if not project.environments:
        notes.add(f"project {project.id}: it has no environments: none is made")
        return []
    account = _account_of(role) or options.account_id or project.account_id
    if not documents.is_account(account):
        notes.add(f"project {project.id}: neither role nor account_id tells the AWS account: no Environment is made; give --account-id")
        return []
    region = project.region or options.region
    if not documents.is_region(region):
        notes.add(f"project {project.id}: the manifest names no region: {_REGION} is taken; give --region for another")
        region = _REGION
    found: list[tuple[WecoEnvironment, EnvironmentFields]] = []
    role_arn = role if documents.is_role(role) else ""
    if role != role_arn:
        notes.add(f"project {project.id}: {role!r} is no IAM role, and is left out")
    if not role_arn:
        notes.add(f"project {project.id}: it has no role: the operator's own credentials would be used; set spec.aws.roleARN")
    for environment in project.environments:
        text = "-".join((_filled(options.environment, project, environment).replace("{account}", account), *suffix))
        fields = EnvironmentFields(
            # Environment b of project a-x and environment x-b of project a have the same text, and are two.
            name=names.unique(object_name(text), json.dumps([project.id, environment.id, role])),
            display_name=environment.name or environment.id,
            account_id=account,
            region=region,
            role_arn=role_arn,
            external_id="",
            cluster=_cluster(project, environment, options, notes),
            service_name=_template(project, environment, options, notes),
            registry_id=project.account_id if documents.is_account(project.account_id) else "",
            repositories=_allowed_repositories(project),
            environment_tag=_environment_tag(project, environment, options, notes),
        )
        found.append((environment, replace(fields, method="EnvironmentTag" if fields.environment_tag else "")))
    return found


def _allowed_repositories(project: WecoProject) -> tuple[str, ...]:
    pattern = f"{project.namespace or _NAMESPACE}/*"
    return (pattern,) if documents.is_valid(r"[a-zA-Z0-9_*?./-]+", pattern) else ()


def _environment_tag(project: WecoProject, environment: WecoEnvironment, options: Options, notes: Notes) -> str:
    if not options.environment_tags:
        return ""
    tag = f"env.{environment.id}"
    if documents.is_valid(r"[a-zA-Z0-9_.-]+", tag, 128):
        return tag
    notes.add(f"project {project.id}: {tag!r} can be no tag: environment {environment.id} keeps method TaskDefinition")
    return ""


def _cluster(project: WecoProject, environment: WecoEnvironment, options: Options, notes: Notes) -> str:
    cluster = _filled(options.clusters.get(environment.id, options.cluster), project, environment)
    if documents.is_ecs_name(cluster):
        return cluster
    safe = object_name(cluster)
    notes.add(f"project {project.id}: {cluster!r} can be no ECS cluster: {safe} is taken for environment {environment.id}; give --cluster")
    return safe


def _template(project: WecoProject, environment: WecoEnvironment, options: Options, notes: Notes) -> str:
    template = _filled(options.service_names.get(environment.id, options.service_name), project, environment)
    if documents.is_template(template):
        return template
    notes.add(
        f"project {project.id}: {template!r} can be no template of ECS services: {{service}} is taken for environment {environment.id};"
        " give --service-name"
    )
    return "{service}"


def _filled(template: str, project: WecoProject, environment: WecoEnvironment) -> str:
    """Fill in the manifest's ids as written; {service} is left for the operator."""
    return template.replace("{project}", project.id).replace("{environment}", environment.id)


def _targets(
    service: _Service, environments: list[tuple[WecoEnvironment, EnvironmentFields]], options: Options, notes: Notes
) -> tuple[tuple[str, str, str], ...]:
    """Return targets of a service for the environments in which the template does not give the name of its ECS service."""
    found: list[tuple[str, str, str]] = []
    for environment, fields in environments:
        cluster, wanted = options.targets.get((service.id, environment.id), ("", fields.service_name.replace("{service}", service.id)))
        if wanted == fields.service_name.replace("{service}", service.name) and cluster in ("", fields.cluster):
            continue
        if documents.is_ecs_name(wanted) and documents.is_ecs_name(cluster or fields.cluster):
            found.append((fields.name, cluster or fields.cluster, wanted))
        else:
            notes.add(f"service {service.id}: {wanted!r} can be no ECS service in environment {environment.id}; give --target")
    if len(found) > documents.MOST_TARGETS:
        notes.add(f"service {service.id}: a service has at most {documents.MOST_TARGETS} targets: the others are left out")
    return tuple(found[: documents.MOST_TARGETS])


def _allowed(
    environments: list[EnvironmentFields], sets: list[tuple[str, list[ServiceFields]]], notes: Notes
) -> tuple[list[EnvironmentFields], list[tuple[str, list[ServiceFields]]]]:
    """Allow exactly the ECS services of the Project's targets in each Environment; targets beyond its limit are left out of both."""
    allowing: list[EnvironmentFields] = []
    refused: set[tuple[str, str, str]] = set()
    for fields in environments:
        wanted = {(c, s) for _, members in sets for m in members for e, c, s in m.targets if e == fields.name}
        allowed = documents.allowable(wanted)
        refused |= {(fields.name, c, s) for c, s in wanted - allowed}
        allowing.append(replace(fields, targets=tuple(sorted(allowed))))
    for environment, cluster, service in sorted(refused):
        notes.add(f"target {cluster}/{service}: Environment {environment} cannot allow as many as that: it is left out")
    kept = [(name, [replace(m, targets=tuple(t for t in m.targets if t not in refused)) for m in members]) for name, members in sets]
    return allowing, kept


def _chunks(name: str, role: str, members: list[ServiceFields], names: UniqueNames, notes: Notes) -> list[tuple[str, list[ServiceFields]]]:
    """Split services into sets of the size that the API takes."""
    if len(members) > _SERVICES:
        notes.add(f"service set {name}: it has more than {_SERVICES} services, and is split")
    parts = [members[first : first + _SERVICES] for first in range(0, len(members), _SERVICES)]
    return [(names.unique(service_name(f"{name}-{n}" if n > 1 else name), json.dumps([role, n])), part) for n, part in enumerate(parts, 1)]


def _account_of(role: str) -> str:
    return role.split(":")[4] if documents.is_role(role) else ""
