"""Whether a newer base revision is there, and whether it is followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import LastReady, ReadyImage, Rollout
from ecs_release.domain.drift.base_revision import must_follow, newer_base
from ecs_release.domain.ecs.service import TaskDefinition
from tests.builders.ecs import NEW, NOW
from tests.builders.revisions import PIN, pinned_draft, registered, registered_by_us, with_revisions


@pytest.mark.parametrize(
    ("running", "newest", "newer"),
    [
        (registered(1), registered(3), True),
        (registered(3), registered(3), False),
        (registered_by_us(4, base="3"), registered(3), False),
        (registered_by_us(2, base="1"), registered(3), True),
        (registered_by_us(2, base=""), registered(3), False),
        (registered_by_us(8, base="7"), registered_by_us(7, base="3", installation="second"), False),
        (registered(1), None, False),
    ],
)
def test_what_is_newer(running: TaskDefinition, newest: TaskDefinition | None, newer: bool) -> None:
    assert (newer_base(with_revisions(running, newest_foreign=newest)) is not None) is newer


CORRECT = {"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 60}


@pytest.mark.parametrize(
    ("rollout", "age_s", "outcome", "was_ready", "follows"),
    [
        (CORRECT, 61, "Succeeded", True, True),
        (CORRECT, 59, "Succeeded", True, False),
        (CORRECT, 61, "RolledBack", True, False),
        (CORRECT, 61, "Abandoned", True, True),
        (CORRECT, 61, None, True, False),
        (CORRECT, 61, "Succeeded", False, False),
        (CORRECT | {"onDrift": "Report"}, 61, "Succeeded", True, False),
        (CORRECT | {"baseRevision": "Service"}, 61, "Succeeded", True, False),
    ],
)
def test_a_newer_base_is_followed_under_law_5(
    rollout: dict[str, Any], age_s: int, outcome: str | None, was_ready: bool, follows: bool
) -> None:
    newest = replace(registered(3), registered_at=NOW - timedelta(seconds=age_s))
    found, ended = with_revisions(registered_by_us(2), rollout=rollout, newest_foreign=newest), pinned_draft()
    ended.rollout = Rollout(attempt_id="a1", outcome=outcome)
    if was_ready:
        ended.last_ready = LastReady(source_hash="src", time=NOW, images=[ReadyImage(container="app", digest=NEW)])
    assert must_follow(found, ended, PIN) is follows
