"""Where a commit is, in words, with the mark and the style of each."""

from __future__ import annotations

from ecs_release.domain.presence.presence import State
from ecs_release.pages.readiness import MARKS, PENDING

WORDS = {
    State.LIVE: ("live", *MARKS["Ready"]),
    State.IN_FLIGHT: ("in flight", *MARKS["Progressing"]),
    State.WAITING: ("waiting", *MARKS["Waiting"]),
    State.NOTHING_RUNS: ("nothing runs", *MARKS["Suspended"]),
    State.WAS_HERE: ("was here, gone", "↶", "warn"),
    State.NOT_YET: ("not yet", *PENDING),
    State.UNKNOWN: ("unknown", *MARKS["Unknown"]),
}
FAILED = ("failed", *MARKS["Failed"])
"""Of what was wanted and did not come up, or did not some time ago."""
