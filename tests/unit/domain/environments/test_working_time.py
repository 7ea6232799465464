"""Working time: tables of instants, and an oracle that counts quarter by quarter of an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.api.conditions import Reason
from ecs_release.api.promotion import WorkingHours
from ecs_release.domain.environments.working_time import check, later
from ecs_release.domain.model.errors import Blocked

HOUR = 3600
QUARTER = timedelta(minutes=15)


def hours(begin: str = "09:00", end: str = "17:00", zone: str | None = "Europe/London", days: str = "Mon Tue Wed Thu Fri") -> WorkingHours:
    return WorkingHours.model_validate({"days": days.split(), "from": begin, "to": end, "timeZone": zone})


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


# London is at UTC+1 from 29 March 01:00 UTC to 25 October 01:00 UTC 2026; New York at UTC-4 from 8 March to 1 November.
OFFICE, UTC_OFFICE = hours(), hours(zone=None)
NIGHT, ALL_DAY = hours("22:00", "06:00", None), hours("08:00", "08:00", None)
NEW_YORK, INDIA = hours(zone="America/New_York"), hours(zone="Asia/Kolkata")
EVERY = "Mon Tue Wed Thu Fri Sat Sun"
SUNDAY_NIGHT, SUNDAY = hours("23:00", "03:00", days="Sat"), hours("00:00", "00:00", days="Sun")
GAP, BEFORE_GAP = hours("01:30", "02:00", days="Sun"), hours("00:45", "01:15", days="Sun")
OVERLAP = hours("02:15", "01:45", days=EVERY)

TABLE = [
    ("always", None, "07-04 23:00", 2, "07-05 01:00"),
    ("within a day", OFFICE, "07-01 09:00", 2, "07-01 11:00"),
    ("begins before work", OFFICE, "07-01 03:00", 2, "07-01 10:00"),
    ("begins after work", OFFICE, "07-01 17:00", 2, "07-02 10:00"),
    ("over the night", OFFICE, "07-01 15:00", 2, "07-02 09:00"),
    ("until the last second of the day", OFFICE, "07-01 14:00", 2, "07-01 16:00"),
    ("over the weekend", OFFICE, "07-03 15:00", 2, "07-06 09:00"),
    ("begins on a weekend", OFFICE, "07-04 12:00", 2, "07-06 10:00"),
    ("several days", OFFICE, "07-01 08:00", 20, "07-03 12:00"),
    ("a week and more", OFFICE, "07-01 08:00", 41, "07-08 09:00"),
    ("clocks forward on the weekend: another hour in UTC", OFFICE, "03-27 16:00", 2, "03-30 09:00"),
    ("clocks back on the weekend", OFFICE, "10-23 15:00", 2, "10-26 10:00"),
    ("no zone is UTC", UTC_OFFICE, "07-01 09:00", 2, "07-01 11:00"),
    ("another zone", NEW_YORK, "07-01 12:00", 2, "07-01 15:00"),
    ("a zone of half hours", INDIA, "07-01 00:00", 2, "07-01 05:30"),
    ("a night is one of the day that it begins on", NIGHT, "07-03 23:00", 2, "07-04 01:00"),
    ("a night that began before the instant", NIGHT, "07-02 05:00", 2, "07-02 23:00"),
    ("a night of Friday lasts into Saturday, and none follows", NIGHT, "07-04 05:00", 2, "07-06 23:00"),
    ("no night of Sunday lasts into Monday", NIGHT, "07-06 01:00", 1, "07-06 23:00"),
    ("from == to: the whole day", ALL_DAY, "07-01 07:00", 2, "07-01 09:00"),
    ("from == to: until the morning after the last day", ALL_DAY, "07-04 07:00", 2, "07-06 09:00"),
    ("a night with an hour less", SUNDAY_NIGHT, "03-28 22:00", 3.5, "04-04 22:30"),
    ("a night with an hour more", SUNDAY_NIGHT, "10-24 21:00", 4.5, "10-25 02:30"),
    ("a day of 23 hours", SUNDAY, "03-28 12:00", 23, "03-29 23:00"),
    ("a day of 25 hours", SUNDAY, "10-24 12:00", 25, "10-26 00:00"),
    ("from is left out on this day: that much later", GAP, "03-28 12:00", 0.25, "04-05 00:45"),
    ("to is left out on this day: that much later", BEFORE_GAP, "03-29 00:00", 0.5, "03-29 01:15"),
    ("spans that overlap where an hour is left out count once", OVERLAP, "03-29 00:00", 24, "03-30 00:00"),
    ("nothing is left to wait: the instant", OFFICE, "07-01 09:00", 0, "07-01 09:00"),
    ("nothing is left to wait: the next working instant", OFFICE, "07-01 16:00", 0, "07-02 08:00"),
    ("nothing is left to wait: on a weekend", OFFICE, "07-04 09:00", 0, "07-06 08:00"),
    ("longer than a year", hours("09:00", "09:01", days="Mon"), "07-01 09:00", 1, None),
]


@pytest.mark.parametrize(("given_hours", "since", "waits_h", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_later(given_hours: WorkingHours | None, since: str, waits_h: float, expected: str | None) -> None:
    assert later(given_hours, at(since), waits_h * HOUR) == (at(expected) if expected else None)


def test_an_instant_of_working_time_is_returned_as_it_is() -> None:
    """To the microsecond: whoever waits for it would wait once more."""
    now = at("07-01 09:00") + timedelta(microseconds=123457)
    assert later(OFFICE, now, 0) == now


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Europe", "/etc/passwd"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(Blocked, match="timeZone") as caught:
        later(hours(zone=zone), at("07-01 09:00"), 1)
    assert caught.value.reason == Reason.INVALID_SPEC
    with pytest.raises(Blocked):
        check(hours(zone=zone))
    check(OFFICE)
    check(None)


TIMES = st.sampled_from([f"{h:02}:{m:02}" for h in range(24) for m in (0, 15, 30, 45)])
DAYS = st.lists(st.sampled_from(EVERY.split()), min_size=1, unique=True).map(" ".join)
ZONES = st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"])
# Around both changes of clocks, and in between.
STARTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 10), timezones=st.just(UTC)).map(
    lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0)
)


def _works(given_hours: WorkingHours, instant: datetime, zone: ZoneInfo) -> bool:
    """Whether somebody works in the quarter that begins then, by the clock on the wall: an oracle where no clock changes near."""
    wall = instant.astimezone(zone)
    time, today = f"{wall:%H:%M}", f"{wall:%a}"
    yesterday = f"{wall - timedelta(days=1):%a}"
    if given_hours.to > given_hours.from_:
        return today in given_hours.days and given_hours.from_ <= time < given_hours.to
    return (today in given_hours.days and time >= given_hours.from_) or (yesterday in given_hours.days and time < given_hours.to)


@given(TIMES, TIMES, DAYS, ZONES, STARTS, st.integers(1, 40))
def test_as_many_quarters_are_worked(begin: str, end: str, days: str, name: str, start: datetime, quarters: int) -> None:
    given_hours, zone = hours(begin, end, name, days), ZoneInfo(name)
    found = later(given_hours, start, quarters * 900)
    assert found is not None
    offsets = {
        (start + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(-30, int((found - start).total_seconds() // HOUR) + 30)
    }
    if len(offsets) > 1:
        assert found >= start + quarters * QUARTER
        return
    count, instant = 0, start
    while instant < found:
        count += _works(given_hours, instant, zone)
        instant += QUARTER
    assert count == quarters and _works(given_hours, found - QUARTER, zone)


@given(TIMES, TIMES, DAYS, ZONES, STARTS, st.integers(0, 90_000), st.integers(0, 90_000))
def test_to_wait_twice_is_to_wait_the_sum(begin: str, end: str, days: str, name: str, start: datetime, first_s: int, second_s: int) -> None:
    """Also where clocks change."""
    given_hours: Any = hours(begin, end, name, days)
    halfway, at_once = later(given_hours, start, first_s), later(given_hours, start, first_s + second_s)
    if halfway is not None and at_once is not None and first_s and second_s:
        assert abs((later(given_hours, halfway, second_s) or at_once) - at_once) < timedelta(milliseconds=1)
