"""The last thing that has happened to a Release or a ReleaseSet, by its status: what there may be to notify of."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class LastTransition(NamedTuple):
    """The time of the last transition in a status (RFC 3339, whole seconds; empty: none), and a checksum of all transitions in it."""

    time: str
    sum: int


NEVER = LastTransition("", 0)


def last_transition(status: Mapping[str, Any]) -> LastTransition:
    """Summarize the attempts (of a set: deployment sets), the drift and the overdue promotion in a status."""
    entries = status.get("history") or ()
    drift, promotion = status.get("lastDrift") or {}, status.get("promotion") or {}
    times = [e.get(name, "") for e in entries for name in ("startTime", "completionTime")]
    told = promotion.get("toldTime", "")
    summary = [(e.get("attemptID") or e.get("id"), e.get("outcome")) for e in entries], drift.get("startTime"), drift.get("endTime"), told
    last = max((*times, drift.get("startTime", ""), drift.get("endTime", ""), told))
    return LastTransition(last, zlib.crc32(repr(summary).encode())) if last else NEVER
