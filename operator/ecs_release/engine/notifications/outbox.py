"""What one Environment's sink has not accepted yet, and until when it has accepted everything.

Nothing is kept on disk: notifications follow from statuses (`domain.notices`), so what does not fit here, and what is lost when the
process dies, is made again from those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ecs_release.api.notification import Notification

LIMIT, REMEMBERED = 256, 1000
LATE = timedelta(seconds=120)
"""How long after something happened we may learn of it: a pass takes its time before the status that tells of it is accepted."""
_BEFORE = timedelta(seconds=1)
"""Statuses have whole seconds."""


class Outbox:
    """A bounded queue, in order, each notification once; and the time until which all were accepted."""

    def __init__(self, limit: int = LIMIT) -> None:
        """`limit` is how many may wait."""
        self.since: datetime | None = None
        """Everything that happened until then has been accepted; None before that is known."""
        self.begun: datetime | None = None
        """What happened before then is not told; None before that is known."""
        self.behind = False
        """Whether there is more to tell than waits here."""
        self.overflowed = False
        """Whether anything was dropped since somebody last set this to False."""
        self._limit = limit
        self._waiting: OrderedDict[str, Notification] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        """Count those that wait."""
        return len(self._waiting)

    def begin(self, since: datetime, *, behind: bool) -> None:
        """Take up where another process has stopped, or begin anew."""
        self.since = self.begun = since
        self.behind = behind or self.overflowed

    def add(self, notifications: Iterable[Notification]) -> None:
        """Have notifications wait. Where there is no room all go, to be made again once the sink accepts some."""
        for one in notifications:
            if one.id in self._waiting or one.id in self._accepted:
                continue
            if len(self._waiting) >= self._limit:
                self._waiting.clear()
                self.behind = self.overflowed = True
            self._waiting[one.id] = one

    def first(self, count: int) -> list[Notification]:
        """Return those that have waited longest."""
        return [one for one, _ in zip(self._waiting.values(), range(count), strict=False)]

    def accepted(self, notifications: Sequence[Notification]) -> None:
        """Note that the sink has accepted some."""
        for one in notifications:
            self._waiting.pop(one.id, None)
            self._accepted[one.id] = None
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)

    def move_on(self, now: datetime) -> datetime | None:
        """Return until when everything was accepted, as far as can be known now. It never goes back."""
        if self.since is not None and not self.behind:
            oldest = min((one.time for one in self._waiting.values()), default=now)
            self.since = max(self.since, min(oldest - _BEFORE, now - LATE))
        return self.since
