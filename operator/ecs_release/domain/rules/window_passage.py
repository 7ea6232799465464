"""Whether an attempt that is due may begin now by the Environment's windows, and by what right if one is closed.

Asked when an attempt is to begin, and again before it changes what runs. A rollout under way is left to finish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.api.environment import Environment
from ecs_release.api.release_status import HistoryEntry
from ecs_release.api.windows import ClosedWindow
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Changed, Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import override_requested
from ecs_release.domain.environments.windows import evaluate

RETURN_DAYS = 7


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether an attempt may begin. `right` says why it may although a window is closed; `override` is the request that permits it."""

    closed: ClosedWindow | None = None
    right: str = ""
    override: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may begin."""
        return self.closed is None or bool(self.right)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt is that would pass a window.

    `digests` are those that it deploys, `history` what was deployed before it, `override` a request to pass that was not handled yet.
    `reverts`: its ReleaseSet takes the service back. `rebuilds`: it has the same digests on a newer base. `corrects`: it corrects drift.
    """

    digests: Mapping[str, str]
    history: Sequence[HistoryEntry] = ()
    override: str | None = None
    reverts: bool = False
    rebuilds: bool = False
    corrects: bool = False


def passage(environment: Environment | None, attempt: Attempt, now: datetime) -> Passage:
    """Return whether an attempt may begin by the windows of its Environment. Raises Blocked if they cannot be evaluated.

    Rollbacks, and returns to what was Ready lately, pass closed windows; so does an override, once. The same digests on a newer base are
    no return, and what nobody requested has no such right.
    """
    closed = closed_window(environment, now)
    if closed is None:
        return Passage()
    if attempt.reverts and not attempt.corrects:
        return Passage(closed, f"{closed.name}: a rollback may pass")
    if not (attempt.rebuilds or attempt.corrects) and was_ready_lately(attempt.history, attempt.digests, now):
        return Passage(closed, f"{closed.name}: it returns to what was Ready here in the last {RETURN_DAYS} days")
    token, _, why = (attempt.override or "").partition("/")
    if token and why:
        return Passage(closed, f"{closed.name}: override {token}: {why}", attempt.override or "")
    return Passage(closed)


def closed_window(environment: Environment | None, now: datetime) -> ClosedWindow | None:
    """Return the window of an Environment that is closed now; None if attempts may begin. Raises Blocked if that cannot be evaluated."""
    state = evaluate((environment.spec.windows if environment else None) or (), now)
    return ClosedWindow(name=state.window, reason=state.reason, next_open_time=state.next_open) if state.closed else None


def described(closed: ClosedWindow) -> str:
    """Return a sentence that says which window is closed, until when and why."""
    until = f"until {closed.next_open_time:%Y-%m-%d %H:%M} UTC" if closed.next_open_time else "and does not open within a year"
    return f"window {closed.name} is closed {until}: {closed.reason}"


def seconds_left(closed: ClosedWindow, now: datetime) -> float:
    """Return after how many seconds to look again: when the window opens, at the latest in an hour."""
    left = (closed.next_open_time - now).total_seconds() if closed.next_open_time else 3600.0
    return min(3600.0, max(0.05, left))


def acknowledge_override(facts: Facts, draft: Draft) -> Changed | None:
    """Acknowledge an override that nothing waits for, or that is no `<token>/<reason>`: it must not let a later attempt through."""
    request = override_requested(facts.release.metadata, draft)
    if request is None:
        return None
    draft.handled_override = request
    why = "nothing waits for a window" if all(request.partition("/")) else "it must be <token>/<reason>"
    draft.event("Normal", "OverrideIgnored", "Override", f"override-window {request!r} is not used: {why}")
    return Changed("an override is acknowledged that nothing waits for")


def was_ready_lately(history: Sequence[HistoryEntry], digests: Mapping[str, str], now: datetime) -> bool:
    """Return whether these digests were Ready here within the last seven days: an attempt's are until the next one begins."""
    until = now
    for entry in history:
        good = entry.outcome in attempts.PROVEN and attempts.aims_at(entry) == digests
        if good and until >= now - timedelta(days=RETURN_DAYS):
            return True
        until = entry.start_time or until
    return False
