"""Durations and points in time, as kubectl reads and writes them."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest

from ecs_release.cli.kubectl.terminal import durations

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("500ms", 0.5), ("1.5h", 5400), ("0", 0)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert durations.parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "x", "5 m", "m5", "5mm", "-5s", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no duration"):
        durations.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00+00:00"),
        ("2026-11-24T10:00:00+01:00", "2026-11-24T10:00:00+01:00"),
        ("2h", "2026-11-24T10:00:00+00:00"),
        ("7d", "2026-11-17T12:00:00+00:00"),
    ],
)
def test_points_in_time_are_read(text: str, expected: str) -> None:
    assert durations.parse_time(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["999999999d", "99999999d", "9" * 400 + "d"])
def test_what_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"is longer ago than a calendar goes|is no duration"):
        durations.parse_time(text, NOW)
