"""The notifications that a sink has not accepted yet, and the time until which it has accepted everything.

Nothing is persisted: notifications follow from statuses (`domain.notifications`), so that those that do not fit here, or are lost when the
process dies, are made again from statuses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ecs_release.api.notification import Notification

LIMIT, REMEMBERED = 256, 1000
LATE = timedelta(seconds=120)
"""How long after a transition its status may be accepted: a pass takes some time."""
_BEFORE = timedelta(seconds=1)
"""Times in statuses are whole seconds."""


class Outbox:
    """A bounded queue, in order, each notification once; and the time until which all were accepted."""

    def __init__(self, limit: int = LIMIT) -> None:
        """At most `limit` notifications wait."""
        self.since: datetime | None = None
        """The time until which everything has been accepted; None before that is known."""
        self.begun: datetime | None = None
        """Transitions before this time are not sent; None before that is known."""
        self.behind = False
        """Whether there is more to send than waits here."""
        self.overflowed = False
        """Whether anything was dropped since somebody last set this to False."""
        self._limit = limit
        self._waiting: OrderedDict[str, Notification] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of waiting notifications."""
        return len(self._waiting)

    def begin(self, since: datetime, *, behind: bool) -> None:
        """Continue after another process, or start new."""
        self.since = self.begun = since
        self.behind = behind or self.overflowed

    def add(self, notifications: Iterable[Notification]) -> None:
        """Add notifications. If there is no room all are dropped, to be made again once the sink accepts some."""
        for one in notifications:
            if one.id in self._waiting or one.id in self._accepted:
                continue
            if len(self._waiting) >= self._limit:
                self._waiting.clear()
                self.behind = self.overflowed = True
            self._waiting[one.id] = one

    def first(self, count: int) -> list[Notification]:
        """Return the oldest ones."""
        return [one for one, _ in zip(self._waiting.values(), range(count), strict=False)]

    def accepted(self, notifications: Sequence[Notification]) -> None:
        """Note that the sink has accepted some."""
        for one in notifications:
            self._waiting.pop(one.id, None)
            self._accepted[one.id] = None
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)

    def move_on(self, now: datetime) -> datetime | None:
        """Return the time until which everything was accepted, as far as is known now. It never goes back."""
        if self.since is not None and not self.behind:
            oldest = min((one.time for one in self._waiting.values()), default=now)
            self.since = max(self.since, min(oldest - _BEFORE, now - LATE))
        return self.since
