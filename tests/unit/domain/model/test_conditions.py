"""When an Event is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.conditions import Situation, is_news, kstatus_conditions, merge, stalled, waiting

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ASKING = waiting(Reason.COMMIT_UNKNOWN, "asking")
UNREADABLE = waiting(Reason.COMMIT_UNKNOWN, "it cannot be read")
AMBIGUOUS = stalled(Reason.COMMIT_UNKNOWN, "it is ambiguous")
BEHIND = stalled(Reason.GOES_BACKWARDS, "it is behind")


@pytest.mark.parametrize(
    ("before", "now", "due"),
    [
        (None, ASKING, True),
        (ASKING, ASKING, False),
        (ASKING, UNREADABLE, False),
        (ASKING, AMBIGUOUS, True),
        (AMBIGUOUS, AMBIGUOUS, False),
        (AMBIGUOUS, ASKING, False),
        (AMBIGUOUS, BEHIND, True),
    ],
)
def test_an_event_is_due_for_another_reason_and_where_waiting_ends_in_a_stall(before: Situation | None, now: Situation, due: bool) -> None:
    conditions = merge([], kstatus_conditions(before), 1, NOW) if before is not None else None
    assert is_news(conditions, now) is due
