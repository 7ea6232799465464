"""Windows: tables of instants, and an oracle that asks the cron library minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecs_release.api.conditions import Reason
from ecs_release.api.windows import Window
from ecs_release.domain.environments.windows import WindowState, check, evaluate, next_change
from ecs_release.domain.model.errors import Blocked

MINUTE = timedelta(minutes=1)


def window(name: str, kind: str = "Deny", **more: Any) -> Window:
    return Window.model_validate({"name": name, "kind": kind, **more})


def cron(name: str, expression: str, hours: float, kind: str = "Deny", zone: str | None = "Europe/London") -> Window:
    return window(name, kind, cron=expression, durationSeconds=int(hours * 3600), timeZone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}" if text[4:5] != "-" else text).replace(tzinfo=UTC)


# London is at UTC+1 from 29 March 01:00 UTC to 25 October 01:00 UTC 2026.
WEEKEND = window("weekend", cron="0 17 * * FRI", durationSeconds=216000, timeZone="Europe/London", reason="weekend freeze")
CHRISTMAS = window("christmas", startTime="2026-12-23T12:00:00Z", endTime="2027-01-02T09:30:15Z", reason="peak")
OFFICE = cron("office", "0 9 * * MON-FRI", 8, "Allow")
SUNDAY = cron("sunday", "0 10 * * SUN", 2, "Allow")
LUNCH = cron("lunch", "0 12 * * *", 1)
NIGHT = cron("night", "0 22 * * *", 8, zone=None)
MORNING = cron("morning", "0 6 * * *", 2, zone=None)
ALWAYS = cron("always", "0 0 * * MON", 24 * 7, zone=None)
EVEN, ODD = cron("even", "*/2 * * * *", 1 / 60), cron("odd", "1-59/2 * * * *", 1 / 60)
OUTSIDE = "outside of all Allow windows: office, sunday"

TABLE = [
    ("no windows", [], "07-01 12:00", None, None),
    ("weekend, winter: the second before", [WEEKEND], "01-09 16:59:59", None, "01-09 17:00"),
    ("weekend, winter: opens inclusive", [WEEKEND], "01-09 17:00", "weekend", "01-12 05:00"),
    ("weekend, winter: the last second", [WEEKEND], "01-12 04:59:59", "weekend", "01-12 05:00"),
    ("weekend, winter: ends exclusive", [WEEKEND], "01-12 05:00", None, "01-16 17:00"),
    ("weekend, summer: an hour earlier", [WEEKEND], "07-03 16:00", "weekend", "07-06 04:00"),
    ("weekend, clocks forward: real time", [WEEKEND], "03-28 12:00", "weekend", "03-30 05:00"),
    ("weekend, clocks back: real time", [WEEKEND], "10-24 12:00", "weekend", "10-26 04:00"),
    ("christmas: before", [CHRISTMAS], "12-23 11:59:59", None, "12-23 12:00"),
    ("christmas: start", [CHRISTMAS], "12-23 12:00", "christmas", "2027-01-02 09:30:15"),
    ("christmas: end, to the second", [CHRISTMAS], "2027-01-02 09:30:15", None, None),
    ("christmas: the hour it ends", [CHRISTMAS], "2027-01-02 09:30:14.5", "christmas", "2027-01-02 09:30:15"),
    ("christmas inside a weekend: the first names it, both hold", [WEEKEND, CHRISTMAS], "12-25 18:00", "weekend", "2027-01-04 05:00"),
    ("overlapping, the other order", [CHRISTMAS, WEEKEND], "12-25 18:00", "christmas", "2027-01-04 05:00"),
    ("Allow: inside", [OFFICE], "07-01 08:00", None, "07-01 16:00"),
    ("Allow: after hours", [OFFICE], "07-03 16:00", "office", "07-06 08:00"),
    ("Allow: outside of both", [OFFICE, SUNDAY], "07-03 16:00", "office, sunday", "07-05 09:00"),
    ("Allow: clocks change in between", [OFFICE], "03-27 17:00", "office", "03-30 08:00"),
    ("Allow once, over", [window("go", "Allow", startTime="2026-01-01T00:00:00Z", endTime="2026-01-02T00:00:00Z")], "07-01 12:00", "go", None),
    ("Allow and Deny: Deny wins", [OFFICE, LUNCH], "07-01 11:00", "lunch", "07-01 12:00"),
    ("Allow and Deny: Deny ends outside of Allow", [OFFICE, WEEKEND], "07-03 16:00", "weekend", "07-06 08:00"),
    ("Allow and Deny: outside, then Deny", [OFFICE, cron("monday", "0 9 * * MON", 1)], "07-04 12:00", "office", "07-06 09:00"),
    ("back to back: both are skipped", [NIGHT, MORNING], "07-01 23:00", "night", "07-02 08:00"),
    ("back to back: across midnight, the second", [NIGHT, MORNING], "07-02 06:00", "morning", "07-02 08:00"),
    ("longer than its period", [ALWAYS], "07-01 12:00", "always", None),
    ("longer than its period, far", [cron("year", "0 0 1 * *", 24 * 365)], "07-01 12:00", "year", None),
    ("opened long ago, still open", [cron("long", "0 0 2 7 *", 24 * 364, zone=None)], "2027-06-30 23:00", "long", "2027-07-01 00:00"),
    ("never opens, minute by minute", [EVEN, ODD], "07-01 12:00", "even", None),
    ("opens in the next minute", [EVEN], "07-01 12:00:30", "even", "07-01 12:01"),
    ("Allow that is always there", [cron("any", "* * * * *", 1, "Allow")], "07-01 12:00", None, None),
    ("Allow that never comes", [cron("leap", "0 0 29 2 *", 1, "Allow")], "2097-07-01 12:00", "leap", None),
    ("opens beyond the horizon", [window("long", startTime="2026-01-01T00:00:00Z", endTime="2028-01-01T00:00:00Z")], "06-01 00:00", "long", None),
    ("opens within the horizon", [window("long", startTime="2026-01-01T00:00:00Z", endTime="2028-01-01T00:00:00Z")], "2027-01-01 00:00", "long", "2028-01-01 00:00"),
    ("skipped hour: right after it", [cron("gap", "30 1 * * *", 0.25)], "03-29 01:00", "gap", "03-29 01:15"),
    ("skipped hour: not before", [cron("gap", "30 1 * * *", 0.25)], "03-29 00:59", None, "03-29 01:00"),
    ("repeated hour: the first time", [cron("fold", "30 1 * * *", 0.25)], "10-25 00:30", "fold", "10-25 00:45"),
    ("repeated hour: not again", [cron("fold", "30 1 * * *", 0.25)], "10-25 01:30", None, "10-26 01:30"),
    ("repeated hour: every hour is every hour", [cron("hourly", "30 * * * *", 0.25)], "10-25 01:30", "hourly", "10-25 01:45"),
    ("skipped midnight of Cairo", [cron("gap", "0 0 * * *", 1, zone="Africa/Cairo")], "04-23 22:00", "gap", "04-23 23:00"),
    ("repeated 23:00 of Cairo", [cron("fold", "0 23 * * *", 1, zone="Africa/Cairo")], "10-29 21:00", None, "10-30 21:00"),
    ("skipped into the next day: Nuuk", [cron("gap", "30 23 * * SAT", 1, zone="America/Nuuk")], "03-29 01:00", "gap", "03-29 02:00"),
    ("repeated midnight of Havana", [cron("fold", "30 0 * * SUN", 0.5, zone="America/Havana")], "2024-11-03 05:30", None, "2024-11-10 05:30"),
    ("either day of month or of week", [cron("or", "0 0 13 * FRI", 24, zone=None)], "07-13 12:00", "or", "07-14 00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("windows", "now", "closer", "change"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE])
def test_instants(windows: Sequence[Window], now: str, closer: str | None, change: str | None) -> None:
    state, expected = evaluate(windows, at(now)), at(change) if change else None
    assert (state.closed, state.window) == (closer is not None, closer or "")
    assert state.next_open == (expected if state.closed else None)
    assert next_change(windows, at(now)) == expected
    assert all(t is None or t.tzinfo is UTC for t in (state.next_open, next_change(windows, at(now))))


def test_what_closes_is_named() -> None:
    assert evaluate([WEEKEND], at("01-10 12:00")) == WindowState(True, "weekend", "weekend freeze", at("01-12 05:00"))
    assert evaluate([LUNCH], at("01-10 12:00")).reason == "no reason given"
    assert evaluate([OFFICE, SUNDAY], at("07-03 16:00")).reason == OUTSIDE
    assert evaluate([OFFICE], at("07-01 08:00")) == WindowState(False)


def test_any_zone_of_now_will_do() -> None:
    assert evaluate([WEEKEND], datetime(2026, 7, 3, 17, tzinfo=ZoneInfo("Europe/London"))).next_open == at("07-06 04:00")


BAD = [
    (cron("bad", "0 25 * * *", 1), "window 'bad': cron '0 25 * * *' is not understood: Bad hour"),
    (cron("bad", "0 0 31 2 *", 1), "is not understood: Bad day-of-month"),
    (cron("bad", "@ L # / ,", 1), "is not understood"),
    (cron("bad", "0 0 * * *", 1, zone="Europe/Lundun"), "window 'bad': timeZone 'Europe/Lundun' is not known"),
    (cron("bad", "0 0 * * *", 1, zone="Europe"), "timeZone 'Europe' is not known"),
    (cron("bad", "0 0 * * *", 1, zone="/etc/passwd"), "timeZone '/etc/passwd' is not known"),
    (window("bad"), "window 'bad' has no times"),
    (window("bad", cron="0 0 * * *"), "window 'bad' has no times"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_what_means_nothing_is_refused(bad: Window, message: str) -> None:
    for refuse in (lambda: check([WEEKEND, bad]), lambda: evaluate([WEEKEND, bad], at("01-01 00:00")), lambda: next_change([bad], at("01-01 00:00"))):  # fmt: skip
        with pytest.raises(Blocked) as refused:
            refuse()
        assert refused.value.reason == Reason.INVALID_SPEC
        assert message in refused.value.message


def test_good_windows_pass_the_check() -> None:
    check(w for row in TABLE for w in row[1])


@settings(deadline=None)
@given(st.text("0123456789*/,-#LW FRISUN", min_size=5, max_size=20))
def test_any_text_is_understood_or_refused(text: str) -> None:
    expression = " ".join((text.split() + ["*"] * 5)[:5])
    with suppress(Blocked):
        check([cron("any", expression, 1)])
        next_change([cron("any", expression, 1)], at("01-01 00:00"))


# Any windows. Weeks in which clocks change somewhere are as likely as all others together.
ZONES = [
    None,
    "Europe/London",
    "America/New_York",
    "Africa/Cairo",
    "America/Havana",
    "America/Nuuk",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]
CHANGES = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-04", "2026-10-25", "2026-10-30", "2026-11-01", "2027-02-28"]
minutes = st.sampled_from(["0", "30", "15,45", "*/20", "*", "10-50/20", "59"])
hours = st.sampled_from(["*", "0", "1", "2", "23", "*/6", "9-17", "0,12"])
days = st.sampled_from(["* * *", "* * FRI", "* * MON-FRI", "* * 0,6", "1 * *", "L * *", "13 * FRI", "*/2 * SUN", "* 3,10 *"])
durations = st.sampled_from([1 / 60, 0.5, 1, 2.51, 8, 24, 60])
windows = st.builds(
    lambda name, kind, m, h, d, hours, zone: cron(name, f"{m} {h} {d}", hours, kind, zone),
    st.sampled_from("abc"), st.sampled_from(["Deny", "Allow"]), minutes, hours, days, durations, st.sampled_from(ZONES),
)  # fmt: skip
nows = st.builds(
    lambda day, seconds: at(f"{day} 00:00") + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.integers(-2 * 86400, 2 * 86400),
)


def inside(window: Window, now: datetime) -> bool:
    assert window.cron is not None and window.duration_seconds is not None
    duration, zone = timedelta(seconds=window.duration_seconds), ZoneInfo(window.time_zone or "UTC")
    # From a while before: the library does not look back over a change of the clock.
    openings = CronSim(window.cron, (now - duration - timedelta(days=3)).astimezone(zone))
    return any(now - duration < o <= now for o in takewhile(lambda o: o <= now, (o.astimezone(UTC) for o in openings)))


@settings(deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), nows)
def test_every_instant_is_as_the_library_says(windows: list[Window], now: datetime) -> None:
    denied = any(inside(w, now) for w in windows if w.kind == "Deny")
    allows = [w for w in windows if w.kind == "Allow"]
    assert evaluate(windows, now).closed == (denied or (bool(allows) and not any(inside(w, now) for w in allows)))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(windows, max_size=4), nows)
@example([OFFICE, WEEKEND, LUNCH], at("03-27 17:00"))
def test_nothing_changes_before_it_is_said_to(windows: list[Window], now: datetime) -> None:
    state, change = evaluate(windows, now), next_change(windows, now)
    assert state.next_open == (change if state.closed else None)
    end = min(change or now + timedelta(days=2), now + timedelta(days=2))
    assert all(evaluate(windows, now + i * MINUTE).closed == state.closed for i in range(-(-(end - now) // MINUTE)))
    if change is not None:
        assert change > now
        assert evaluate(windows, change).closed != state.closed
        assert evaluate(windows, change - timedelta(microseconds=1)).closed == state.closed
