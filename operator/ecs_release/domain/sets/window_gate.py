"""Whether a closed window keeps a set from beginning with what was resolved."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_release.api.environment import Environment
from ecs_release.api.names import OVERRIDE_ANNOTATION
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import unhandled
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.rules.window_passage import Attempt, passage
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.facts import Resolved, SetFacts


def awaits_window(facts: SetFacts, environment: Environment, resolved: Sequence[Resolved]) -> bool:
    """Return whether no service of a set may begin now. A window that cannot be evaluated keeps none: its Releases say what is wrong."""
    override = unhandled(facts.release_set.metadata, OVERRIDE_ANNOTATION, facts.status.last_handled_override)
    try:
        return bool(resolved) and not any(passage(environment, _attempt(facts, one, override), facts.now).is_open for one in resolved)
    except Problem:
        return False


def _attempt(facts: SetFacts, one: Resolved, override: str | None) -> Attempt:
    child = facts.children.get(child_name(facts.release_set.metadata.name, one.service))
    history = (child.release.status.history if child is not None and child.release.status is not None else None) or ()
    return Attempt(digests_of(one.images), history, override)
