"""What this process remembers of each Release between passes, and may lose: none of it decides whether AWS is changed twice.

What was first seen when stands in status where a verdict rests on it (law 18). These times do not, because to begin them anew does no
harm. Each puts something off that is not decided yet, in the direction in which nothing is called or concluded:

- `doubt_since` has to begin anew. The process before may have sent its call at any time until it ended, so that reads have to lag behind
  that; status knows only when the intent was written.
- `missing_since`: looks that contradict an earlier one are disbelieved for as long as reads may lag, half a minute. After a restart for
  as long again, and then the verdict is the same. A process that does not live for half a minute decides nothing.
- `past_unread_since`: in a doubt that begins anew, so does the time in which it cannot be cleared up.
- `outage`: a time without answers is no lack of progress. Status reckons with it from the first write after it on; and in an outage of
  `graceSeconds` status says ObservationFailed, which the next process knows. One that loses a shorter one counts it as time like any
  other: what came further meanwhile is progress still, when it is seen, for what was reached before stands in status.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from ecs_release.api.release_status import Evidence, ReleaseStatus, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Act
from ecs_release.domain.decision.facts import Doubt, Tracking
from ecs_release.domain.ecs.service import Look, Outage, ProtectedTask, ServiceDeployment
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.verification.health import Health, HealthRules, resumed, track


@dataclass(frozen=True, slots=True)
class Refusal:
    """The latest refusal of a call, how many there were in a row, and until when it is not made again (monotonic seconds)."""

    act: type[Act]
    problem: Problem
    times: int
    until: float


@dataclass(slots=True)
class Memory:
    """One Release's. An intent that another process wrote, or whose answer was lost, is in doubt (law 6)."""

    since: datetime
    attempt: str = ""
    written: set[tuple[str, str]] = field(default_factory=set)
    doubt_since: datetime | None = None
    answer: tuple[str, str, str] | None = None
    refusal: Refusal | None = None
    missing_since: datetime | None = None
    past_unread_since: datetime | None = None
    """Since when revisions that a decision rests on could not be read."""
    outage: Outage | None = None
    reckoned: Outage | None = None
    """The latest outage that status reckons with."""
    health: tuple[str, Health] | None = None
    """The ECS service's ARN and its health by the last look."""
    counts_written: float = float("-inf")
    evidence_for: tuple[str, int, int] = ("", -1, 0)
    evidence: tuple[Evidence, ...] = ()
    foreign: str = ""
    foreign_time: datetime | None = None
    rereads_revisions: bool = False
    """An event has come: there is something new to read, whenever the sweep is due."""
    tags: dict[str, str] | None = None
    tags_time: datetime | None = None
    service_deployment: tuple[str, datetime, ServiceDeployment] | None = None
    protected: tuple[ProtectedTask, ...] = ()
    protected_at: datetime | None = None

    def reread(self) -> None:
        """Have read anew what is read now and then only."""
        self.tags_time, self.rereads_revisions = None, True

    def track_health(self, status: ReleaseStatus, look: Look | None, rules: HealthRules) -> Health:
        """Return the health by a look. Another process's status tells how it was before our first."""
        if look is None or look.service is None:
            return Health()
        known, before = look.service.arn, self.health[1] if self.health is not None else None
        if self.health is None or self.health[0] != known:
            recorded = status.target is None or status.target.service_arn in (None, known)
            before = resumed(status.health if recorded else None)
        assert before is not None
        health = track(before, look.service, look.seen_time, rules)
        self.health = (known, health)
        return health

    def follow(self, rollout: Rollout | None, now: datetime) -> None:
        """Begin anew if the attempt is another one."""
        attempt = rollout.attempt_id if rollout else ""
        if attempt != self.attempt:
            self.attempt, self.doubt_since, self.missing_since = attempt, None, None
            self.evidence_for, self.evidence = ("", -1, 0), ()
            self.refusal = None
            self.protected, self.protected_at = (), None
        if not self.in_doubt(rollout):
            self.doubt_since = None
        elif self.doubt_since is None:
            self.doubt_since = now

    def outage_to_reckon(self) -> Outage | None:
        """Return the latest outage if status does not reckon with it yet."""
        return self.outage if self.outage != self.reckoned else None

    def reckon(self, tracking: Tracking, *, missing: bool) -> None:
        """A status was written that reckons with an outage, unless its look was not believed."""
        if tracking.outage is not None and not missing:
            self.reckoned = tracking.outage

    def in_doubt(self, rollout: Rollout | None) -> bool:
        """Return whether the intent that is written may have been carried out already."""
        call = attempts.announced_call(rollout)
        return rollout is not None and bool(call) and (rollout.attempt_id, call) not in self.written

    def doubt(self, rollout: Rollout | None, now: datetime, found: Doubt | None) -> Doubt | None:
        """Return the doubt about the intent that is written, with what is known to have come of it."""
        intended = attempts.announced_call(rollout)
        if rollout is None or not intended:
            return None
        if self.answer is not None and self.answer[:2] == (rollout.attempt_id, intended):
            value = self.answer[2]
            return Doubt(
                now, registered=value if intended == attempts.REGISTER else "", started=value if intended == attempts.UPDATE else ""
            )
        if self.doubt_since is None:
            return None
        return replace(found, since=self.doubt_since) if found is not None else Doubt(self.doubt_since)

    def intend(self, rollout: Rollout | None) -> None:
        """An intent was written and accepted: this process may act on it."""
        call = attempts.announced_call(rollout)
        if rollout is not None and call:
            self.written = {(rollout.attempt_id, call)}
            self.doubt_since = self.refusal = None

    def sending(self, now: datetime) -> None:
        """The act is being sent: until it is answered its intent is in doubt, whatever happens to us."""
        self.written = set()
        self.doubt_since = now

    def sent(self, now: datetime) -> None:
        """Status does not say whether it was carried out: if so, then at any time until now, and reads may lag behind that."""
        self.doubt_since = now

    def refused(self, rollout: Rollout | None, act: Act, problem: Problem, now: float, first_s: float, most_s: float) -> Refusal:
        """AWS has certainly not carried it out: it may be sent again, after a pause that doubles with each refusal."""
        times = self.refusal.times + 1 if self.refusal is not None and self.refusal.act is type(act) else 1
        self.intend(rollout)
        self.refusal = Refusal(type(act), problem, times, now + min(most_s, first_s * 2 ** min(times - 1, 16)))
        return self.refusal

    def pause(self, act: Act, now: float) -> Refusal | None:
        """Return the refusal after which it is too early to make this call again; None if it may be made."""
        refusal = self.refusal
        return refusal if refusal is not None and refusal.act is type(act) and now < refusal.until else None

    def answered(self, rollout: Rollout, action: str, value: str) -> None:
        """AWS has carried it out. Kept until the status says so, should its write fail."""
        self.answer = (rollout.attempt_id, action, value)
