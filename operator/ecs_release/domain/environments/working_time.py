"""Working time: when so many seconds of it have passed since an instant.

Times of day are read in the time zone of the working hours, where clocks change, too: one that comes twice is the first, one that is left
out is that much later. What passes between two of them is time that really passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ecs_release.api.conditions import Reason
from ecs_release.api.promotion import WorkingHours
from ecs_release.domain.environments.windows import Span
from ecs_release.domain.model.errors import Blocked

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AHEAD = 366
_DAY = timedelta(days=1)


def later(hours: WorkingHours | None, since: datetime, seconds: float) -> datetime | None:
    """Return when so much working time has passed since an instant, in UTC; None if that is not within 366 days.

    With 0 seconds it is the first instant of working time that is not before it. Without `hours` all time counts. Raises
    Blocked(InvalidSpec) for an unknown time zone.
    """
    if hours is None:
        return since + timedelta(seconds=seconds)
    at, left = since.timestamp(), seconds
    for begin, end in _spans(hours, since):
        begin = max(begin, at)  # noqa: PLW2901 - the part of the span that is left.
        if begin >= end:
            continue
        if begin == at and not left:
            return since
        if left <= end - begin:
            return datetime.fromtimestamp(begin + left, UTC)
        left -= end - begin
        at = end
    return None


def check(hours: WorkingHours | None) -> None:
    """Check that working hours can be evaluated. Raises Blocked(InvalidSpec) for an unknown time zone."""
    if hours is not None:
        _zone(hours)


def _spans(hours: WorkingHours, since: datetime) -> Iterator[Span]:
    """Yield the spans of working time of a year, in order, from the day before an instant on: one of that day may last until it."""
    zone = _zone(hours)
    first = since.astimezone(zone).date() - _DAY
    for day in (first + n * _DAY for n in range(_AHEAD + 2)):
        if _DAYS[day.weekday()] in hours.days:
            last = day if hours.to > hours.from_ else day + _DAY
            yield _at(day, hours.from_, zone), _at(last, hours.to, zone)


def _at(day: date, time: str, zone: ZoneInfo) -> float:
    hour, minute = time.split(":")
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=zone).timestamp()


def _zone(hours: WorkingHours) -> ZoneInfo:
    """Return the time zone. Zones are files that are read once and count as constants."""
    try:
        return ZoneInfo(hours.time_zone or "UTC")
    except (KeyError, ValueError, OSError) as error:  # Unknown, no name of a zone, or a directory of zones ("Europe").
        raise Blocked(
            Reason.INVALID_SPEC,
            f"promotion.workingHours: timeZone {hours.time_zone!r} is not known: write an IANA name such as 'Europe/London', or leave it"
            " out for UTC",
        ) from error
