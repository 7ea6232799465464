"""Release hashes that are written short: what they mean, as the tags in ECR tell. What git and status know is asked first."""

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
from ecs_release.domain.model.errors import Problem

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.aws_reader import AwsReads
    from ecs_release.cli.kubectl.client.session import Session

_MOST_LISTED = 10
_HEXADECIMAL = re.compile("[0-9a-f]+")


def meant(abbreviated: str, tags: Iterable[str], tag_formats: Collection[str]) -> set[str]:
    """Return the release hashes that begin so, of images with these tags.

    A tag may have more after the hash (`ref.<hash>-amd64`): where one is written whole it is meant, and where some are of hexadecimal
    digits the others are none.
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


def one_of(abbreviated: str, candidates: Collection[str]) -> str:
    """Return the only candidate; an empty string where there is none. Raises CommandError that lists several."""
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


def expanded(session: Session, abbreviated: str, targets: Collection[Target], aws: AwsReads) -> str:
    """Expand a hash by the tags of all repositories that some services have their images from, as `among` does."""
    repositories = (Repository(t.registry_access, t.registry_id, c.repository, t.tag_formats) for t in targets for c in t.containers)
    return among(session, abbreviated, repositories, aws)


def among(session: Session, abbreviated: str, repositories: Iterable[Repository], aws: AwsReads, otherwise: str = "") -> str:
    """Expand a hash by the tags of some repositories; an empty string where none begins so.

    What AWS does not tell is said on stderr, with what is done `otherwise`. Raises CommandError where it may be several.
    """
    found: set[str] = set()
    for repository in repositories:
        tags = aws.tags(repository.access, repository.registry_id, repository.name)
        if isinstance(tags, str):
            session.out.note(f"cannot look for release hash {abbreviated} in ECR{otherwise}: {tags}")
            return ""
        found |= meant(abbreviated, tags, repository.tag_formats)
    return one_of(abbreviated, found)


def targets_of(session: Session, body: Mapping[str, Any], services: Iterable[str]) -> dict[str, Target]:
    """Resolve where some services of an object's Project go. Raises CommandError."""
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
    """Read a namespace's labels, by which an Environment may admit it; None where they may not be read."""
    try:
        return dict(session.api.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"].get("labels") or {})
    except CommandError:
        return None


def images_at(session: Session, release_hash: str, targets: Mapping[str, Target], aws: AwsReads) -> dict[str, Source]:
    """Look up what each service would run at a release hash, by digest; nothing where AWS does not tell, which is said on stderr.

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
