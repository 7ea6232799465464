"""Working time: when so many seconds of it have passed since an instant.

Times of day are read in the time zone of the working hours, where clocks change, too: one that comes twice is the first, one that is left
out is that much later. What passes between two of them is time that really passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ecs_release.api.promotion import WorkingHours
from ecs_release.domain.environments.time_zones import zone_of
from ecs_release.domain.environments.windows import Span

_NAME = "promotion.workingHours"
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
        zone_of(hours.time_zone, _NAME)


def _spans(hours: WorkingHours, since: datetime) -> Iterator[Span]:
    """Yield the spans of working time of a year, in order, from the day before an instant on: one of that day may last until it."""
    zone = zone_of(hours.time_zone, _NAME)
    first = since.astimezone(zone).date() - _DAY
    for day in (first + n * _DAY for n in range(_AHEAD + 2)):
        if _DAYS[day.weekday()] in hours.days:
            last = day if hours.to > hours.from_ else day + _DAY
            yield _at(day, hours.from_, zone), _at(last, hours.to, zone)


def _at(day: date, time: str, zone: ZoneInfo) -> float:
    hour, minute = time.split(":")
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=zone).timestamp()
