"""What GitHub's answers say beside what was asked for: why it refuses, and when to ask again."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ecs_release.api.visible_text import visible
from ecs_release.domain.model.errors import Throttled
from ecs_release.outbound.session import Answer

_LONGEST = 200
_UNSAID_S = 60.0
"""GitHub, "Rate limits for the REST API": without a header that says how long, wait for a minute at least."""


def throttled(answer: Answer, said: str) -> Throttled | None:
    """Return the Problem of an answer by which GitHub asks us to wait; `said` is what it answered to, for people."""
    after_s = _throttled_s(answer)
    return Throttled(f"{said}: asked to wait for {after_s:.0f} s", after_s) if after_s is not None else None


def _throttled_s(answer: Answer) -> float | None:
    """Return after how many seconds to ask again, if GitHub asks for that: 403 and 429, "Rate limits for the REST API"."""
    if answer.status not in (403, 429):
        return None
    after, left, resets = (answer.headers.get(name, "") for name in ("retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"))
    if after.isdigit():
        return float(after)
    if left == "0" and resets.isdigit():
        return max(1.0, float(resets) - time.time())
    if answer.status == 429 or "rate limit" in message(answer).lower():
        return _UNSAID_S
    return None


def message(answer: Answer) -> str:
    """Return what GitHub says of an error, in brackets; an empty string if it says nothing."""
    said = answer.body.get("message") if isinstance(answer.body, Mapping) else None
    return f" ({visible(str(said))[:_LONGEST]})" if said else ""
