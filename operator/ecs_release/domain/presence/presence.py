"""Where a commit is in one environment, for one service: a list of rules, of which the first that says something holds.

What runs counts, and not what is wanted; and whether it contains the commit is for the graph to say, not whether two hashes are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_release.api.conditions import Condition, Reason
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus, Rollout
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.decision.attempts import is_open
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.presence.answers import Answer, Contains, Graph, answer, joined, of_running
from ecs_release.domain.presence.former import live_since, ran_before
from ecs_release.domain.presence.observed import unobserved
from ecs_release.domain.presence.wanted import UNSEEN, Wanted, wanted_by_release, wanted_by_set


class State(StrEnum):
    """Where the commit is."""

    LIVE = "Live"
    """Every running task has it."""
    IN_FLIGHT = "InFlight"
    """An attempt that brings it is under way."""
    WAITING = "Waiting"
    """It is wanted, and something holds it up, or has ended it."""
    NOTHING_RUNS = "NothingRuns"
    """It is what would run, and no task is to run."""
    WAS_HERE = "WasHere"
    """It ran, and what runs now is without it."""
    NOT_YET = "NotYet"
    """Neither runs what contains it, nor is that wanted."""
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """Where the commit is, since when, and what the operator says of it.

    `claimed`: it rests on a hash that a manifest gives, and no tag in ECR confirms.
    """

    state: State
    runs: str = ""
    wants: str = ""
    since: datetime | None = None
    reason: str = ""
    message: str = ""
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A service in an environment: its Release, the set that it is in, and the containers that are released.

    `unobserved` says why it is not known what runs now.
    """

    service: str
    release: Release | None = None
    release_set: ReleaseSet | None = None
    listed: frozenset[str] = frozenset()
    unobserved: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules go by. `running` and `rollout` are None if nothing is known of any."""

    status: ReleaseStatus
    listed: frozenset[str]
    graph: Graph
    unobserved: str
    ready: Condition | None
    running: Answer | None
    rollout: Answer | None
    wanted: tuple[Wanted, ...]

    @property
    def runs_nothing(self) -> bool:
        """Whether no task runs."""
        return self.status.running is not None and not self.status.running.running_count

    @property
    def coming(self) -> Wanted | None:
        """What is wanted and contains the commit."""
        return next((w for w in self.wanted if w.answer.contains is Contains.YES), None)

    def cell(self, state: State, since: datetime | None = None, reason: str = "", message: str = "", *, claimed: bool = False) -> Cell:
        """Make a cell; what runs and what is wanted are the same in all."""
        summary = self.status.summary
        runs = (self.status.running.hash if self.status.running is not None else None) or (summary.running_hash if summary else None) or ""
        wants = self.coming or next(iter(self.wanted), None)
        return Cell(state, runs, wants.name if wants else "", since, reason, message, claimed)


def presence(place: Place, graph: Graph) -> Cell:
    """Return where the commit is."""
    facts = _gathered(place, graph)
    return next(cell for rule in RULES if (cell := rule(facts)) is not None)


def is_there(cell: Cell) -> bool:
    """Return whether the commit is live for sure: not by a hash that is merely claimed."""
    return cell.state is State.LIVE and not cell.claimed


def _gathered(place: Place, graph: Graph) -> _Facts:
    release = place.release
    status = (release.status if release is not None else None) or ReleaseStatus()
    listed = listed_containers(place)
    wanted = [] if release is None else [wanted_by_release(release, listed, graph)]
    wanted += [] if place.release_set is None else wanted_by_set(place.release_set, place.service, listed, graph)
    rollout = status.rollout if is_open(status.rollout) else None
    return _Facts(
        status=status,
        listed=listed,
        graph=graph,
        unobserved=place.unobserved,
        ready=find(status.conditions, "Ready"),
        running=of_running(status.running, listed, graph) if status.running is not None else None,
        rollout=_of_rollout(rollout, listed, graph) if rollout is not None else None,
        wanted=tuple(wanted),
    )


def listed_containers(place: Place) -> frozenset[str]:
    """Return the containers that are released: where the Project cannot be read those of the pin, else those with a release hash."""
    if place.listed:
        return place.listed
    status = (place.release.status if place.release is not None else None) or ReleaseStatus()
    pinned = {i.container for i in (status.pin.images if status.pin is not None else None) or ()}
    shown = (status.running.containers if status.running is not None else None) or ()
    return frozenset(pinned or {c.name for c in shown if any(d.release_hash for d in c.digests or ())})


def _of_rollout(rollout: Rollout, listed: frozenset[str], graph: Graph) -> Answer:
    changes = [i for i in rollout.images or () if not i.unlisted and i.container in listed]
    return joined(answer(graph, c.to_hash, f"the image that comes for {c.container}") for c in changes)


def _unobserved(facts: _Facts) -> Cell | None:
    if facts.unobserved:
        return facts.cell(State.UNKNOWN, message=facts.unobserved)
    found = unobserved(facts.status.conditions)
    if found is None:
        return None
    message = found.message if found.reason == Reason.OBSERVATION_FAILED else f"not observed: {found.message}"
    return facts.cell(State.UNKNOWN, found.last_transition_time, found.reason, message)


def _live(facts: _Facts) -> Cell | None:
    running, ready = facts.running, facts.ready
    if running is None or facts.runs_nothing or running.contains is not Contains.YES:
        return None
    since = live_since(facts.status, facts.listed, facts.graph)
    well = ready is None or ready.status == TRUE
    reason, message = ("", "") if ready is None or well else (ready.reason, ready.message)
    return facts.cell(State.LIVE, since, reason, message, claimed=running.claimed)


def _in_flight(facts: _Facts) -> Cell | None:
    rollout, found = facts.status.rollout, facts.rollout
    if rollout is None or found is None or found.contains is not Contains.YES:
        return None
    ready = facts.ready
    reason, message = (ready.reason, ready.message) if ready is not None else ("", "")
    return facts.cell(State.IN_FLIGHT, rollout.start_time, reason, message, claimed=found.claimed)


def _unseen(facts: _Facts) -> Cell | None:
    """What runs is not known: it may contain the commit, unless some of it is known not to."""
    if facts.running is not None and not facts.runs_nothing and facts.running.contains is Contains.UNKNOWN:
        return facts.cell(State.UNKNOWN, message=facts.running.why, claimed=facts.running.claimed)
    return None


def _coming(facts: _Facts) -> Cell | None:
    found, ready = facts.coming, facts.ready
    if found is None:
        return None
    if facts.runs_nothing and ready is not None and ready.status == TRUE:
        return facts.cell(State.NOTHING_RUNS, ready.last_transition_time, ready.reason, ready.message, claimed=found.answer.claimed)
    return facts.cell(State.WAITING, found.since, found.reason, found.message, claimed=found.answer.claimed)


def _wanted_unknown(facts: _Facts) -> Cell | None:
    """It is not known what is wanted: the commit may be waiting."""
    found = next((w for w in facts.wanted if w.answer.contains is Contains.UNKNOWN), None)
    if found is not None:
        return facts.cell(State.UNKNOWN, message=found.answer.why, claimed=found.answer.claimed)
    if facts.running is None:
        ready = facts.ready
        return facts.cell(State.UNKNOWN, None, ready.reason if ready else "", ready.message if ready else UNSEEN)
    return None


def _was_here(facts: _Facts) -> Cell | None:
    found, running = ran_before(facts.status, facts.listed, facts.graph), facts.status.running
    if found.contains is not Contains.YES:
        return None
    return facts.cell(State.WAS_HERE, running.since_time if running is not None else None, claimed=found.claimed)


def _not_yet(facts: _Facts) -> Cell:
    before = ran_before(facts.status, facts.listed, facts.graph)
    message = f"whether it ran before is not known: {before.why}" if before.contains is Contains.UNKNOWN else ""
    claims = [a for a in (facts.running, *(w.answer for w in facts.wanted)) if a is not None]
    return facts.cell(State.NOT_YET, message=message, claimed=any(a.claimed for a in claims))


RULES: tuple[Callable[[_Facts], Cell | None], ...] = (
    _unobserved, _live, _in_flight, _unseen, _coming, _wanted_unknown, _was_here, _not_yet,
)  # fmt: skip
