"""Windows: whether releases may start now, by which window not, and when that changes.

A window is a set of spans of time, from an opening (inclusive) to its end (exclusive). Releases may not start inside any Deny window,
nor, if there are Allow windows, outside all of them; Deny wins.

cron is evaluated in the window's time zone as Debian's (Vixie) cron does, if the clocks change (man 8 cron, "Daylight Saving Time and
other time changes"): if neither minute nor hour begins with `*`, an opening in an hour that is skipped comes right after it, and one
in an hour that is repeated comes once, the first time; the others go by elapsed time. Day of month and day of week must
both match if one of them begins with `*`, otherwise one suffices. durationSeconds is time that really passes, whatever clocks do.

All days are alike except those on which clocks change. So a day's openings are computed once and shifted from day to day, which bounds the
work for a year that never opens to some hundred steps a window; only days on which clocks change are computed one by one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ecs_release.api.conditions import Reason
from ecs_release.api.windows import Window
from ecs_release.domain.environments.time_zones import zone_of
from ecs_release.domain.model.errors import Blocked

Span = tuple[float, float]
"""From (inclusive) and to (exclusive), in seconds since 1970, as `datetime.timestamp` counts them."""

_DAY_S = 86_400
_AHEAD_S = 366 * _DAY_S
# Cached by the hour, not by the minute: an outlook has every change within the hour, so it is as exact and computed less often.
_KEPT_S = 3_600


@dataclass(frozen=True, slots=True)
class WindowState:
    """Whether releases may start at an instant; all times are UTC.

    `window` and `reason` name what closes: the first Deny window in the order of the spec and its own reason, or all Allow windows.
    `next_open` is the first instant at which releases may start again, all windows together: None if it is open, or does not open
    within 366 days.
    """

    closed: bool
    window: str = ""
    reason: str = ""
    next_open: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Cron:
    minute: str
    hour: str
    days: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class _Outlook:
    """The closed spans from an hour on, up to the first after the hour, joined where they touch; and the Deny windows' own."""

    closed: tuple[Span, ...]
    denied: tuple[tuple[Span, Window], ...]


def evaluate(windows: Sequence[Window], now: datetime) -> WindowState:
    """Return whether releases may start at `now` (aware).

    Raises Blocked(InvalidSpec) as `check` does.
    """
    at = now.timestamp()
    outlook = _outlook(tuple(windows), int(at // _KEPT_S))
    closing = _first_ending_after(at, outlook.closed)
    if closing is None or closing[0] > at:
        return WindowState(closed=False)
    next_open = _time(closing[1], at)
    for (start, end), window in outlook.denied:
        if start <= at < end:
            return WindowState(closed=True, window=window.name, reason=window.reason or "no reason given", next_open=next_open)
    names = ", ".join(w.name for w in windows if w.kind == "Allow")
    return WindowState(closed=True, window=names, reason=f"outside of all Allow windows: {names}", next_open=next_open)


def next_change(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the windows next open or close after `now` (aware), in UTC; None if they do not within 366 days.

    Raises Blocked(InvalidSpec) as `check` does.
    """
    at = now.timestamp()
    closing = _first_ending_after(at, _outlook(tuple(windows), int(at // _KEPT_S)).closed)
    if closing is None:
        return None
    return _time(closing[0] if closing[0] > at else closing[1], at)


def check(windows: Iterable[Window]) -> None:
    """Check that windows can be evaluated: cron expression and time zone are valid, and there are times.

    Raises Blocked(InvalidSpec), naming the window.
    """
    for window in windows:
        _parse(window)


def _first_ending_after(at: float, spans: Iterable[Span]) -> Span | None:
    return next((span for span in spans if span[1] > at), None)


def _time(at: float, now: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at <= now + _AHEAD_S else None


@lru_cache(maxsize=128)
def _outlook(windows: tuple[Window, ...], hour: int) -> _Outlook:
    """Return the outlook from an hour on (hours since 1970). Cached for a few hours of as many Environments as an operator may have."""
    begin, end = float(hour * _KEPT_S), float((hour + 1) * _KEPT_S)
    until = end + _AHEAD_S
    denies = [w for w in windows if w.kind == "Deny"]
    allows = [w for w in windows if w.kind == "Allow"]
    sources = [_spans(w, begin, until) for w in denies]
    if allows:
        sources.append(_outside(_union(heapq.merge(*(_spans(w, begin, until) for w in allows)))))
    closed = []
    for span in _union(heapq.merge(*sources)):
        closed.append(span)
        if span[0] >= end:
            break
    denied = ((span, w) for w in denies for span in takewhile(lambda s: s[0] < end, _spans(w, begin, end)))
    return _Outlook(tuple(closed), tuple(denied))


def _union(spans: Iterable[Span]) -> Iterator[Span]:
    """Join spans that overlap or touch. They come in the order of their beginnings."""
    joined: Span | None = None
    for span in spans:
        if joined is None:
            joined = span
        elif span[0] <= joined[1]:
            joined = joined[0], max(joined[1], span[1])
        else:
            yield joined
            joined = span
    if joined is not None:
        yield joined


def _outside(spans: Iterable[Span]) -> Iterator[Span]:
    """Return the complement of spans that do not touch."""
    edge = -math.inf
    for start, end in spans:
        yield edge, start
        edge = end
    yield edge, math.inf


def _spans(window: Window, after: float, until: float) -> Iterator[Span]:
    """List a window's spans that end after `after` and begin up to `until`, in the order of their beginnings."""
    rule = _parse(window)
    spans: Iterable[Span] = [rule] if isinstance(rule, tuple) else _recurring(rule, window.duration_seconds or 0, after, until)
    return (span for span in takewhile(lambda s: s[0] <= until, spans) if span[1] > max(after, span[0]))


@lru_cache(maxsize=1024)
def _parse(window: Window) -> Span | _Cron:
    """Parse a window: a span if it comes once. Raises Blocked(InvalidSpec)."""
    if window.start_time is not None and window.end_time is not None:
        return window.start_time.timestamp(), window.end_time.timestamp()
    fields = (window.cron or "").split()
    if len(fields) != 5 or not window.duration_seconds:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"window {window.name!r} has no times: set cron (five fields) and durationSeconds, or startTime and endTime",
        )
    minute, hour, *days = fields
    cron = _Cron(minute, hour, " ".join(days), zone_of(window.time_zone, f"window {window.name!r}"))
    try:
        CronSim(" ".join(fields), datetime.min)  # noqa: DTZ901 - it is only parsed, not evaluated.
    except CronSimError as error:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"window {window.name!r}: cron {window.cron!r} is not understood: {error}. Write minute, hour, day of month, month and day"
            " of week, as man 5 crontab has them, for example '0 17 * * FRI'",
        ) from error
    return cron


def _recurring(cron: _Cron, duration: int, after: float, until: float) -> Iterator[Span]:
    """List the spans that may be open at `after`, and all that begin up to `until`, perhaps some more."""
    # A day more on both sides: clocks may change, and an opening in an hour that is skipped may come on the day after.
    first = datetime.fromtimestamp(after - duration, cron.zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(until, cron.zone).date() + timedelta(days=1)
    every_day = _pattern(cron.minute, cron.hour, duration)
    for day in chain.from_iterable(_days(cron.days, year) for year in range(first.year, last.year + 1)):
        if day < first:
            continue
        if day > last:
            return
        midnight = _midnight(day, cron.zone)
        if _midnight(day + timedelta(days=1), cron.zone) - midnight == _DAY_S:
            yield from ((midnight + start, midnight + end) for start, end in every_day)
        else:
            yield from _changing_day(cron, day, duration)


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


@lru_cache(maxsize=256)
def _pattern(minute: str, hour: str, duration: int) -> tuple[Span, ...]:
    """List the spans that begin on a day on which no clock changes, in seconds since its midnight."""
    day = datetime(2001, 1, 1)  # noqa: DTZ001 - any day, in no zone.
    openings = _openings(f"{minute} {hour} * * *", day, day + timedelta(days=1))
    return tuple(_union((s, s + duration) for s in ((o - day).total_seconds() for o in openings)))


@lru_cache(maxsize=256)
def _days(fields: str, year: int) -> tuple[date, ...]:
    """List the days of a year on which a window may open; `fields` are day of month, month and day of week."""
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001 - dates, in no zone.
    return tuple(opening.date() for opening in _openings(f"0 0 {fields}", begin, end))


def _changing_day(cron: _Cron, day: date, duration: int) -> Iterator[Span]:
    """List the spans that begin on a day on which clocks change, by its calendar or, skipped there, right after."""
    begin = datetime(day.year, day.month, day.day, tzinfo=cron.zone)
    openings = _openings(f"{cron.minute} {cron.hour} {day.day} {day.month} *", begin, begin + timedelta(days=2))
    return ((o.timestamp(), o.timestamp() + duration) for o in openings)


def _openings(expression: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    # The library begins after the time it is given.
    return takewhile(lambda opening: opening < end, CronSim(expression, begin - timedelta(minutes=1)))
