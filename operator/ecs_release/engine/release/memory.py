"""What this process remembers of each Release between passes, and may lose: none of it decides whether AWS is changed twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ecs_release.api.release_status import Evidence, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Doubt
from ecs_release.domain.ecs.service import ProtectedTask, ServiceDeployment
from ecs_release.domain.verification.judgement import Progress


@dataclass(slots=True)
class Memory:
    """One Release's. An intent that another process wrote, or whose answer was lost, is in doubt (law 6)."""

    since: datetime
    attempt: str = ""
    written: set[tuple[str, str]] = field(default_factory=set)
    doubt_since: datetime | None = None
    answer: tuple[str, str, str] | None = None
    progress: Progress | None = None
    patient_from: datetime | None = None
    counts_written: float = float("-inf")
    evidence_for: tuple[str, int, int] = ("", -1, 0)
    evidence: tuple[Evidence, ...] = ()
    foreign: str = ""
    foreign_time: datetime | None = None
    woken: bool = False
    """An event told that there is something new to read, whenever its sweep is due."""
    tags: dict[str, str] | None = None
    tags_time: datetime | None = None
    explained: tuple[str, datetime, ServiceDeployment] | None = None
    protected: tuple[ProtectedTask, ...] = ()
    protected_at: datetime | None = None

    def wake(self) -> None:
        """Have read anew what is read now and then only."""
        self.tags_time, self.woken = None, True

    def follow(self, rollout: Rollout | None, now: datetime) -> None:
        """Begin anew where the attempt is another one."""
        attempt = rollout.attempt_id if rollout else ""
        if attempt != self.attempt:
            self.attempt, self.progress, self.doubt_since = attempt, None, None
            self.evidence_for, self.evidence = ("", -1, 0), ()
            self.protected, self.protected_at = (), None
            self.patient_from = now
        intended = attempts.intends(rollout)
        if not intended or (attempt, intended) in self.written:
            self.doubt_since = None
        elif self.doubt_since is None:
            self.doubt_since = now

    def doubt(self, rollout: Rollout | None, now: datetime, found: Doubt | None) -> Doubt | None:
        """Return the doubt about the intent that is written, with what is known to have come of it."""
        intended = attempts.intends(rollout)
        if rollout is None or not intended:
            return None
        if self.answer is not None and self.answer[:2] == (rollout.attempt_id, intended):
            value = self.answer[2]
            return Doubt(
                now, registered=value if intended == attempts.REGISTER else "", started=value if intended == attempts.UPDATE else ""
            )
        if self.doubt_since is None:
            return None
        return Doubt(self.doubt_since, found.registered if found else "", found.started if found else "")

    def intend(self, rollout: Rollout | None) -> None:
        """An intent was written and accepted: this process may act on it."""
        intended = attempts.intends(rollout)
        if rollout is not None and intended:
            self.written = {(rollout.attempt_id, intended)}
            self.doubt_since = None

    def sending(self, now: datetime) -> None:
        """The act is being sent: until it is answered its intent is in doubt, whatever happens to us."""
        self.written = set()
        self.doubt_since = now

    def refused(self, rollout: Rollout | None) -> None:
        """AWS has certainly not carried it out: it may be sent again."""
        self.intend(rollout)

    def answered(self, rollout: Rollout, action: str, value: str) -> None:
        """AWS has carried it out. Kept until the status says so, should its write fail."""
        self.answer = (rollout.attempt_id, action, value)
