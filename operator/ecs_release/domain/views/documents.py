"""Which deployment sets are shown at a sink, and what status says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.view_status import MOST_VIEWS, View, ViewPart
from ecs_release.domain.decision.attempts import GOOD
from ecs_release.domain.ports.views import Part
from ecs_release.domain.views.shown import OVERDUE_ID, Shown, forgotten
from ecs_release.domain.views.verdicts import REPLACING

_EACH = MOST_VIEWS // 2
"""Views of one sink that status keeps."""


def key_of(*parts: str) -> str:
    """Return a key: the same for the same parts, and as good as no other; letters and digits, 40 of them."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def part_key(sink: str, one: Shown, name: str) -> str:
    """Return the key of a part that only this deployment set has."""
    return key_of(sink, one.installation, one.uid, one.id, name)


def view_id(sink: str, one: Shown) -> str:
    """Return the id of a deployment set's view at a sink."""
    return f"{sink}/{one.id}"


def wanted(sink: str, sets: Sequence[Shown], views: Sequence[View], since: datetime) -> tuple[Shown, ...]:
    """List the deployment sets to show, oldest first: the latest, if it began since a time, and all that are shown already."""
    known = {view.id for view in views}
    found = [one for one in sets if view_id(sink, one) in known or (one.is_latest and one.start_time >= since)]
    return tuple(reversed((*found, *_forgotten(sink, sets, views))))


def _forgotten(sink: str, sets: Sequence[Shown], views: Sequence[View]) -> Iterator[Shown]:
    """Yield, newest first, those that the history has forgotten and that are still shown as what runs, or is under way."""
    left = [one for one in sets if one.told is None]
    there = {view_id(sink, one) for one in sets}
    is_replaced = any(one.is_replaced or one.verdict in REPLACING for one in left)
    for view in views:
        kind, _, an_id = view.id.partition("/")
        if left and kind == sink and an_id != OVERDUE_ID and view.id not in there:
            one = forgotten(left[-1], an_id, view.outcome or "", is_replaced=is_replaced)
            if not one.is_over or (one.is_good and is_replaced):
                yield one


def part_of(view: View | None, name: str) -> ViewPart | None:
    """Return what status says of a part."""
    return next((part for part in (view.parts if view else None) or () if part.name == name), None)


def with_part(views: Sequence[View], an_id: str, place: str, part: ViewPart) -> tuple[View, ...]:
    """Enter a part into views; that of a deployment set that has none yet comes first."""
    view = next((v for v in views if v.id == an_id), None)
    if view is None:
        sink = an_id.partition("/")[0] + "/"
        mine, others = [v for v in views if v.id.startswith(sink)], [v for v in views if not v.id.startswith(sink)]
        return (View(id=an_id, place=place, parts=[part]), *_kept(mine), *others)
    kept = [p for p in view.parts or () if p.name != part.name]
    names = [p.name for p in view.parts or ()]
    index = names.index(part.name) if part.name in names else len(kept)
    changed = view.model_copy(update={"parts": [*kept[:index], part, *kept[index:]]})
    return tuple(changed if v.id == an_id else v for v in views)


def _kept(views: Sequence[View]) -> list[View]:
    """Leave room for one more: what runs is to be shown as replaced one day, so that the newest that went well is kept.

    RolledBack is the good end of a set's rollback, and a failure of a Release: it does not stand for what went well before.
    So is what is overdue: it would be said again.
    """
    good = {next((v.id for v in views if v.outcome in outcomes), "") for outcomes in (GOOD, (Reason.ROLLED_BACK,))}
    kept = list(views)
    while len(kept) >= _EACH:
        kept.remove(next(v for v in reversed(kept) if v.id not in good and not v.id.endswith(f"/{OVERDUE_ID}")))
    return kept


def mark_of(one: Shown) -> str:
    """Return what status notes once all of it is shown: how it has ended (empty: it goes on), or a checksum of what is overdue."""
    return one.outcome if one.told is None else key_of(str(one.told), repr(one.services), repr(one.spans))[:16]


def marked(views: Sequence[View], an_id: str, mark: str, parts: Sequence[Part]) -> tuple[View, ...]:
    """Note that all is shown, and forget what nothing more will be said of: what is overdue next is said anew."""
    gone = {part.name for part in parts if part.is_last}
    changed = [
        v.model_copy(update={"outcome": mark, "parts": [p for p in v.parts or () if p.name not in gone]}) if v.id == an_id else v
        for v in views
    ]
    return tuple(v for v in changed if v.parts or v.id != an_id)


def is_shown(view: View | None, parts: Sequence[Part]) -> bool:
    """Return whether a view shows all parts as they are now."""
    if view is None:
        return not parts
    known = {p.name: p for p in view.parts or ()}
    return all((k := known.get(p.name)) is not None and k.receipt and k.hash == p.hash and not k.unverified_time for p in parts)
