"""The decision about a ReleaseSet: the next status, and what is written to its children once that status is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ecs_release.api.release_status import RefusedRequest
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry, SetLastReady, SetService, SetWave
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.model.conditions import Situation
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT, ChildState, State, child_state
from ecs_release.domain.sets.facts import Child, SetFacts

HISTORY = 10
SUCCEEDED, SUCCEEDED_LATE, FAILED = "Succeeded", "SucceededLate", "Failed"
SUPERSEDED, ABORTED, ROLLED_BACK = "Superseded", "Aborted", "RolledBack"
ROLLBACK, RETRY, REQUESTED = "Rollback", "Retry", "Requested"


@dataclass(frozen=True, slots=True)
class Create:
    """Create a child."""

    service: str
    body: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Replace:
    """Write a changed child."""

    service: str
    child: Child
    body: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the child of a service that left the set."""

    service: str
    child: Child


Write: TypeAlias = Create | Replace | Delete


@dataclass(frozen=True, slots=True)
class SetDecision:
    """The status to write and, if its intents were accepted before, the children to write; `again_s` is after how long to decide again.

    `requests` are written before the status, which acknowledges them: writing one twice changes nothing, losing one would.
    """

    status: ReleaseSetStatus
    requests: tuple[Write, ...] = ()
    writes: tuple[Write, ...] = ()
    events: tuple[EventNote, ...] = ()
    again_s: float | None = None


@dataclass(slots=True)
class SetDraft:
    """The parts of the status that change during one decision."""

    source_hash: str | None
    resolved: Any
    services: dict[str, SetService]
    waves: tuple[SetWave, ...]
    history: tuple[SetHistoryEntry, ...]
    last_ready: SetLastReady | None
    waiting_since: Any
    handled_retry: str | None
    handled_refresh: str | None
    handled_override: str | None
    handled_override_commits: str | None
    handled_abort: str | None
    handled_continue: str | None
    refused_request: RefusedRequest | None = None
    right: str = ""
    """By what right a deployment set that begins now goes on against the commit graph."""
    requests: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    """Answers to lifecycle hooks, by the service whose hook it is."""
    settles_in: float | None = None
    again_s: float | None = None
    events: list[EventNote] = field(default_factory=list)

    @classmethod
    def of(cls, status: ReleaseSetStatus) -> SetDraft:
        """Begin with a status."""
        return cls(
            source_hash=status.source_hash,
            resolved=status.resolved_time,
            services={s.name: s for s in status.services or ()},
            waves=tuple(status.waves or ()),
            history=tuple(status.history or ()),
            last_ready=status.last_ready,
            waiting_since=status.waiting_since,
            handled_retry=status.last_handled_retry,
            handled_refresh=status.last_handled_refresh,
            handled_override=status.last_handled_override,
            handled_override_commits=status.last_handled_override_commits,
            handled_abort=status.last_handled_abort,
            handled_continue=status.last_handled_continue,
        )

    @property
    def current(self) -> SetHistoryEntry | None:
        """The latest deployment set."""
        return self.history[0] if self.history else None

    @property
    def is_open(self) -> bool:
        """Whether a deployment set is under way."""
        return self.current is not None and not self.current.outcome

    @property
    def is_held(self) -> bool:
        """Whether the latest deployment set failed: after that nothing starts until a new source or a retry (law 5)."""
        return self.current is not None and bool(self.current.outcome) and self.current.outcome not in (SUCCEEDED, SUCCEEDED_LATE)

    @property
    def rolls_back(self) -> bool:
        """Whether the latest deployment set is a rollback."""
        return self.current is not None and self.current.cause == ROLLBACK

    @property
    def members(self) -> list[SetService]:
        """The services that are in the set."""
        return [s for s in self.services.values() if s.state != LEFT]

    def change(self, service: str, **fields: object) -> None:
        """Change a service's line."""
        self.services[service] = self.services[service].model_copy(update=fields)

    def change_current(self, **fields: object) -> None:
        """Change the latest deployment set's entry."""
        assert self.current is not None
        self.history = (self.current.model_copy(update=fields), *self.history[1:])

    def begin(self, entry: SetHistoryEntry) -> None:
        """Begin a deployment set: it is in the history from now on. Several may begin in one pass."""
        same = sum(e.id.partition(".")[0] == entry.id for e in self.history)
        if same:
            entry = entry.model_copy(update={"id": f"{entry.id}.{same + 1}"})
        self.history = (entry, *self.history)[:HISTORY]

    def event(self, kind: str, reason: str, action: str, note: str) -> None:
        """Add an Event."""
        self.events.append(EventNote(kind, reason, action, note))


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """The outcome: the set's situation (None: it follows from its children), writes, and after how many seconds to decide again."""

    situation: Situation | None = None
    requests: tuple[Write, ...] = ()
    writes: tuple[Write, ...] = ()
    again_s: float | None = None


def child_of(facts: SetFacts, service: str) -> Child | None:
    """Return a service's child, if it is there and ours."""
    child = facts.children.get(child_name(facts.release_set.metadata.name, service))
    return child if child is not None and child.controller_uid() == facts.release_set.metadata.uid else None


def child_states(facts: SetFacts, draft: SetDraft) -> dict[str, ChildState]:
    """Return the state of each service. One that gets a request in this pass counts as progressing, an early one as not told yet."""
    found = {s.name: child_state(s, child_of(facts, s.name)) for s in draft.members}
    early = [s.name for s in draft.members if is_early(facts, draft, s)]
    found |= {name: ChildState(State.PENDING, rolling_out=found[name].rolling_out, differs=found[name].differs) for name in early}
    asked = {name: replace(f, state=State.PROGRESSING) for name, f in found.items() if name in draft.requests and f.takes_retry}
    return found | asked


def is_early(facts: SetFacts, draft: SetDraft, service: SetService) -> bool:
    """Return whether a child asks for what the set wants before it may begin: somebody has edited it, say."""
    child = child_of(facts, service.name)
    return child is not None and waves.is_early(draft.waves, service, child.release, suspended=facts.suspension is not None)


def intents(services: Mapping[str, SetService], history: tuple[SetHistoryEntry, ...], its_waves: tuple[SetWave, ...]) -> object:
    """Return what children's writes rest on: they follow only a status that was accepted (law 6: intent before act)."""
    return (
        [(s.name, digests_of(s.images), digests_of(s.previous), s.reverting, s.state == LEFT) for s in services.values()],
        (history[0].id, history[0].outcome) if history else None,
        [(w.name, w.services, w.state) for w in its_waves],
    )
