"""Who holds the service of a Release, by what was gathered (law 16: what is another's is left alone)."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.environments.claims import holder, undetermined
from ecs_release.domain.model.errors import Blocked, Retryable


def holder_of(facts: Facts) -> str:
    """Return who holds the service, as messages have it; empty if nobody claims it."""
    running, environment = facts.revisions.running, facts.place.environment
    return holder(
        facts.place.claims,
        ownership(running) if running is not None else None,
        facts.limits.installation,
        facts.limits.namespaces,
        (environment.spec.takes_over_from if environment is not None else None) or (),
    )


def conflict(facts: Facts) -> Blocked | None:
    """Return that another holds the service; None if nobody does, as far as that is known."""
    whose = holder_of(facts)
    if not whose or whose == facts.name:
        return None
    assert facts.place.target is not None and facts.place.environment is not None
    what = f"ECS service {facts.place.target.key} is held by {whose}: delete one of the two, or change its target"
    if is_held_by_installation(facts):
        what += f"; if that installation is gone, name it in spec.takesOverFrom of Environment {facts.place.environment.metadata.name!r}"
    return Blocked(Reason.TARGET_CONFLICT, what)


def unknown_holder(facts: Facts) -> Retryable | None:
    """Return why it is not known whether the Release holds its service; None if it is. Nothing begins on a service before that."""
    running = facts.revisions.running
    owner = ownership(running) if running is not None else None
    others = undetermined(facts.place.claims, facts.name, owner, facts.limits.installation)
    if not others:
        return None
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return Retryable(
        f"Release {others[0]}{more} would hold the ECS service first, and whether the Environment admits that namespace is not known yet:"
        " its labels are being read, and nothing begins before"
    )


def is_held_by_installation(facts: Facts) -> bool:
    """Return whether it is another installation that holds the service, by its tags on the running revision."""
    owner = ownership(facts.revisions.running) if facts.revisions.running is not None else None
    return owner is not None and owner.installation != facts.limits.installation
