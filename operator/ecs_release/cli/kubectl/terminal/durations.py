"""Durations as kubectl reads and writes them."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Parse a duration such as 30s, 5m, 1h30m or 2d; a bare number is seconds. Raises ArgumentTypeError."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ArgumentTypeError(f"{text!r} is no duration: write 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def parse_time(text: str, now: datetime) -> datetime:
    """Parse a point in time: RFC 3339, a date (UTC), or a duration before `now`. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _before(now, text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _before(now: datetime, text: str) -> datetime:
    try:
        return datetime.fromtimestamp(now.timestamp() - parse_duration(text), UTC)
    except (OverflowError, ValueError, OSError) as error:  # Before the year 1, or beyond what the platform's clock counts.
        raise ArgumentTypeError(f"{text!r} is longer ago than a calendar goes: write a date, or a shorter duration") from error
