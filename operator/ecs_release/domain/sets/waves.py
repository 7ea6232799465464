"""Waves: which services go together, which wave is open, and which services may start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset import Strategy
from ecs_release.api.releaseset_status import SetService, SetWave
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.attempts import is_settled
from ecs_release.domain.sets.child_state import ChildState, State, wanted_images

PENDING, OPEN, FINISHED = "Pending", "Open", "Finished"
# Transition times of conditions are whole seconds, rounded down: the transition may be up to a second later.
_ROUNDED = timedelta(seconds=1)


def compose(strategy: Strategy, members: Sequence[str], tag_groups: Sequence[frozenset[str]] = ()) -> list[list[str]]:
    """Sort a set's services into the strategy's waves, those in none last; waves without a service of the set are left out.

    Services that share a tag go together, with the first of them.
    """
    named = [[s for s in wave.services if s in members] for wave in strategy.waves or ()]
    rest = [s for s in members if not any(s in wave for wave in named)]
    found = [*named, rest]
    for group in tag_groups:
        first = next((wave for wave in found if group & set(wave)), None)
        if first is not None:
            first += [s for s in members if s in group and s not in first]
            found = [wave if wave is first else [s for s in wave if s not in group] for wave in found]
    return [wave for wave in found if wave]


def carry_over(before: Sequence[SetWave], composed: Sequence[Sequence[str]]) -> list[SetWave]:
    """Carry the waves' states over to the waves as they are composed now: up to the first with other services."""
    known = {w.name: w for w in before}
    waves: list[SetWave] = []
    intact = True
    for number, services in enumerate(composed, start=1):
        was = known.get(str(number))
        intact = intact and was is not None and sorted(was.services or ()) == sorted(services)
        waves.append(was if intact and was else SetWave(name=str(number), services=list(services), state=PENDING))
    return waves


def settled_at(found: ChildState, settle_s: float) -> datetime | None:
    """Return when a service has been Ready for its settle time; None if it is not Ready."""
    if found.state is not State.READY or found.since is None:
        return None
    return found.since + timedelta(seconds=settle_s) + (_ROUNDED if settle_s else timedelta())


def progress(
    waves: Sequence[SetWave],
    states: Mapping[str, ChildState],
    settle_s: Mapping[str, float],
    now: datetime,
    *,
    either_way: bool,
) -> tuple[list[SetWave], float | None]:
    """Finish and open waves in their order. With `either_way` a failed service counts as settled, too.

    Returns the waves, and after how many seconds the open one will have settled if nothing else happens.
    """
    after: list[SetWave] = []
    settles_in: float | None = None
    opens = True
    for one in waves:
        wave = one
        if opens and wave.state == PENDING:
            wave = wave.model_copy(update={"state": OPEN, "start_time": now})
        if wave.state == OPEN:
            left = _left(wave, states, settle_s, now, either_way=either_way)
            if left is not None and left <= 0:
                wave = wave.model_copy(update={"state": FINISHED, "completion_time": now})
            else:
                settles_in = left
        opens = opens and wave.state == FINISHED
        after.append(wave)
    return after, settles_in


def _left(
    wave: SetWave, states: Mapping[str, ChildState], settle_s: Mapping[str, float], now: datetime, *, either_way: bool
) -> float | None:
    """Return the seconds until every service of a wave has settled; None if one is not Ready (and not failed for good)."""
    longest = 0.0
    for service in wave.services or ():
        found = states.get(service, ChildState(State.PENDING))
        at = settled_at(found, settle_s.get(service, 0.0))
        if at is not None:
            longest = max(longest, (at - now).total_seconds())
        elif not (either_way and found.state is State.FAILED and not found.rolling_out):
            return None
    return longest


def open_services(waves: Sequence[SetWave]) -> list[str]:
    """List the services whose wave is open or finished: those may get the set's source."""
    return [service for wave in waves if wave.state in (OPEN, FINISHED) for service in wave.services or ()]


def is_early(waves: Sequence[SetWave], service: SetService, release: Release, *, suspended: bool) -> bool:
    """Return whether a Release asks for what its set wants, has had no attempt at that yet, and may not begin one.

    Its wave has not begun, or its set is `suspended`.
    Somebody has edited it; or it has lost its status. One that has it from an earlier deployment set asks for nothing new.
    """
    status, wanted = release.status or ReleaseStatus(), digests_of(wanted_images(service))
    has_begun = status.pin is not None and digests_of(status.pin.images) == wanted and is_settled(status, status.pin)
    waits = not service.reverting and any(w.state == PENDING and service.name in (w.services or ()) for w in waves)
    return (waits or suspended) and not has_begun and release.spec.source.digests == wanted


def finished(waves: Sequence[SetWave]) -> bool:
    """Return whether all waves are finished."""
    return all(w.state == FINISHED for w in waves)


def unfinished_services(waves: Sequence[SetWave]) -> set[str]:
    """List the services whose wave is not finished: this deployment set has not caused a failure of the others."""
    return {service for wave in waves if wave.state != FINISHED for service in wave.services or ()}


def rollback_turn(waves: Sequence[SetWave], services: Sequence[str], states: Mapping[str, ChildState]) -> list[str]:
    """List the services that may go back now: the last wave first, then the one before it once all of that have settled, well or not."""
    for wave in reversed(waves):
        going = [s for s in wave.services or () if s in services]
        done = all(states[s].state in (State.READY, State.FAILED) and not states[s].rolling_out for s in going)
        if going and not done:
            return going
    return []
