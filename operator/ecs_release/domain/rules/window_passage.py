"""The gate of windows: whether an attempt that is due may begin now, and by what right where a window is closed.

A rollout under way is left to finish, and nothing of this concerns it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.api.names import OVERRIDE_ANNOTATION
from ecs_release.api.release_status import HistoryEntry, Pin
from ecs_release.api.windows import ClosedWindow
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import token_of
from ecs_release.domain.environments.windows import WindowState, evaluate

RETURN_DAYS = 7


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether an attempt may begin. `right` says why it may although a window is closed; `override` is the request that let it."""

    closed: ClosedWindow | None = None
    right: str = ""
    override: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may begin."""
        return self.closed is None or bool(self.right)


def passage(facts: Facts, draft: Draft, pin: Pin, *, rebuilds: bool = False, corrects: bool = False) -> Passage:
    """Ask the windows of the Environment. Rollbacks, and returns to what was Ready lately, pass closed ones; so does an override, once.

    The same digests on a newer base (`rebuilds`) are no return; what nobody asked for (`corrects`: drift) has no such right.
    """
    state = window_state(facts)
    if not state.closed:
        return Passage()
    closed = ClosedWindow(name=state.window, reason=state.reason, next_open_time=state.next_open)
    if facts.reverting and not corrects:
        return Passage(closed, f"{state.window}: a rollback may pass")
    if not (rebuilds or corrects) and was_ready_lately(facts, draft, pin):
        return Passage(closed, f"{state.window}: it returns to what was Ready here in the last {RETURN_DAYS} days")
    request = token_of(facts.release.metadata, OVERRIDE_ANNOTATION)
    if request is not None and request != draft.handled_override:
        token, _, why = request.partition("/")
        if token and why:
            return Passage(closed, f"{state.window}: override {token}: {why}", request)
    return Passage(closed)


def window_state(facts: Facts) -> WindowState:
    """Tell how the Environment's windows stand now."""
    windows = (facts.environment.spec.windows if facts.environment else None) or ()
    return evaluate(windows, facts.now)


def waits(closed: ClosedWindow) -> str:
    """Say what is waited for."""
    until = f"until {closed.next_open_time:%Y-%m-%d %H:%M} UTC" if closed.next_open_time else "and does not open within a year"
    return f"window {closed.name} is closed {until}: {closed.reason}"


def seconds_left(facts: Facts, closed: ClosedWindow) -> float:
    """Return after how many seconds to look again: when the window opens, at the latest in an hour."""
    left = (closed.next_open_time - facts.now).total_seconds() if closed.next_open_time else 3600.0
    return min(3600.0, max(0.05, left))


def acknowledge_override(facts: Facts, draft: Draft) -> None:
    """Take note of an override that nothing waits for, or that is no `<token>/<reason>`: it must not let a later attempt through."""
    request = token_of(facts.release.metadata, OVERRIDE_ANNOTATION)
    if request is None or request == draft.handled_override:
        return
    draft.handled_override = request
    why = "nothing waits for a window" if all(request.partition("/")) else "it must be <token>/<reason>"
    draft.say("Normal", "OverrideIgnored", "Override", f"override-window {request!r} is not used: {why}")


def was_ready_lately(facts: Facts, draft: Draft, pin: Pin) -> bool:
    """Tell whether these digests were Ready here within the last seven days: an attempt's are until the next one begins."""
    wanted, until = attempts.digests(pin), facts.now
    for entry in draft.history:
        good = entry.outcome in attempts.GOOD and attempts.aims_at(entry) == wanted
        if good and until >= facts.now - timedelta(days=RETURN_DAYS):
            return True
        until = _begun(entry) or until
    return False


def _begun(entry: HistoryEntry) -> datetime | None:
    return entry.start_time
