"""What an outcome tells those who look at a view: one table for all sinks, made of the one that the measures are counted by.

Nothing is called live that was not proven to run, and nothing failed of which nobody has seen that it did.
"""

from __future__ import annotations

from enum import Enum

from ecs_release.api.conditions import Reason
from ecs_release.api.names import RELEASE_SET
from ecs_release.domain.decision.attempts import ABORTED
from ecs_release.domain.notifications.outcome_measures import measure
from ecs_release.domain.sets.decision import FAILED, ROLLBACK


class Verdict(Enum):
    """How a deployment set, or an attempt of a Release on its own, has ended."""

    LIVE = "live"
    """What it brings was proven to run."""
    TAKEN_BACK = "taken back"
    """It is the rollback of a set, and has brought back what ran before."""
    NOTHING_RUNS = "nothing runs"
    """It is set, and no task runs that could prove it."""
    FAILED = "failed"
    ABORTED = "aborted"
    """Somebody has ended it, and knows that."""
    OVERTAKEN = "overtaken"
    """Something newer has taken its place on its way."""
    UNSEEN = "unseen"
    """Nobody saw how it ended: its target changed, it was given up, or another version calls it what this one does not know."""


ARRIVED = frozenset({Verdict.LIVE, Verdict.TAKEN_BACK})
"""What was wanted has come about, as was proven."""
REPLACING = ARRIVED | {Verdict.NOTHING_RUNS}
"""What ran before runs no more."""


def verdict_of(kind: str, cause: str | None, outcome: str | None) -> Verdict | None:
    """Return what an outcome tells; None while there is none."""
    if not outcome:
        return None
    if kind == RELEASE_SET and cause == ROLLBACK and outcome == Reason.ROLLED_BACK:
        return Verdict.TAKEN_BACK
    known = {Reason.NOTHING_RUNNING: Verdict.NOTHING_RUNS, ABORTED: Verdict.ABORTED, Reason.SUPERSEDED: Verdict.OVERTAKEN}
    if outcome in known:
        return known[outcome]
    counted = measure(outcome)
    if counted.deployed:
        return Verdict.LIVE
    return Verdict.FAILED if counted.failed or outcome == FAILED else Verdict.UNSEEN
