"""Ages as kubectl writes them. Pure."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 31_536_000


def age(total_s: float) -> str:
    """Format a duration as kubectl's AGE: two units if it is short, else one (apimachinery, duration.HumanDuration)."""
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
    """Format how long ago a time was; empty if it is None."""
    return age((now - time).total_seconds()) if time is not None else ""
