"""Who holds an ECS service if several Releases ask for it: one installation, and in it one Release.

An attempt begins on a service only if it is known of every Release that would hold the service before it whether its Environment admits
it. What is not known yet delays the attempt, and never a status.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from ecs_release.domain.ecs.task_definitions import Ownership


class Admission(Enum):
    """Whether a Release may act in its Environment. Only those that may count for anything."""

    ADMITTED = "Admitted"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"
    """The labels of its namespace were not read yet."""


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A Release that asks for an ECS service. The oldest comes first, ties by namespace/name."""

    created: datetime
    release: str
    is_known: bool = field(default=True, compare=False)
    """Whether it is known that the Environment admits it. If not, it holds nothing, and keeps others from beginning an attempt."""


def holder(
    claims: Iterable[Claim],
    running: Ownership | None,
    installation: str,
    namespaces: Collection[str] = (),
    takes_over_from: Collection[str] = (),
) -> str:
    """Return who holds a service: `namespace/name` of a Release, or another installation's. Empty if nobody claims it.

    The owner of the running revision comes first; if that Release no longer exists, or its installation is one of `takes_over_from`, the
    oldest claim holds the service. `namespaces` are those that are watched and may be read (empty: all): whether a Release exists in others
    is not known, so it keeps what it holds.
    """
    known = [claim for claim in claims if claim.is_known]
    if running is not None and running.installation != installation:
        if running.installation not in takes_over_from:
            return f"{running.release} of installation {running.installation!r}"
    elif running is not None:
        if any(claim.release == running.release for claim in known):
            return running.release
        namespace = running.release.partition("/")[0]
        if namespaces and namespace and namespace not in namespaces:
            return f"{running.release}, in a namespace that this operator does not watch, or may not look into"
    return min(known).release if known else ""


def undetermined(claims: Iterable[Claim], release: str, running: Ownership | None, installation: str) -> list[str]:
    """List the other Releases, oldest first, that hold the service before a Release if their Environment admits them, which is not known.

    These are the older ones, and the one that the running revision names; if that revision names the Release itself, there are none.
    """
    owner = running.release if running is not None and running.installation == installation else ""
    if owner == release:
        return []
    ordered = sorted(claims)
    mine = next((claim for claim in ordered if claim.release == release), None)
    return [
        claim.release
        for claim in ordered
        if not claim.is_known and claim.release != release and (mine is None or claim < mine or claim.release == owner)
    ]
