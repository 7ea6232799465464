"""Task definitions: a new revision that equals its base in everything but the images of the listed containers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.names import TAG_ATTEMPT, TAG_BASE, TAG_INSTALLATION, TAG_PREFIX, TAG_RELEASE, TAG_SOURCE
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.image_names import EcrHost, parse_image

# ECS, "Amazon ECS service quotas" and "Tagging restrictions": 50 tags a resource, aws: is reserved for AWS's own use.
MAX_TAGS = 50
_RESERVED = "aws:"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose revision this is: what our tags on a task definition say."""

    installation: str
    release: str
    source: str
    attempt: str
    base: str = ""

    def tags(self) -> dict[str, str]:
        """Return the tags that say so."""
        return {
            TAG_INSTALLATION: self.installation,
            TAG_RELEASE: self.release,
            TAG_SOURCE: self.source,
            TAG_ATTEMPT: self.attempt,
        } | ({TAG_BASE: self.base} if self.base else {})


def ownership(revision: TaskDefinition) -> Ownership | None:
    """Read our tags off a revision; None where it is not one of any installation's."""
    if TAG_INSTALLATION not in revision.tags:
        return None
    return Ownership(
        revision.tags[TAG_INSTALLATION],
        revision.tags.get(TAG_RELEASE, ""),
        revision.tags.get(TAG_SOURCE, ""),
        revision.tags.get(TAG_ATTEMPT, ""),
        revision.tags.get(TAG_BASE, ""),
    )


def pulled_from(base: TaskDefinition, container: str) -> EcrHost | None:
    """Return the ECR registry that a container's image is pulled from now; None where it is another registry.

    Raises Blocked(InvalidSpec) where the revision has no such container.
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
    """Name the image that a container shall have: the base revision's registry host is kept, the digest pins the content."""
    host = pulled_from(base, container)
    return f"{host.host if host else default_host}/{repository}@{digest}"


def check_complete(base: TaskDefinition) -> None:
    """Refuse a revision that this SDK cannot read whole: to register it again would lose what it does not know.

    Raises Blocked(UnsupportedTaskDefinition) that names the fields (aws-actions/amazon-ecs-deploy-task-definition#430, #704).
    """
    if base.unknown_fields:
        raise Blocked(
            Reason.UNSUPPORTED_TASK_DEFINITION,
            f"task definition {base.arn} holds {', '.join(base.unknown_fields)}, which this version of the operator does not know"
            " and would lose: upgrade the operator",
        )


def with_images(base: TaskDefinition, images: Mapping[str, str]) -> dict[str, Any]:
    """Return the base's content with other images: `images` maps a container's name to its image's."""
    check_complete(base)
    content = copy.deepcopy(base.content)
    for container in content["containerDefinitions"]:
        if container["name"] in images:
            container["image"] = images[container["name"]]
    return content


def own_tags(revision: TaskDefinition) -> dict[str, str]:
    """Return a revision's tags but ours and AWS's own: those that a revision built on it keeps."""
    return {k: v for k, v in revision.tags.items() if not k.startswith((TAG_PREFIX, _RESERVED))}


def is_foreign(revision: TaskDefinition, installation: str) -> bool:
    """Tell whether a revision is somebody else's: another installation's is, too."""
    return revision.tags.get(TAG_INSTALLATION) != installation


def base_number(revision: TaskDefinition, installation: str) -> str:
    """Return the number of the revision of somebody else's that a revision is, or was built on; empty where nobody knows."""
    return str(revision.revision) if is_foreign(revision, installation) else revision.tags.get(TAG_BASE, "")


def with_ownership(base: TaskDefinition, owner: Ownership) -> dict[str, str]:
    """Return the base's tags with ours in place of any earlier ones. Raises Blocked(InvalidSpec) beyond ECS's 50 tags."""
    kept = own_tags(base)
    tags = kept | owner.tags()
    if len(tags) > MAX_TAGS:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"task definition {base.arn} has {len(kept)} tags, and with the operator's own {len(tags) - len(kept)} it would have"
            f" more than the {MAX_TAGS} that ECS allows: remove some",
        )
    return tags
