"""The notifications that a sink has not accepted yet, and the time until which it has accepted everything.

Nothing is persisted: notifications follow from statuses (`domain.notifications`), so that those that do not fit here, or are lost when the
process dies, are made again from statuses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import dropwhile, islice
from typing import NamedTuple

from ecs_release.api.notification import Notification

LIMIT, LIMIT_BYTES, REMEMBERED = 256, 512 * 1024, 1000
LATE = timedelta(seconds=120)
"""How long after a transition its status may be accepted: a pass takes some time."""
_BEFORE = timedelta(seconds=1)
"""Times in statuses are whole seconds."""


class _Waiting(NamedTuple):
    notification: Notification
    size: int
    since_s: float


class Outbox:
    """A bounded queue, in order, each notification once; and the time until which all were accepted."""

    def __init__(self) -> None:
        """At most `LIMIT` notifications of `LIMIT_BYTES` wait."""
        self.since: datetime | None = None
        """The time until which everything has been accepted; None before that is known."""
        self.begun: datetime | None = None
        """Transitions before this time are not sent; None before that is known."""
        self.behind = False
        """Whether there is more to send than waits here."""
        self.overflowed = False
        """Whether anything was dropped since somebody last set this to False."""
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._bytes = 0
        self._accepted: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of waiting notifications."""
        return len(self._waiting)

    @property
    def since_s(self) -> float:
        """When the first of them came, by the monotonic clock; infinity if none waits."""
        return next((one.since_s for one in self._waiting.values()), float("inf"))

    def begin(self, since: datetime, *, behind: bool) -> None:
        """Continue after another process, or start new."""
        self.since = self.begun = since
        self.behind = behind or self.overflowed

    def add(self, notifications: Iterable[Notification], now_s: float) -> None:
        """Add notifications. If there is no room all are dropped, to be made again once the sink accepts some."""
        for one in notifications:
            if one.id in self._waiting or one.id in self._accepted:
                continue
            size = len(one.to_json())
            if len(self._waiting) >= LIMIT or self._bytes + size > LIMIT_BYTES:
                self._waiting.clear()
                self._bytes = 0
                self.behind = self.overflowed = True
            self._waiting[one.id] = _Waiting(one, size, now_s)
            self._bytes += size

    def next_subject(self, is_free: Callable[[str], bool]) -> str | None:
        """Return what the oldest is about, of those whose subject is free."""
        return next((one.notification.subject for one in self._waiting.values() if is_free(one.notification.subject)), None)

    def batch(self, subject: str, is_held: Callable[[str], bool], most: int) -> list[Notification]:
        """Return the oldest of a subject, and what follows in the order of arrival, without subjects that are held."""
        found = dropwhile(lambda one: one.subject != subject, (waiting.notification for waiting in self._waiting.values()))
        return list(islice((one for one in found if not is_held(one.subject)), most))

    def accepted(self, notifications: Sequence[Notification]) -> None:
        """Note that the sink has accepted some."""
        for one in notifications:
            gone = self._waiting.pop(one.id, None)
            self._bytes -= gone.size if gone else 0
            self._accepted[one.id] = None
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)

    def move_on(self, now: datetime) -> datetime | None:
        """Return the time until which everything was accepted, as far as is known now. It never goes back."""
        if self.since is not None and not self.behind:
            oldest = min((one.notification.time for one in self._waiting.values()), default=now)
            self.since = max(self.since, min(oldest - _BEFORE, now - LATE))
        return self.since
