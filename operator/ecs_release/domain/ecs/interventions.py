"""Interventions in an attempt's deployment: who had ECS go on at a lifecycle hook, or go back. One that is announced is an intent.

Lists of a status, newest last; the oldest are left out where there are too many.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_release.api.hook_status import Intervention

CONTINUE, ROLLBACK = "CONTINUE", "ROLLBACK"
"""What ContinueServiceDeployment does (botocore's DeploymentLifecycleHookAction)."""
STOP = "STOP"
REQUESTED, FOREIGN, TIMED_OUT = "Requested", "Foreign", "TimedOut"
"""Causes: annotation continue; somebody in AWS; nobody, so that ECS did what the hook says for that."""
MOST = 20


def is_announced(one: Intervention) -> bool:
    """Return whether an answer is asked for, and not accepted by AWS as far as is known."""
    return one.cause == REQUESTED and one.accepted_time is None


def announced(interventions: Iterable[Intervention] | None) -> Intervention | None:
    """Return what was announced and not accepted by AWS yet, wherever it stands: what others have done meanwhile is newer.

    While an attempt is open there is one at most.
    """
    return next((i for i in interventions or () if is_announced(i)), None)


def of_hook(interventions: Iterable[Intervention] | None, hook_id: str) -> Intervention | None:
    """Return the answer to a hook; None if none is known."""
    return next((i for i in interventions or () if i.hook_id == hook_id), None)


def added(interventions: Iterable[Intervention] | None, new: Intervention) -> list[Intervention]:
    """Return a list with one more, without the oldest if there are too many; what is announced stays."""
    found = [*(interventions or ()), new]
    while len(found) > MOST:
        found.remove(next((i for i in found if not is_announced(i)), found[0]))
    return found


def replaced(interventions: Iterable[Intervention] | None, old: Intervention, new: Intervention | None) -> list[Intervention] | None:
    """Return a list with another one in the place of `old`, or without it; None if nothing is left."""
    found = [new if i == old else i for i in interventions or ()]
    return [i for i in found if i is not None] or None


def was_stopped(interventions: Iterable[Intervention] | None) -> bool:
    """Return whether somebody has stopped the deployment: then what waited at a hook ends by that."""
    return any(i.action == STOP for i in interventions or ())


def described(one: Intervention) -> str:
    """Describe for people what was done, by whom and why."""
    if one.cause == TIMED_OUT:
        return f"{one.action} by ECS, for nobody answered in time"
    if one.cause == FOREIGN:
        return f"{one.action} in AWS by {one.changed_by or 'somebody whom CloudTrail has not named'}"
    by = f" by {one.applied_by}" if one.applied_by else ""
    why = f" ({one.reason})" if one.reason else ""
    return f"{one.action}{by}{why}"


def is_unnamed(interventions: Iterable[Intervention] | None) -> bool:
    """Return whether somebody has intervened in AWS of whom it is not known who it was."""
    return any(i.cause == FOREIGN and not i.changed_by for i in interventions or ())
