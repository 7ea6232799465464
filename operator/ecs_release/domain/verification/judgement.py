"""What judging a rollout needs and returns: what is known of the deployment, timeouts, and the judgement with its verdict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_release.domain.ecs.service import FAILED, Deployment


class Verdict(StrEnum):
    """How an attempt ended, or that it is still open."""

    ROLLING_OUT = "RollingOut"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_LATE = "SucceededLate"
    OVERTAKEN_SAME_DIGESTS = "OvertakenSameDigests"
    NOTHING_RUNNING = "NothingRunning"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"

    @property
    def ended(self) -> bool:
        """Whether this closes an attempt."""
        return self not in (Verdict.ROLLING_OUT, Verdict.VERIFYING)

    @property
    def good(self) -> bool:
        """Whether the wanted digests are deployed."""
        return self in _GOOD


MAX_STAGES = 20
"""So many stages of a rollout are kept; ECS has thirteen and three rollout states."""
_GOOD = (Verdict.SUCCEEDED, Verdict.SUCCEEDED_LATE, Verdict.OVERTAKEN_SAME_DIGESTS, Verdict.NOTHING_RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rollout is, or has ever been. Only what it never reached before is progress: tasks and stages that come and go are none.

    `new` and `old` are numbers of tasks (`old` is None if no look has shown it), `traffic` is in percent.
    """

    new: int = 0
    old: int | None = None
    stages: frozenset[str] = frozenset()
    traffic: int = 0

    def beyond(self, best: Progress) -> bool:
        """Return whether this is further than the best: by new tasks, by old tasks that are gone, by traffic, or by a new stage."""
        fewer_old = self.old is not None and best.old is not None and self.old < best.old
        return self.new > best.new or fewer_old or self.traffic > best.traffic or not self.stages <= best.stages

    def highest(self, other: Progress) -> Progress:
        """Combine two of them."""
        old = min((n for n in (self.old, other.old) if n is not None), default=None)
        stages = frozenset(sorted(self.stages | other.stages)[:MAX_STAGES])
        return Progress(max(self.new, other.new), old, stages, max(self.traffic, other.traffic))


@dataclass(frozen=True, slots=True)
class FollowedDeployment:
    """What is known of our deployment before this look. `stage` latches COMPLETED and FAILED; times are ours, not AWS's."""

    deployment_id: str
    rollback_target: str
    started: datetime
    last_progress: datetime
    listed_before: frozenset[str] = frozenset()
    stage: str = ""
    best: Progress | None = None
    """How far it has ever been; None if that is not known."""
    late: bool = False
    overtaken: bool = False
    missing_since: datetime | None = None
    """Since when looks have not listed it, though an earlier one did, or the service deployment has contradicted them."""
    not_before: datetime | None = None
    """By AWS's clock: when it was created, or before that, when its intent was written."""

    each_task_resolves: bool = False
    """What one of its tasks runs does not tell what another one runs."""

    def was_failed(self, failed: Collection[str]) -> bool:
        """Return whether ECS has given it up: it was seen so, or is among those that events name."""
        return self.stage == FAILED or self.deployment_id in failed

    def is_younger_than(self, other: Deployment) -> bool:
        """Return whether another deployment was there before this one: listed then, or begun earlier.

        The list may have been an old answer, and a look that goes back further may show what was there before that.
        """
        return other.id in self.listed_before or (self.not_before is not None and other.created_at < self.not_before)

    def idle_s(self, progress: Progress, now: datetime) -> float:
        """Return for how many seconds there has been no progress, by a look that shows how far the deployment is."""
        if self.best is not None and progress.beyond(self.best):
            return 0
        return (now - self.last_progress).total_seconds()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: without progress; for an id to become visible; for ECS to begin its rollback."""

    deadline_s: float
    visible_s: float = 30
    rollback_s: float = 60


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its explanation. `follow` is the id of another deployment to follow from now on; `stage` is to be kept.

    `waits` is whether ECS waits on purpose: that is no lack of progress. `left_s` is after how many seconds a timeout would bring another
    verdict: without it, and without a change in ECS, nobody would look again, so that each verdict that has not ended has one, unless ECS
    waits on purpose.
    """

    verdict: Verdict
    message: str
    stage: str = ""
    follow: str = ""
    progress: Progress | None = None
    waits: bool = False
    missing: bool = False
    """The look may be an old one: it does not list the deployment, though an earlier one did, or the service deployment contradicts it."""
    left_s: float | None = None
