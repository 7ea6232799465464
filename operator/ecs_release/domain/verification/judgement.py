"""What judging a rollout takes and gives: what is known of it, how long to wait, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """How an attempt ended, or that it has not."""

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


_GOOD = (Verdict.SUCCEEDED, Verdict.SUCCEEDED_LATE, Verdict.OVERTAKEN_SAME_DIGESTS, Verdict.NOTHING_RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """High-water marks of a rollout. Only a new mark is progress: a crash loop's tasks that come and go are not."""

    new: int = 0
    old: int = 0
    stage: str = ""
    traffic: float = 0

    def beyond(self, other: Progress) -> bool:
        """Tell whether this is further than `other`: more new tasks came up, more old ones went, traffic shifted, or the stage changed."""
        return self.new > other.new or self.old < other.old or self.traffic > other.traffic or self.stage != other.stage

    def highest(self, other: Progress) -> Progress:
        """Combine two marks."""
        return Progress(max(self.new, other.new), min(self.old, other.old), self.stage, max(self.traffic, other.traffic))


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known of our deployment before this look. `stage` latches COMPLETED and FAILED; times are ours, not AWS's.

    `same_images`: it changes no image (a retry, a newer base), so that digests do not tell it from what it replaces.
    """

    deployment_id: str
    rollback_target: str
    started: datetime
    last_progress: datetime
    listed_before: frozenset[str] = frozenset()
    stage: str = ""
    late: bool = False
    overtaken: bool = False
    same_images: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: without progress; for an id to become visible; for ECS to begin its rollback."""

    deadline_s: float
    visible_s: float = 30
    rollback_s: float = 60


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its explanation. `follow` names another deployment to follow from now on; `stage` is to be kept.

    `waits` tells that ECS stands still on purpose: that is no lack of progress. `left_s` is after how many seconds time alone would bring
    another verdict.
    """

    verdict: Verdict
    message: str
    stage: str = ""
    follow: str = ""
    progress: Progress | None = None
    waits: bool = False
    left_s: float | None = None
