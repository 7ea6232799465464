"""What keeps the operator from changing anything in AWS, on purpose; and what this version cannot do yet and must not ignore."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.release import ReleaseSpec
from ecs_release.api.releaseset import ReleaseSetSpec
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision import suspension_end
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.rollout_policy import RolloutPolicy
from ecs_release.domain.environments.windows import check
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.errors import Blocked

_SPREAD_S = 60.0
"""The Releases that the end of an Environment's suspension sets free begin within so many seconds, not all at once."""
_LAST = datetime(9999, 12, 31, tzinfo=UTC)
"""The last day of a calendar: a delay cannot be added to its end."""
_LONGEST_S = 3600.0
"""After an hour a clock that was wrong may have been put right."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """What keeps changes from being made, on purpose. `ends` is when it ends by itself; None if it does not."""

    reason: Reason
    message: str
    ends: datetime | None = None


def suspension_of(facts: Facts) -> Suspended | None:
    """Return what keeps a Release from changing AWS, on purpose; None if nothing does. Of several the message names each."""
    found = list(_suspensions(facts))
    return replace(found[0], message=join_clauses(*(one.message for one in found))) if found else None


def _suspensions(facts: Facts) -> Iterator[Suspended]:
    """Yield all that keeps a Release from changing AWS, on purpose; what the platform team has stopped comes before the team's own."""
    yield from environment_suspensions(facts.place.environment, facts.now, spread(facts))
    hold = facts.permission.hold
    if hold is not None:
        yield Suspended(Reason(hold.reason), hold.message, facts.permission.hold_ends)
    yield from spec_suspensions(facts.release.spec, facts.now, "nothing is changed in AWS")


def environment_suspensions(environment: Environment | None, now: datetime, delay: timedelta = timedelta()) -> Iterator[Suspended]:
    """Yield all by which the platform team keeps the operator from changing anything in an Environment.

    `delay` is by how much later than others a Release is released from it.
    """
    if environment is None:
        return
    name, suspend = environment.metadata.name, environment.spec.suspend
    if is_observed_only(environment):
        yield Suspended(Reason.OBSERVING, f"Environment {name!r} is in mode Observe: nothing is changed in AWS")
    if suspend is not None and suspension_end.holds(suspend, now, delay):
        ends = min(suspend.until, _LAST) + delay if suspend.until is not None else None
        until = f" until {described(suspend.until)}" if suspend.until is not None else ""
        yield Suspended(Reason.SUSPENDED, f"Environment {name!r} is suspended{until}: {suspend.reason or 'no reason given'}", ends)


def spec_suspensions(spec: ReleaseSpec | ReleaseSetSpec, now: datetime, what: str) -> Iterator[Suspended]:
    """Yield the suspension of a Release or a ReleaseSet by its own spec; `what` does not happen meanwhile."""
    suspension = suspension_end.of_spec(spec)
    if suspension is None or not suspension_end.holds(suspension, now):
        return
    why = f" ({suspension.reason})" if suspension.reason else ""
    until = f"before {described(suspension.until)}" if suspension.until is not None else "until it is false"
    yield Suspended(Reason.SUSPENDED, f"spec.suspend is true{why}: {what} {until}", suspension.until)


def spread(facts: Facts) -> timedelta:
    """Return by how much later than `until` the Environment's suspension ends for a Release: the same at each pass and in each process."""
    share = zlib.crc32(facts.release.metadata.uid.encode()) / 2**32
    return timedelta(seconds=_SPREAD_S * share)


def environment_suspension(environment: Environment | None, now: datetime, delay: timedelta = timedelta()) -> Suspended | None:
    """Return by what the platform team keeps the operator from changing anything in an Environment; None if it does not."""
    return next(environment_suspensions(environment, now, delay), None)


def again_s(facts: Facts) -> float | None:
    """Return after how many seconds the first suspension of a Release ends by itself, or its end is to be told; None if none does."""
    ends = [one.ends for one in _suspensions(facts)]
    return seconds_until(*ends, suspension_end.next_step(facts.release.spec, facts.now), now=facts.now)


def seconds_until(*times: datetime | None, now: datetime) -> float | None:
    """Return the seconds until the first of some times, at most an hour; None if there is none."""
    left = [(time - now).total_seconds() for time in times if time is not None]
    return min(_LONGEST_S, max(0.05, min(left))) if left else None


def described(time: datetime) -> str:
    """Return a time as messages have it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def is_observed_only(environment: Environment | None) -> bool:
    """Return whether an Environment is in mode Observe."""
    return environment is not None and environment.spec.mode == "Observe"


def check_supported(facts: Facts) -> None:
    """Refuse what the API accepts and this version does not do yet: to ignore it could deploy what must not be deployed.

    Raises Blocked(InvalidSpec), also for a window that cannot be evaluated.
    """
    environment, target = facts.place.environment, facts.place.target
    if environment is None or target is None:
        return
    check(environment.spec.windows or ())
    environment_tag.check_configured(target, environment)
    missing = _missing(target.policy)
    if missing:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"this version of the operator does not do {', '.join(missing)} yet, and does nothing rather than ignore it: take it"
            f" out of Environment {environment.metadata.name!r} or the Project",
        )


def _missing(rules: RolloutPolicy) -> list[str]:
    missing = []
    if rules.on_drift != "Report" and rules.method == environment_tag.METHOD:
        # Since when a tag has pointed elsewhere is not known, so that correctAfterSeconds would have nothing to run from.
        missing.append(f"rollout.onDrift {rules.on_drift} with method {rules.method}")
    if rules.base_revision != "Service" and rules.method == environment_tag.METHOD:
        missing.append(f"rollout.baseRevision {rules.base_revision} with method {rules.method}")
    return missing
