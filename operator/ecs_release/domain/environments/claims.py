"""Who holds an ECS service, where several would change it: one installation, and in it one Release."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from ecs_release.domain.ecs.task_definitions import Ownership


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A Release that wants to go to a service. The oldest comes first, ties by namespace/name."""

    created: datetime
    release: str


def holder(claims: Iterable[Claim], running: Ownership | None, installation: str, namespaces: Collection[str] = ()) -> str:
    """Name who holds a service: `namespace/name` of a Release, or another installation's. Empty where nobody claims it.

    What the running revision says comes first; a Release that no longer exists holds nothing, and its place goes to the oldest claim.
    `namespaces` are those that are watched and may be looked into (empty: all): whether a Release exists elsewhere is not known, so
    that it holds what it has.
    """
    ordered = sorted(claims)
    if running is not None:
        if running.installation != installation:
            return f"{running.release} of installation {running.installation!r}"
        if any(claim.release == running.release for claim in ordered):
            return running.release
        namespace = running.release.partition("/")[0]
        if namespaces and namespace and namespace not in namespaces:
            return f"{running.release}, in a namespace that this operator does not watch, or may not look into"
    return ordered[0].release if ordered else ""
