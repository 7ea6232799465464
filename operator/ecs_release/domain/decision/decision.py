"""What a decision is: the next status, and at most one act on AWS. What a rule may answer, and the draft that rules work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ecs_release.api.drift_status import Drift
from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.record_status import ForeignDeployment, LedgerStatus
from ecs_release.api.release_status import HistoryEntry, LastReady, Pin, Plan, RefusedRequest, ReleaseStatus, Rollout, TargetStatus
from ecs_release.api.windows import ClosedWindow
from ecs_release.domain.artifacts.environment_tag import Move
from ecs_release.domain.model.conditions import Situation
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.verification.proof import Match

HISTORY = 10


@dataclass(frozen=True, slots=True)
class Register:
    """Register a revision."""

    content: Mapping[str, Any] = field(hash=False)
    tags: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Update:
    """Point the service at a revision."""

    task_definition: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask ECS to roll a service deployment back; an empty ARN if none is known."""

    service_deployment: str


@dataclass(frozen=True, slots=True)
class MoveTags:
    """Move the environment's tags; `back` if they return after an attempt that failed."""

    moves: tuple[Move, ...]
    back: bool = False


@dataclass(frozen=True, slots=True)
class Continue:
    """Answer the lifecycle hook at which a service deployment waits: `action` is CONTINUE or ROLLBACK."""

    service_deployment: str
    hook_id: str
    action: str


Act: TypeAlias = Register | Update | Stop | MoveTags | Continue


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule has decided: how the Release stands (None: as before), an act on an accepted intent, and when to look again (seconds)."""

    situation: Situation | None
    act: Act | None = None
    again_s: float | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A rule has changed the draft and decided nothing: the rules after it go on from there. `what` says what it changed, for the log."""

    what: str


RuleResult: TypeAlias = Outcome | Changed | None
"""What a rule returns; None if it does not apply, and then it has not touched the draft."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The status to write, the act to carry out (never both new: an act belongs to an intent that is written already).

    `missing`: what was seen before is not there now, so that the look may be an older one. `left_out` are entries that the ledger lacks
    and that status has no room for any more. `changes` is what rules have changed on the way.
    """

    status: ReleaseStatus
    act: Act | None = None
    events: tuple[EventNote, ...] = ()
    again_s: float | None = None
    fast: bool = False
    missing: bool = False
    left_out: tuple[LedgerEntry, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """The parts of the status that rules change, as they go along one decision."""

    pin: Pin | None
    target: TargetStatus | None
    rollout: Rollout | None
    history: tuple[HistoryEntry, ...]
    last_ready: LastReady | None
    foreign: tuple[ForeignDeployment, ...]
    ledger: LedgerStatus
    handled_retry: str | None
    handled_refresh: str | None
    handled_override: str | None
    handled_override_commits: str | None
    handled_abort: str | None
    handled_continue: str | None
    refused_request: RefusedRequest | None = None
    plan: Plan | None = None
    closed_window: ClosedWindow | None = None
    drift: Drift | None = None
    waits: bool = False
    missing: bool = False
    left_s: float | None = None
    match: Match | None = field(default=None, compare=False)
    """How what runs compares with the pin; several rules need it, and it is computed once."""
    events: list[EventNote] = field(default_factory=list)

    @classmethod
    def of(cls, status: ReleaseStatus) -> Draft:
        """Begin with what stands in a status."""
        return cls(
            pin=status.pin,
            target=status.target,
            rollout=status.rollout,
            history=tuple(status.history or ()),
            last_ready=status.last_ready,
            drift=status.drift,
            foreign=tuple(status.foreign or ()),
            ledger=status.ledger or LedgerStatus(),
            handled_retry=status.last_handled_retry,
            handled_refresh=status.last_handled_refresh,
            handled_override=status.last_handled_override,
            handled_override_commits=status.last_handled_override_commits,
            handled_abort=status.last_handled_abort,
            handled_continue=status.last_handled_continue,
        )

    def enter(self, entry: HistoryEntry) -> None:
        """Put an attempt's entry into the history: its own place if it has one, else first."""
        if any(e.attempt_id == entry.attempt_id for e in self.history):
            self.history = tuple(entry if e.attempt_id == entry.attempt_id else e for e in self.history)
        else:
            self.history = (entry, *self.history)[:HISTORY]

    def event(self, kind: str, reason: str, action: str, note: str) -> None:
        """Add an Event."""
        self.events.append(EventNote(kind, reason, action, note))
