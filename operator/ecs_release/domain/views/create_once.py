"""How a part of a view is created once: what is to be done next, by what status says of it.

The promise: whatever is lost or late, it converges to one. A creation is announced in status, with the key that the call carries, before
it is made; the receipt stands in status after it. While nobody knows whether a call was carried out (a crash, a lost answer), what has the
key is looked for, and it is created again only if it is not there `VISIBLE` after the announcement. Whatever was announced more than once
is looked for once more later: the oldest stays, the others are removed.

What is shared may have been created for another document, by this process or the one before. It is looked for in the same turn in which it
is created, with no other call in between, and always looked for once more later: all documents that have it move to the oldest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from ecs_release.api.view_status import ViewPart
from ecs_release.domain.ports.views import LEFT, Part

VISIBLE = timedelta(seconds=30)
"""How long a sink may take to carry a call out, and to list what it has created."""
_LOOKS_AGAIN = timedelta(seconds=10)
_GIVEN_UP = timedelta(minutes=10)


class Action(Enum):
    """What is to be done about a part."""

    NOTHING = "nothing"
    ANNOUNCE = "announce"
    FIND = "find"
    FIND_OR_CREATE = "find or create"
    """Look for it and, if it is not there, create it in the same turn."""
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
    if known.receipt is None:
        return _creation(part, knowledge, known.announced_time + VISIBLE, now)
    visible_in_s = (known.unverified_time + VISIBLE - now).total_seconds() if known.unverified_time is not None else None
    if known.hash != part.hash:
        return Step(Action.CHANGE, max(0.0, visible_in_s) if visible_in_s is not None else None)
    if visible_in_s is None:
        return Step(Action.NOTHING)
    again_in_s = (knowledge.absent_at + _LOOKS_AGAIN - now).total_seconds() if knowledge.absent_at is not None else 0.0
    looks_in_s = max(visible_in_s, again_in_s)
    return Step(Action.WAIT, looks_in_s) if looks_in_s > 0 else Step(Action.FIND)


def verified(part: Part, known: ViewPart, receipts: Sequence[str], now: datetime) -> ViewPart:
    """Return what status is to say of a part that was looked for after a doubt: the oldest stays.

    Until what we have created last is listed, too, another one may come to light: it is looked for again, for a while. What is shared may
    have been removed for another document that has an older one: it moves there, and is looked for again.
    """
    if known.receipt in receipts:
        return _moved(known, receipts[0], None)
    if part.is_shared and receipts:
        return _moved(known, receipts[0], now)
    if known.unverified_time is not None and now < known.unverified_time + _GIVEN_UP:
        return known
    return _moved(known, receipts[0] if receipts else known.receipt, None)


def _creation(part: Part, knowledge: Knowledge, visible_at: datetime, now: datetime) -> Step:
    absent_at = knowledge.absent_at
    if knowledge.is_unsent:
        return Step(Action.FIND_OR_CREATE if part.is_shared else Action.CREATE)
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


def found(part: Part, known: ViewPart, receipt: str, now: datetime) -> ViewPart:
    """Return what status is to say of a part that was found, and was not known to be there."""
    return _moved(known, receipt, _doubt(part, known, now))


def created(part: Part, known: ViewPart, receipt: str, content_hash: str | None, now: datetime) -> ViewPart:
    """Return what status is to say of a part that was created, and shows the content of that checksum (None: nothing yet)."""
    doubt = _doubt(part, known, now) if receipt != LEFT else None
    return known.model_copy(update={"receipt": receipt, "unverified_time": doubt, "hash": content_hash})


def _moved(known: ViewPart, receipt: str | None, doubt: datetime | None) -> ViewPart:
    same = known.receipt == receipt
    return known.model_copy(update={"receipt": receipt, "unverified_time": doubt, "hash": known.hash if same else None})


def _doubt(part: Part, known: ViewPart, now: datetime) -> datetime | None:
    """Return since when a part may be there twice: it was announced more than once, or others announce it, too."""
    return now if part.is_shared or (known.tries or 0) > 1 else None
