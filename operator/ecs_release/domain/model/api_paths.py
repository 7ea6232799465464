"""Paths of the Kubernetes API. They are made here and nowhere else, so that no name can become another path, or a query.

Both clients, the operator's and the plugin's, take an `ApiPath` and no text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from ecs_release.api.meta import OBJECT_NAME
from ecs_release.api.names import CLUSTER_SCOPED, GROUP, PLURALS, VERSION
from ecs_release.domain.model.errors import NotFound

_NAME = re.compile(OBJECT_NAME)
_LONGEST = 253
"""Of a DNS subdomain (RFC 1123), which is what the API server takes for the names of all kinds that are addressed here."""


@dataclass(frozen=True, slots=True)
class ApiPath:
    """A path by its segments. Raises NotFound for a segment that cannot be a name: there is no such object, so nobody is asked for it."""

    segments: tuple[str, ...]

    def __post_init__(self) -> None:
        for segment in self.segments:
            if len(segment) > _LONGEST or not _NAME.fullmatch(segment):
                raise NotFound(f"{segment[:_LONGEST]!r} is no name that an object can have")

    def __str__(self) -> str:
        # Quoted although names need none: should the pattern ever admit more, this still holds.
        return "".join(f"/{quote(segment, safe='')}" for segment in self.segments)

    @property
    def namespace(self) -> str:
        """The namespace that it is in; empty for what is in none."""
        # As in /api/VERSION/namespaces/NAME and /apis/GROUP/VERSION/namespaces/NAME.
        rest = self.segments[2 if self.segments[0] == "api" else 3 :]
        return rest[1] if len(rest) > 1 and rest[0] == "namespaces" else ""

    def below(self, *segments: str) -> ApiPath:
        """Return the path of what is below, such as an object of a list or the status of an object."""
        return ApiPath((*self.segments, *segments))


_OURS = ApiPath(("apis", GROUP, VERSION))


def all_objects(kind: str) -> ApiPath:
    """Return the path of all objects of one of our kinds, of all namespaces."""
    return _OURS.below(PLURALS[kind])


def objects_in(kind: str, namespace: str) -> ApiPath:
    """Return the path of a namespace's objects of one of our kinds. Raises NotFound."""
    return _OURS.below("namespaces", namespace, PLURALS[kind])


def object_path(kind: str, namespace: str, name: str) -> ApiPath:
    """Return the path of one object of our kinds; `namespace` counts for kinds that have one. Raises NotFound."""
    return (all_objects(kind) if kind in CLUSTER_SCOPED else objects_in(kind, namespace)).below(name)


def core_path(*segments: str) -> ApiPath:
    """Return a path of the core API, v1. Raises NotFound."""
    return ApiPath(("api", "v1", *segments))


def group_path(group: str, *segments: str) -> ApiPath:
    """Return a path of version v1 of an API group of Kubernetes. Raises NotFound."""
    return ApiPath(("apis", group, "v1", *segments))
