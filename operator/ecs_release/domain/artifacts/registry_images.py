"""Images in registries: where one is, whether it can be pulled, and the tags that keep what runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ecs_release.domain.ecs.service import Access


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of ECR, and how it is read."""

    access: Access
    registry_id: str
    region: str
    name: str


class Presence(StrEnum):
    """The state of an image in its repository."""

    TAGGED = "Tagged"
    UNTAGGED = "Untagged"
    ARCHIVED = "Archived"
    GONE = "Gone"
    UNREADABLE = "Unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a lookup of an image found; `message` is why it could not be read."""

    presence: Presence
    message: str = ""


@dataclass(frozen=True, slots=True)
class RequiredImage:
    """An image that a container needs: the wanted one or, if `former`, the one that a rollback would return to."""

    container: str
    repository: Repository
    digest: str
    former: bool = False


@dataclass(frozen=True, slots=True)
class KeepTag:
    """A tag that is kept on the digest that runs, so that lifecycle policies can spare it."""

    repository: Repository
    tag: str
    digest: str
