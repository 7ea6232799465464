"""The verdict is about the spec and the requests that are there now."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.pages.readiness import Verdict, readiness
from tests.unit.cli.kubectl.objects import (
    READY,
    ROLLED_BACK,
    ROLLING,
    WAITING,
    conditions,
    release,
)

CONFLICT = {"phase": "Failed", "conditions": conditions("TargetConflict", "held by another", stalled="True")}
RETRY = {"ecs-release.dev/retry": "7"}


@pytest.mark.parametrize(
    ("body", "verdict", "current"),
    [
        (release(readiness=READY), Verdict.READY, True),
        (release(readiness=ROLLED_BACK), Verdict.STALLED, True),
        (release(readiness=ROLLING), Verdict.UNDER_WAY, True),
        (release(readiness=WAITING), Verdict.UNDER_WAY, True),
        (release(readiness=READY, generation=2), Verdict.UNDER_WAY, False),
        (release(readiness=ROLLED_BACK, generation=2), Verdict.UNDER_WAY, False),
        (release(readiness=ROLLED_BACK, annotations=RETRY), Verdict.UNDER_WAY, False),
        (release(readiness=ROLLED_BACK, annotations=RETRY, lastHandledRetry="7"), Verdict.STALLED, True),
        (release(readiness=READY, annotations={"ecs-release.dev/refresh": "1"}), Verdict.UNDER_WAY, False),
        # What blocks the Release blocks its requests, too: whoever waits should hear of it.
        (release(readiness=CONFLICT, annotations=RETRY), Verdict.STALLED, True),
        ({"metadata": {"generation": 1}}, Verdict.UNDER_WAY, False),
        ({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, Verdict.UNDER_WAY, False),
        ({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": []}}, Verdict.UNDER_WAY, False),
    ],
)
def test_the_verdict_is_about_the_spec_that_is_there(body: dict[str, Any], verdict: Verdict, current: bool) -> None:
    found = readiness(body)
    assert (found.verdict, found.current) == (verdict, current)
