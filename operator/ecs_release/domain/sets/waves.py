"""Waves: which services go together, which wave is open, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ecs_release.api.releaseset import Strategy
from ecs_release.api.releaseset_status import SetWave
from ecs_release.domain.sets.child_state import Standing, State

PENDING, OPEN, FINISHED = "Pending", "Open", "Finished"
# Transition times of conditions are whole seconds, rounded down: what they say may be up to a second younger.
_ROUNDED = timedelta(seconds=1)


def compose(strategy: Strategy, members: Sequence[str], together: Sequence[frozenset[str]] = ()) -> list[list[str]]:
    """Sort a set's services into waves: as the strategy says, those in none last; waves without a service of the set are left out.

    Those that must go together go with the first of them.
    """
    named = [[s for s in wave.services if s in members] for wave in strategy.waves or ()]
    rest = [s for s in members if not any(s in wave for wave in named)]
    found = [*named, rest]
    for group in together:
        first = next((wave for wave in found if group & set(wave)), None)
        if first is not None:
            first += [s for s in members if s in group and s not in first]
            found = [wave if wave is first else [s for s in wave if s not in group] for wave in found]
    return [wave for wave in found if wave]


def latch(before: Sequence[SetWave], composed: Sequence[Sequence[str]]) -> list[SetWave]:
    """Carry what was latched over to the waves as they are composed now: those of the same services, up to the first that differs."""
    known = {w.name: w for w in before}
    waves: list[SetWave] = []
    intact = True
    for number, services in enumerate(composed, start=1):
        was = known.get(str(number))
        intact = intact and was is not None and sorted(was.services or ()) == sorted(services)
        waves.append(was if intact and was else SetWave(name=str(number), services=list(services), state=PENDING))
    return waves


def settled_at(found: Standing, settle_s: float) -> datetime | None:
    """Return when a service has been Ready for its settle time; None where it is not Ready."""
    if found.state is not State.READY or found.since is None:
        return None
    return found.since + timedelta(seconds=settle_s) + (_ROUNDED if settle_s else timedelta())


def progress(
    waves: Sequence[SetWave],
    stand: Mapping[str, Standing],
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
            left = _left(wave, stand, settle_s, now, either_way=either_way)
            if left is not None and left <= 0:
                wave = wave.model_copy(update={"state": FINISHED, "completion_time": now})
            else:
                settles_in = left
        opens = opens and wave.state == FINISHED
        after.append(wave)
    return after, settles_in


def _left(wave: SetWave, stand: Mapping[str, Standing], settle_s: Mapping[str, float], now: datetime, *, either_way: bool) -> float | None:
    """Return the seconds until every service of a wave has settled; None where one is not Ready (and not failed for good)."""
    longest = 0.0
    for service in wave.services or ():
        found = stand.get(service, Standing(State.PENDING))
        at = settled_at(found, settle_s.get(service, 0.0))
        if at is not None:
            longest = max(longest, (at - now).total_seconds())
        elif not (either_way and found.state is State.FAILED and not found.moves):
            return None
    return longest


def open_services(waves: Sequence[SetWave]) -> list[str]:
    """List the services whose wave is open or finished: those may be told what the set wants of them."""
    return [service for wave in waves if wave.state in (OPEN, FINISHED) for service in wave.services or ()]


def finished(waves: Sequence[SetWave]) -> bool:
    """Tell whether all waves are."""
    return all(w.state == FINISHED for w in waves)


def unfinished_services(waves: Sequence[SetWave]) -> set[str]:
    """List the services whose wave is not finished: a failure of one of the others is not of this deployment set's making."""
    return {service for wave in waves if wave.state != FINISHED for service in wave.services or ()}


def backwards(waves: Sequence[SetWave], services: Sequence[str], stand: Mapping[str, Standing]) -> list[str]:
    """List the services that may go back now: last wave first, the next one when all of it have settled, well or not."""
    for wave in reversed(waves):
        going = [s for s in wave.services or () if s in services]
        done = all(stand[s].state in (State.READY, State.FAILED) and not stand[s].moves for s in going)
        if going and not done:
            return going
    return []
