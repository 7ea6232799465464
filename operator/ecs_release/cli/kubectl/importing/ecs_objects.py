"""Converts a live ECS cluster into a Project, an Environment, and Releases pinned to the digests that run."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ecs_release.cli.kubectl.importing import documents
from ecs_release.cli.kubectl.importing.documents import Document, EnvironmentFields, ReleaseFields, ServiceFields
from ecs_release.cli.kubectl.importing.names import UniqueNames, object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes
from ecs_release.domain.ecs.service import Access, RegistryImage, Service, TaskDefinition
from ecs_release.domain.model.image_names import EcrHost, parse_image

_SETS, _SERVICES, _CONTAINERS, _PATTERNS = 10, 50, 10, 100
_ECS = "ECS"


@dataclass(frozen=True, slots=True)
class ObservedService:
    """An ECS service with its running tasks, and its revision."""

    service: Service
    revision: TaskDefinition


@dataclass(frozen=True, slots=True)
class Options:
    """Names of the objects. `service_name` is a template of ECS services; `without` are patterns of repositories to leave out."""

    namespace: str
    project: str
    service_set: str
    environment: str
    cluster: str
    access: Access
    service_name: str = "{service}"
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportableService:
    """A service that can be imported: repository and, if proven, digest of each container from the registry."""

    ecs_name: str
    name: str
    repositories: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)


def find_importable(seen: Sequence[ObservedService], options: Options, notes: Notes) -> tuple[EcrHost | None, list[ImportableService]]:
    """Return what can be imported, and the registry of most of its images (an Environment has one)."""
    host = _registry(seen, options)
    names = UniqueNames()
    found: list[ImportableService] = []
    for one in sorted(seen, key=lambda s: s.service.name):
        ecs_name = one.service.name
        repositories = _repositories(one, host, options, notes)
        if one.service.controller != _ECS:
            notes.add(f"service {ecs_name}: its deployment controller is {one.service.controller}, which is not supported: it is left out")
        elif not repositories:
            notes.add(f"service {ecs_name}: none of its images is in the registry {host.host if host else 'of ECR'}: it is left out")
        elif len(repositories) > _CONTAINERS:
            notes.add(f"service {ecs_name}: it has more than {_CONTAINERS} containers with images of the registry: it is left out")
        else:
            short = _service_of(options.service_name, ecs_name)
            name = names.unique(service_name(short or ecs_name), ecs_name)
            found.append(ImportableService(ecs_name, name, repositories, _running(one, repositories, notes)))
    _advise(found, options, notes)
    return host, found


def _images(one: ObservedService) -> list[tuple[str, str]]:
    return [(str(c["name"]), str(c.get("image", ""))) for c in one.revision.containers]


def _registry(seen: Sequence[ObservedService], options: Options) -> EcrHost | None:
    """Return the registry of most containers; of equals the first by name."""
    hosts = [parse_image(image).ecr for one in seen for _, image in _images(one) if not _excluded(image, options)]
    counted = Counter(h for h in hosts if h is not None)
    return min(counted, key=lambda h: (-counted[h], h.host)) if counted else None


def _excluded(image: str, options: Options) -> bool:
    return any(fnmatchcase(parse_image(image).repository, pattern) for pattern in options.without)


def _repositories(one: ObservedService, host: EcrHost | None, options: Options, notes: Notes) -> dict[str, str]:
    """Return the containers whose images are released; sidecars from other registries are left alone."""
    found: dict[str, str] = {}
    others: list[str] = []
    for container, image in _images(one):
        name = parse_image(image)
        ours = name.ecr is not None and host is not None and (name.ecr.account, name.ecr.region) == (host.account, host.region)
        if ours and documents.is_repository(name.repository) and not _excluded(image, options):
            found[container] = name.repository
        else:
            others.append(f"{container} ({name.host or 'docker.io'}/{name.repository})")
    if others and found:
        notes.add(f"service {one.service.name}: left alone: container {', '.join(others)}")
    return found


def _running(one: ObservedService, containers: Mapping[str, str], notes: Notes) -> dict[str, str]:
    """Return the digest that all running tasks show for each container; none at all if one container has several."""
    service, tasks = one.service, one.service.running_tasks
    if not tasks:
        notes.add(f"service {service.name}: no task runs, so that nothing is proven: no Release is made of it")
        return {}
    if len(service.deployments) > 1:
        notes.add(f"service {service.name}: a deployment is under way: no Release is made of it; import again when it is over")
        return {}
    seen = {c: {t.digest_of(c) for t in tasks} for c in containers}
    unclear = sorted(c for c, digests in seen.items() if len(digests) != 1 or "" in digests)
    if unclear:
        notes.add(f"service {service.name}: its tasks do not show one digest of container {', '.join(unclear)}: no Release is made of it")
        return {}
    return {c: digests.pop() for c, digests in seen.items()}


def _service_of(template: str, ecs_name: str) -> str:
    """Return the service that a template gives this name; empty if the template does not fit."""
    before, _, after = template.partition("{service}")
    match = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", ecs_name)
    return match[1] if match else ""


def _advise(found: Sequence[ImportableService], options: Options, notes: Notes) -> None:
    """Suggest a template if all services have a common prefix."""
    first, last = (found[0].ecs_name, found[-1].ecs_name) if found else ("", "")
    prefix = re.sub(r"[^-_]*$", "", "".join(itertools.takewhile(bool, (a if a == b else "" for a, b in zip(first, last, strict=False)))))
    if len(found) > 1 and prefix and options.service_name == "{service}":
        template = f"{prefix}{{service}}"
        notes.add(f"all services begin with {prefix!r}: --service-name '{template}' gives them the same names in all environments")


def convert(
    host: EcrHost, found: Sequence[ImportableService], hashes: Mapping[tuple[str, str], tuple[str, str]], options: Options, notes: Notes
) -> list[Document]:
    """Return the objects. `hashes` maps a repository and digest to the digest to pin (of its manifest list) and the release hash."""
    if len(found) > _SETS * _SERVICES:
        notes.add(f"a Project has at most {_SETS * _SERVICES} services: the others are left out")
    kept = list(found)[: _SETS * _SERVICES]
    members = [_member(f, options, notes) for f in kept]
    fields = _environment_fields(host, kept, members, options)
    names = UniqueNames()
    releases = [_release(f, hashes, options, names) for f in kept if f.digests]
    why = {"description": f"imported: it ran in ECS cluster {options.cluster} already"}
    written = [documents.release(r, options.namespace, options.project, options.environment, why) for r in releases]
    return [
        documents.project(options.project, options.namespace, "", _sets(options.service_set, members, notes)),
        documents.environment(fields, options.namespace),
        *written,
    ]


def _sets(name: str, members: list[ServiceFields], notes: Notes) -> list[tuple[str, list[ServiceFields]]]:
    if len(members) > _SERVICES:
        notes.add(f"service set {name}: it has more than {_SERVICES} services, and is split")
    parts = [members[first : first + _SERVICES] for first in range(0, len(members), _SERVICES)]
    return [(service_name(f"{name}-{n}") if n > 1 else name, part) for n, part in enumerate(parts, 1)]


def _member(found: ImportableService, options: Options, notes: Notes) -> ServiceFields:
    """Return a service, with a target if the template does not give the name of its ECS service."""
    named = options.service_name.replace("{service}", found.name)
    if named != found.ecs_name:
        notes.add(f"service {found.ecs_name}: the template does not fit: it is a target of its own, which the Environment allows")
    targets = ((options.environment, options.cluster, found.ecs_name),) if named != found.ecs_name else ()
    return ServiceFields(found.name, tuple(sorted(found.repositories.items())), targets)


def _environment_fields(
    host: EcrHost, found: Sequence[ImportableService], members: Sequence[ServiceFields], options: Options
) -> EnvironmentFields:
    access = options.access
    patterns = sorted({_pattern(r) for f in found for r in f.repositories.values()})
    fields = EnvironmentFields(
        name=options.environment,
        display_name="",
        account_id=access.account_id,
        region=access.region,
        role_arn=access.role_arn or "",
        external_id=access.external_id or "",
        cluster=options.cluster,
        service_name=options.service_name,
        registry_id=host.account,
        registry_region=host.region,
        repositories=tuple(patterns) if len(patterns) <= _PATTERNS else (),
    )
    return replace(fields, targets=tuple((cluster, service) for m in members for _, cluster, service in m.targets))


def _pattern(repository: str) -> str:
    """Return a pattern that allows sibling repositories, too, for services that are added later."""
    before, slash, _ = repository.rpartition("/")
    return f"{before}/*" if slash else repository


def _release(
    found: ImportableService, hashes: Mapping[tuple[str, str], tuple[str, str]], options: Options, names: UniqueNames
) -> ReleaseFields:
    images = []
    for container, digest in sorted(found.digests.items()):
        wanted, release_hash = hashes.get((found.repositories[container], digest), (digest, ""))
        images.append((container, wanted, release_hash))
    text = f"{found.name}-{options.environment}"
    return ReleaseFields(names.unique(object_name(text), text), found.name, tuple(images))


def wanted_images(found: Sequence[ImportableService]) -> dict[str, set[str]]:
    """Return the digests whose release hashes are looked up, by repository."""
    wanted: dict[str, set[str]] = {}
    for one in found:
        for container, digest in one.digests.items():
            wanted.setdefault(one.repositories[container], set()).add(digest)
    return wanted


def preferred_image(image: RegistryImage, naming: RegistryImage | None) -> RegistryImage:
    """Return the manifest list that contains an untagged image, else the image: the list is what is released."""
    return naming if naming is not None and not image.tags else image
