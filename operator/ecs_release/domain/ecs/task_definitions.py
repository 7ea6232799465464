"""Task definitions: a new revision that equals its base in everything but the images of the listed containers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.names import TAG_ATTEMPT, TAG_BASE, TAG_CONTENT, TAG_INSTALLATION, TAG_PREFIX, TAG_RELEASE, TAG_SOURCE
from ecs_release.domain.ecs.revision_content import content_hash, is_comparable
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.image_names import EcrHost, parse_image

# ECS, "Amazon ECS service quotas" and "Tagging restrictions": 50 tags a resource, aws: is reserved for AWS's own use.
MAX_TAGS = 50
_RESERVED = "aws:"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner of a revision, by our tags on the task definition."""

    installation: str
    release: str
    source: str
    attempt: str
    base: str = ""

    def tags(self) -> dict[str, str]:
        """Return these as tags."""
        return {
            TAG_INSTALLATION: self.installation,
            TAG_RELEASE: self.release,
            TAG_SOURCE: self.source,
            TAG_ATTEMPT: self.attempt,
        } | ({TAG_BASE: self.base} if self.base else {})


def ownership(revision: TaskDefinition) -> Ownership | None:
    """Parse our tags on a revision; None if no installation has registered it.

    The console and other tools copy tags to what they register. Those of a revision whose content is not what was registered with them
    name nobody. Versions before the hash was a tag left none: their tags count.
    """
    said = revision.tags.get(TAG_CONTENT, "")
    if TAG_INSTALLATION not in revision.tags or (is_comparable(said) and said != revision.content_hash):
        return None
    return Ownership(
        revision.tags[TAG_INSTALLATION],
        revision.tags.get(TAG_RELEASE, ""),
        revision.tags.get(TAG_SOURCE, ""),
        revision.tags.get(TAG_ATTEMPT, ""),
        revision.tags.get(TAG_BASE, ""),
    )


def pulled_from(base: TaskDefinition, container: str) -> EcrHost | None:
    """Return the ECR registry that a container's image is pulled from now; None if it is another registry.

    Raises Blocked(InvalidSpec) if the revision has no such container.
    """
    image = base.image_of(container)
    if image is None:
        names = ", ".join(c["name"] for c in base.containers)
        raise Blocked(
            Reason.INVALID_SPEC,
            f"task definition {base.arn} has no container {container!r} (it has: {names}): correct the container's name in the"
            " Project, or the task definition",
        )
    return parse_image(image).ecr


def pinned_name(base: TaskDefinition, container: str, repository: str, digest: str, default_host: str) -> str:
    """Return the image that a container is to have: the base revision's registry host is kept, the digest pins the content."""
    host = pulled_from(base, container)
    return f"{host.host if host else default_host}/{repository}@{digest}"


def check_complete(base: TaskDefinition) -> None:
    """Check that this SDK can read the whole revision: a copy would lose the fields that it does not have.

    Raises Blocked(UnsupportedTaskDefinition) that names the fields (aws-actions/amazon-ecs-deploy-task-definition#430, #704).
    """
    if base.unknown_fields:
        raise Blocked(
            Reason.UNSUPPORTED_TASK_DEFINITION,
            f"task definition {base.arn} holds {', '.join(base.unknown_fields)}, which this version of the operator does not know"
            " and would lose: upgrade the operator",
        )


def check_buildable(base: TaskDefinition, containers: Iterable[str]) -> None:
    """Check that a revision with other images in some containers can be built on this one.

    Raises Blocked as `pulled_from`, `check_complete` and `with_ownership` do, so that a set finds out before its first wave.
    """
    for container in containers:
        pulled_from(base, container)
    check_complete(base)
    with_ownership(base, Ownership("", "", "", "", "0"), base.content)


def with_images(base: TaskDefinition, images: Mapping[str, str]) -> dict[str, Any]:
    """Return the base's content with other images: `images` maps a container's name to its image's."""
    check_complete(base)
    content = copy.deepcopy(base.content)
    for container in content["containerDefinitions"]:
        if container["name"] in images:
            container["image"] = images[container["name"]]
    return content


def own_tags(revision: TaskDefinition) -> dict[str, str]:
    """Return a revision's tags except ours and AWS's own: those that a revision built on it keeps."""
    return {k: v for k, v in revision.tags.items() if not k.startswith((TAG_PREFIX, _RESERVED))}


def is_foreign(revision: TaskDefinition, installation: str) -> bool:
    """Return whether this installation did not register a revision."""
    owner = ownership(revision)
    return owner is None or owner.installation != installation


def base_number(revision: TaskDefinition, installation: str) -> str:
    """Return the number of the foreign revision that a revision is, or was built on; empty if that is not known."""
    return str(revision.revision) if is_foreign(revision, installation) else revision.tags.get(TAG_BASE, "")


def newest_base(running: TaskDefinition, foreign: TaskDefinition | None, installation: str) -> TaskDefinition:
    """Return the newest of two bases: what runs, or the newest foreign revision, unless what runs was built on a newer one."""
    built_on = base_number(running, installation)
    oldest = int(built_on) if built_on.isdigit() else running.revision
    is_newest = foreign is not None and foreign.family == running.family and foreign.revision >= oldest
    return foreign if foreign is not None and is_newest else running


def as_registered(revision: TaskDefinition, made: Mapping[str, str]) -> TaskDefinition:
    """Return a revision, without our tags if they name an attempt that has registered another one: then they were copied.

    `made` has the ARN of the revision that each known attempt has registered, or used again.
    """
    owner = ownership(revision)
    copied = owner is not None and made.get(owner.attempt, revision.arn) != revision.arn
    return replace(revision, tags=own_tags(revision)) if copied else revision


def with_ownership(base: TaskDefinition, owner: Ownership, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a revision of some content: the base's, with ours in place of any earlier ones.

    Raises Blocked(InvalidSpec) beyond ECS's 50 tags.
    """
    kept = own_tags(base)
    tags = kept | owner.tags() | {TAG_CONTENT: content_hash(content)}
    if len(tags) > MAX_TAGS:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"task definition {base.arn} has {len(kept)} tags, and with the operator's own {len(tags) - len(kept)} it would have"
            f" more than the {MAX_TAGS} that ECS allows: remove some",
        )
    return tags
