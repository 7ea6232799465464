"""What each outcome counts as."""

from __future__ import annotations

import re
from pathlib import Path

from ecs_release.domain.notifications.outcome_measures import OUTCOMES

CONDITIONS = Path(__file__).parents[4] / "docs" / "reference" / "conditions.md"


def test_every_outcome_is_documented_and_counted_as_something() -> None:
    text = CONDITIONS.read_text()
    listed = re.search(r"In `status.history` of a Release: (.*?)\.\n\n", text, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"[A-Z]\w+", listed[1])) == {str(outcome) for outcome in OUTCOMES}
