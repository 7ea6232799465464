"""Spans of time as kubectl reads and writes them."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 31_536_000


def seconds(text: str) -> float:
    """Read a duration such as 30s, 5m, 1h30m or 2d; a bare number is seconds. Raises ArgumentTypeError, for argparse to print."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ArgumentTypeError(f"{text!r} is no duration: write 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def age(total_s: float) -> str:
    """Write a span as kubectl's AGE does: two units while it is young, one later (apimachinery, duration.HumanDuration)."""
    total = int(total_s)
    if total < 0:
        return "0s"
    steps = (
        (2 * _MINUTE, (("s", 1),)),
        (10 * _MINUTE, (("m", _MINUTE), ("s", 1))),
        (3 * _HOUR, (("m", _MINUTE),)),
        (8 * _HOUR, (("h", _HOUR), ("m", _MINUTE))),
        (2 * _DAY, (("h", _HOUR),)),
        (8 * _DAY, (("d", _DAY), ("h", _HOUR))),
        (2 * _YEAR, (("d", _DAY),)),
    )
    units = next((found for below, found in steps if total < below), (("y", _YEAR), ("d", _DAY)))
    text, left = "", total
    for unit, size in units:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count or not text else ""
    return text


def since(time: datetime | None, now: datetime) -> str:
    """Write how long ago something was; an empty string where nobody knows."""
    return age((now - time).total_seconds()) if time is not None else ""


def instant(text: str, now: datetime) -> datetime:
    """Read a point in time: RFC 3339, a date (UTC), or a duration before `now`. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.fromtimestamp(now.timestamp() - seconds(text), UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
