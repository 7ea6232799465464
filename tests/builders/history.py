"""Attempts of a Release's history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ecs_release.api.release_status import HistoryEntry, ImageChange
from tests.builders.ecs import NEW, NOW, OLD


def history_entry(attempt: str = "a", outcome: str | None = None, *, took: float = 90, ago: float = 0, **more: Any) -> HistoryEntry:
    """An attempt from the old digest to the new one, that ended some seconds ago."""
    end = NOW - timedelta(seconds=ago)
    facts: dict[str, Any] = {
        "attempt_id": attempt, "outcome": outcome, "cause": "Requested", "deployment_id": "ecs-svc/2",
        "images": [ImageChange(container="app", from_digest=OLD, to_digest=NEW)],
        "start_time": end - timedelta(seconds=took), "completion_time": end if outcome else None,
    }  # fmt: skip
    return HistoryEntry(**facts | more)
