"""Expands abbreviated release hashes by the tags in ECR. Callers try git and status first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT
from ecs_release.api.project import Project
from ecs_release.api.source import Source, SourceImage
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound
from ecs_release.domain.artifacts.source import lookups
from ecs_release.domain.ecs.service import Access, RegistryImage
from ecs_release.domain.environments.targets import Target, resolve_target
from ecs_release.domain.model.api_paths import core_path
from ecs_release.domain.model.errors import NotFound as NoSuchName
from ecs_release.domain.model.errors import Problem

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.aws_reader import AwsReader
    from ecs_release.cli.kubectl.client.session import Session

_MOST_LISTED = 10
_HEXADECIMAL = re.compile("[0-9a-f]+")


def matching_hashes(abbreviated: str, tags: Iterable[str], tag_formats: Collection[str]) -> set[str]:
    """Return the release hashes in some tags that begin with an abbreviation.

    A tag may have more after the hash (`ref.<hash>-amd64`): a tag that is exactly the hash wins, and if some are of hexadecimal
    digits the others are ignored.
    """
    found = set()
    for tag in tags:
        for tag_format in tag_formats:
            before, _, after = tag_format.partition("{releaseHash}")
            if len(tag) > len(before) + len(after) and tag.startswith(before + abbreviated) and tag.endswith(after):
                found.add(tag[len(before) : len(tag) - len(after)])
    if abbreviated in found:
        return {abbreviated}
    return {found_hash for found_hash in found if _HEXADECIMAL.fullmatch(found_hash)} or found


def only_match(abbreviated: str, candidates: Collection[str]) -> str:
    """Return the only candidate; empty if there is none. Raises CommandError that lists them if there are several."""
    if len(candidates) > 1:
        listed = sorted(candidates)
        more = f" and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
        raise CommandError(f"{abbreviated} is ambiguous: it may be {', '.join(listed[:_MOST_LISTED])}{more}")
    return next(iter(candidates), "")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that may hold images of a release hash, how it is read, and how its tags name hashes."""

    access: Access
    registry_id: str
    name: str
    tag_formats: Collection[str]


def expand(session: Session, abbreviated: str, targets: Collection[Target], aws: AwsReader) -> str:
    """Expand a hash by the tags of all repositories that some services have their images from, as `among` does."""
    repositories = (Repository(t.registry_access, t.registry_id, c.repository, t.tag_formats) for t in targets for c in t.containers)
    return expand_in(session, abbreviated, repositories, aws)


def expand_in(session: Session, abbreviated: str, repositories: Iterable[Repository], aws: AwsReader, otherwise: str = "") -> str:
    """Expand a hash by the tags of some repositories; empty if none begins with it.

    If AWS refuses, a note says so, with what is done `otherwise`. Raises CommandError if there are several.
    """
    found: set[str] = set()
    for repository in repositories:
        tags = aws.tags(repository.access, repository.registry_id, repository.name)
        if isinstance(tags, str):
            session.out.note(f"cannot look for release hash {abbreviated} in ECR{otherwise}: {tags}")
            return ""
        found |= matching_hashes(abbreviated, tags, repository.tag_formats)
    return only_match(abbreviated, found)


def targets_of(session: Session, body: Mapping[str, Any], services: Iterable[str]) -> dict[str, Target]:
    """Resolve the targets of some services of an object's Project. Raises CommandError."""
    spec, namespace = body["spec"], str(body["metadata"]["namespace"])
    environment = session.api.find(ENVIRONMENT, spec["environmentRef"]["name"])
    project = session.api.find(PROJECT, spec["projectRef"]["name"], namespace)
    if environment is None or project is None:
        raise NotFound(f"Environment {spec['environmentRef']['name']} or Project {spec['projectRef']['name']} is not there")
    place, owner, labels = Environment.model_validate(environment), Project.model_validate(project), namespace_labels(session, namespace)
    try:
        return {name: resolve_target(place, owner, name, labels) for name in services}
    except Problem as problem:
        raise CommandError(problem.message) from problem


def namespace_labels(session: Session, namespace: str) -> dict[str, str] | None:
    """Read a namespace's labels, by which an Environment may admit it; None if they may not be read."""
    try:
        return dict(session.api.request("GET", core_path("namespaces", namespace))["metadata"].get("labels") or {})
    except (CommandError, NoSuchName):
        return None


def images_at(session: Session, release_hash: str, targets: Mapping[str, Target], aws: AwsReader) -> dict[str, Source]:
    """Look up the digests of each service at a release hash; empty, with a note, if AWS refuses.

    Raises NotFound that names the repositories without such an image.
    """
    found, missing = {}, list[str]()
    for service, target in targets.items():
        images = []
        for lookup in lookups(Source(release_hash=release_hash), target.containers, target.tag_formats):
            image = aws.image(target, lookup)
            if isinstance(image, str):
                session.out.note(f"cannot look for release hash {release_hash} in ECR: {image}")
                return {}
            if isinstance(image, RegistryImage):
                images.append(SourceImage(container=lookup.container, digest=image.digest, release_hash=release_hash))
            else:
                missing.append(lookup.repository)
        found[service] = Source(images=images or None)
    if missing:
        raise NotFound(f"{', '.join(sorted(set(missing)))} has no image of release hash {release_hash} in ECR")
    return found
