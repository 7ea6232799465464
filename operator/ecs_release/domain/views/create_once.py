"""How a part of a view is created once: what is to be done next, by what status says of it.

The promise: whatever is lost or late, it converges to one. A creation is announced in status, with the key that the call carries, before
it is made; the receipt stands in status after it. While nobody knows whether a call was carried out (a crash, a lost answer), what has the
key is looked for, and it is created again only if it is not there `VISIBLE` after the announcement. Whatever was announced more than once
is looked for once more later: the oldest stays, the others are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from ecs_release.api.view_status import ViewPart
from ecs_release.domain.ports.views import Part

VISIBLE = timedelta(seconds=30)
"""How long a sink may take to carry a call out, and to list what it has created."""
_LOOKS_AGAIN = timedelta(seconds=10)
_GIVEN_UP = timedelta(minutes=10)


class Action(Enum):
    """What is to be done about a part."""

    NOTHING = "nothing"
    ANNOUNCE = "announce"
    FIND = "find"
    CREATE = "create"
    CHANGE = "change"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Step:
    """An action. `after_s`: something is to be done in so many seconds, whatever changes until then; None: nothing."""

    action: Action
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What this process knows: whether no call was made since its own latest announcement, and when it has looked in vain since then."""

    is_unsent: bool = False
    absent_at: datetime | None = None


def next_step(part: Part, known: ViewPart | None, knowledge: Knowledge, now: datetime) -> Step:
    """Return what is to be done about a part, by what status says of it. What has another key is another part of the same name."""
    if known is None or known.announced_time is None or known.key != part.key:
        return Step(Action.ANNOUNCE)
    visible_at = known.announced_time + VISIBLE
    if known.receipt is None:
        return _creation(part, knowledge, visible_at, now)
    visible_in_s = (visible_at - now).total_seconds()
    if known.hash != part.hash:
        return Step(Action.CHANGE, max(0.0, visible_in_s) if known.unverified_time else None)
    if not known.unverified_time:
        return Step(Action.NOTHING)
    again_in_s = (knowledge.absent_at + _LOOKS_AGAIN - now).total_seconds() if knowledge.absent_at is not None else 0.0
    looks_in_s = max(visible_in_s, again_in_s)
    return Step(Action.WAIT, looks_in_s) if looks_in_s > 0 else Step(Action.FIND)


def verified(known: ViewPart, receipts: Sequence[str], now: datetime) -> ViewPart:
    """Return what status is to say of a part that was looked for after a doubt: the oldest stays.

    Until what we have created last is listed, too, another one may come to light: it is looked for again, for a while.
    """
    if known.receipt not in receipts and (known.announced_time is None or now < known.announced_time + _GIVEN_UP):
        return known
    return found(known, receipts[0]) if receipts else known.model_copy(update={"unverified_time": None})


def _creation(part: Part, knowledge: Knowledge, visible_at: datetime, now: datetime) -> Step:
    absent_at = knowledge.absent_at
    if knowledge.is_unsent and (absent_at is not None or not part.is_shared):
        return Step(Action.CREATE)
    if absent_at is None:
        return Step(Action.FIND)
    if absent_at >= visible_at:
        return Step(Action.ANNOUNCE)
    # It may still come to light.
    looks_in_s = (min(visible_at, absent_at + _LOOKS_AGAIN) - now).total_seconds()
    return Step(Action.WAIT, looks_in_s) if looks_in_s > 0 else Step(Action.FIND)


def announced(part: Part, known: ViewPart | None, now: datetime) -> ViewPart:
    """Return what status is to say before the call that creates a part."""
    known = known if known is not None and known.key == part.key else None
    return ViewPart(name=part.name, key=part.key, announced_time=now, tries=((known.tries if known else 0) or 0) + 1)


def found(known: ViewPart, receipt: str) -> ViewPart:
    """Return what status is to say of a part that was found: that it is the only one, if it could be there twice."""
    doubt = _doubt(known) if known.receipt is None else None
    same = known.receipt == receipt
    return known.model_copy(update={"receipt": receipt, "unverified_time": doubt, "hash": known.hash if same else None})


def created(known: ViewPart, receipt: str, content_hash: str | None) -> ViewPart:
    """Return what status is to say of a part that was created, and shows the content of that checksum (None: nothing yet)."""
    return known.model_copy(update={"receipt": receipt, "unverified_time": _doubt(known), "hash": content_hash})


def _doubt(known: ViewPart) -> datetime | None:
    """Return since when a part may be there twice: it was announced more than once."""
    return known.announced_time if (known.tries or 0) > 1 else None
