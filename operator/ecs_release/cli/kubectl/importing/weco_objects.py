"""What a `.wellcome_project` manifest is here: a Project, its Environments, and notes on what could not be mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ecs_release.cli.kubectl.importing import documents
from ecs_release.cli.kubectl.importing.documents import Document, Member, Place
from ecs_release.cli.kubectl.importing.names import Taken, container_name, object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Named, Notes, WecoProject

_NAMESPACE, _REGION = "uk.ac.wellcome", "eu-west-1"
_SETS, _SERVICES, _CONTAINERS = 10, 50, 10


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the manifest does not say, and the user does. Templates are of {project} and {environment}, by their ids in the manifest."""

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


@dataclass(slots=True)
class _Service:
    """A service with its images, gathered from all image repositories that feed it."""

    id: str
    name: str
    role_arn: str = ""
    images: dict[str, str] = field(default_factory=dict)


def convert(project: WecoProject, wishes: Wishes, notes: Notes, taken: Taken) -> list[Document]:
    """Write a project's objects. `taken` gives the Environments' names, which are the cluster's own, not a namespace's."""
    name = object_name(project.id)
    namespace = wishes.namespace or name
    services = _services(project, wishes, notes)
    groups = _groups(project, services, notes)
    places: list[Place] = []
    set_names = Taken()
    sets: list[tuple[str, list[Member]]] = []
    for number, (role, members) in enumerate(groups):
        suffix = _account_of(role) or object_name(role.rpartition("/")[2]) if number else ""
        mine = _places(project, role, suffix, wishes, notes, taken)
        targets = {s.id: _targets(s, mine, wishes, notes) for s in members}
        places += [_with_targets(place, targets.values()) for _, place in mine]
        listed = [Member(s.name, tuple(s.images.items()), targets[s.id]) for s in members]
        sets += _chunks(service_name("-".join(filter(None, (project.id, suffix)))), listed, set_names, notes)
    if len(sets) > _SETS:
        notes.add(f"project {project.id}: a Project has at most {_SETS} service sets of {_SERVICES}: the others are left out")
    found = [documents.environment(place, namespace) for place in places]
    if not sets:
        notes.add(f"project {project.id}: no service has an image: no Project is made")
        return found
    return [documents.project(name, namespace, _repository(project), sets[:_SETS]), *found]


def _repository(project: WecoProject) -> str:
    known = project.repository
    return f"https://github.com/{known}" if known and "://" not in known else known


def _services(project: WecoProject, wishes: Wishes, notes: Notes) -> list[_Service]:
    """Turn images with services into services with images."""
    found: dict[str, _Service] = {}
    names = Taken()
    for image in project.images:
        repository = f"{project.namespace or _NAMESPACE}/{image.id}"
        if not image.services:
            notes.add(f"project {project.id}: image {image.id} feeds no service, and is left out")
        elif not documents.is_repository(repository):
            notes.add(f"project {project.id}: {repository!r} can be no ECR repository: image {image.id} is left out")
            continue
        for fed in image.services:
            name = names.give(service_name(fed.id), fed.id)
            service = found.setdefault(fed.id, _Service(fed.id, name))
            if fed.role_arn and service.role_arn not in ("", fed.role_arn):
                notes.add(f"project {project.id}: service {fed.id} has several roles: {service.role_arn} counts")
            service.role_arn = service.role_arn or fed.role_arn
            service.images.setdefault(image.id, repository)
    for service in found.values():
        service.images = _containers(service, wishes, names=Taken(255))
    full = [s for s in found.values() if len(s.images) > _CONTAINERS]
    for service in full:
        notes.add(f"project {project.id}: service {service.id} has more than {_CONTAINERS} images, and is left out")
    if found:
        notes.add(
            f"project {project.id}: the manifest does not name containers: each is taken to have the name of its image; correct them, or"
            " give --container"
        )
    return [s for s in found.values() if s not in full]


def _containers(service: _Service, wishes: Wishes, names: Taken) -> dict[str, str]:
    template = wishes.container if len(service.images) == 1 else "{image}"
    return {names.give(container_name(template.replace("{image}", i)), i): r for i, r in service.images.items()}


def _groups(project: WecoProject, services: list[_Service], notes: Notes) -> list[tuple[str, list[_Service]]]:
    """Group services by the role that they are released by: the project's first, then those that have one of their own."""
    groups: dict[str, list[_Service]] = {project.role_arn: []}
    for service in services:
        groups.setdefault(service.role_arn or project.role_arn, []).append(service)
    if len(groups) > 1:
        others = ", ".join(role for role in groups if role != project.role_arn)
        notes.add(f"project {project.id}: some services have roles of their own ({others}): they get a service set and Environments for it")
    filled = [(role, members) for role, members in groups.items() if members]
    return filled or [(project.role_arn, [])]


def _places(project: WecoProject, role: str, suffix: str, wishes: Wishes, notes: Notes, taken: Taken) -> list[tuple[Named, Place]]:
    if not project.environments:
        notes.add(f"project {project.id}: it has no environments: none is made")
        return []
    account = _account_of(role) or wishes.account_id or project.account_id
    if not documents.is_account(account):
        notes.add(f"project {project.id}: neither role nor account_id tells the AWS account: no Environment is made; give --account-id")
        return []
    region = project.region or wishes.region
    if not documents.is_region(region):
        notes.add(f"project {project.id}: the manifest names no region: {_REGION} is taken; give --region for another")
        region = _REGION
    if role and not documents.is_role(role):
        notes.add(f"project {project.id}: {role!r} is no IAM role, and is left out")
        role = ""
    if not role:
        notes.add(f"project {project.id}: it has no role: the operator's own credentials would be used; set spec.aws.roleARN")
    found: list[tuple[Named, Place]] = []
    for named in project.environments:
        text = "-".join(filter(None, (project.id, named.id, suffix)))
        place = Place(
            name=taken.give(object_name(text), text),
            display_name=named.name or named.id,
            account_id=account,
            region=region,
            role_arn=role,
            external_id="",
            cluster=_cluster(project, named, wishes, notes),
            service_name=_template(project, named, wishes, notes),
            registry_id=project.account_id if documents.is_account(project.account_id) else "",
            repositories=_allowed_repositories(project),
            environment_tag=_environment_tag(project, named, wishes, notes),
        )
        found.append((named, replace(place, method="EnvironmentTag" if place.environment_tag else "")))
    return found


def _allowed_repositories(project: WecoProject) -> tuple[str, ...]:
    pattern = f"{project.namespace or _NAMESPACE}/*"
    return (pattern,) if documents.fits(r"[a-zA-Z0-9_*?./-]+", pattern) else ()


def _environment_tag(project: WecoProject, named: Named, wishes: Wishes, notes: Notes) -> str:
    if not wishes.environment_tags:
        return ""
    tag = f"env.{named.id}"
    if documents.fits(r"[a-zA-Z0-9_.-]+", tag, 128):
        return tag
    notes.add(f"project {project.id}: {tag!r} can be no tag: environment {named.id} keeps method TaskDefinition")
    return ""


def _cluster(project: WecoProject, named: Named, wishes: Wishes, notes: Notes) -> str:
    cluster = _filled(wishes.clusters.get(named.id, wishes.cluster), project, named)
    if documents.is_ecs_name(cluster):
        return cluster
    safe = object_name(cluster)
    notes.add(f"project {project.id}: {cluster!r} can be no ECS cluster: {safe} is taken for environment {named.id}; give --cluster")
    return safe


def _template(project: WecoProject, named: Named, wishes: Wishes, notes: Notes) -> str:
    template = _filled(wishes.service_names.get(named.id, wishes.service_name), project, named)
    if documents.is_template(template):
        return template
    notes.add(
        f"project {project.id}: {template!r} can be no template of ECS services: {{service}} is taken for environment {named.id};"
        " give --service-name"
    )
    return "{service}"


def _filled(template: str, project: WecoProject, named: Named) -> str:
    """Fill in the manifest's own ids, as they are written; {service} is left for the operator."""
    return template.replace("{project}", project.id).replace("{environment}", named.id)


def _targets(service: _Service, places: list[tuple[Named, Place]], wishes: Wishes, notes: Notes) -> tuple[tuple[str, str, str], ...]:
    """Name the ECS service wherever the template would name another one."""
    found: list[tuple[str, str, str]] = []
    for named, place in places:
        cluster, wanted = wishes.targets.get((service.id, named.id), ("", place.service_name.replace("{service}", service.id)))
        if wanted == place.service_name.replace("{service}", service.name) and cluster in ("", place.cluster):
            continue
        if documents.is_ecs_name(wanted) and documents.is_ecs_name(cluster or place.cluster):
            found.append((place.name, cluster or place.cluster, wanted))
        else:
            notes.add(f"service {service.id}: {wanted!r} can be no ECS service in environment {named.id}; give --target")
    if len(found) > documents.MOST_TARGETS:
        notes.add(f"service {service.id}: a service has at most {documents.MOST_TARGETS} targets: the others are left out")
    return tuple(found[: documents.MOST_TARGETS])


def _with_targets(place: Place, targets: Iterable[Iterable[tuple[str, str, str]]]) -> Place:
    listed = [target for some in targets for target in some]
    return replace(place, targets=tuple((cluster, service) for environment, cluster, service in listed if environment == place.name))


def _chunks(name: str, members: list[Member], names: Taken, notes: Notes) -> list[tuple[str, list[Member]]]:
    """Split what is more than a service set may hold."""
    if len(members) > _SERVICES:
        notes.add(f"service set {name}: it has more than {_SERVICES} services, and is split")
    parts = [members[first : first + _SERVICES] for first in range(0, len(members), _SERVICES)]
    return [(names.give(service_name(f"{name}-{n}" if n > 1 else name), f"{name}/{n}"), part) for n, part in enumerate(parts, 1)]


def _account_of(role: str) -> str:
    return role.split(":")[4] if documents.is_role(role) else ""
