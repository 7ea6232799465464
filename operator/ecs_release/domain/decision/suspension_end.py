"""The end of a suspension that has one: when it comes, and which Events tell of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from ecs_release.api.environment import EnvironmentSpec
from ecs_release.api.release import ReleaseSpec
from ecs_release.api.releaseset import ReleaseSetSpec
from ecs_release.api.suspension import EnvironmentSuspension, Suspension, SuspensionEnd
from ecs_release.domain.ports.protocols import EventNote

SUSPENDED, ENDS_SOON, ENDED = "Suspended", "EndsSoon", "Ended"
SOON = timedelta(minutes=15)


def of_spec(spec: EnvironmentSpec | ReleaseSpec | ReleaseSetSpec) -> Suspension | EnvironmentSuspension | None:
    """Return the suspension that a spec asks for, also one that has ended; None if it asks for none."""
    if isinstance(spec, EnvironmentSpec):
        return spec.suspend
    return (spec.suspension or Suspension()) if spec.suspend else None


def holds(suspension: Suspension | EnvironmentSuspension | None, now: datetime, delay: timedelta = timedelta()) -> bool:
    """Return whether a suspension holds. `delay` is by how much later than others an object is released from it."""
    return suspension is not None and (suspension.until is None or now - delay < suspension.until)


def told(
    spec: EnvironmentSpec | ReleaseSpec | ReleaseSetSpec, before: SuspensionEnd | None, now: datetime
) -> tuple[SuspensionEnd | None, tuple[EventNote, ...]]:
    """Return what status says of the end of a spec's suspension, and the Event to record, if status says something new.

    It is in status so that a restart repeats no Event.
    """
    suspension = of_spec(spec)
    if suspension is None or suspension.until is None:
        return None, ()
    until = suspension.until.replace(microsecond=0)
    state = ENDED if not holds(suspension, now) else ENDS_SOON if until - now <= SOON else SUSPENDED
    end = SuspensionEnd(until=until, state=state)
    if end == before or state == SUSPENDED:
        return end, ()
    text, why = f"{until:%Y-%m-%d %H:%M:%S} UTC", f" ({suspension.reason})" if suspension.reason else ""
    if state == ENDS_SOON:
        return end, (EventNote("Normal", "SuspensionEnds", "Suspend", f"the suspension{why} ends by itself at {text}"),)
    if before is not None and before.until == until:
        return end, (EventNote("Normal", "SuspensionEnded", "Resume", f"the suspension{why} has ended by itself, as it was to at {text}"),)
    note = f"the suspension{why} was to end at {text}, which is past: it suspends nothing"
    return end, (EventNote("Warning", "SuspensionEnded", "Resume", note),)


def next_step(spec: EnvironmentSpec | ReleaseSpec | ReleaseSetSpec, now: datetime) -> datetime | None:
    """Return when there is something to tell next; None if time alone changes nothing."""
    suspension = of_spec(spec)
    if suspension is None or suspension.until is None or suspension.until <= now:
        return None
    return suspension.until - SOON if suspension.until - now > SOON else suspension.until
