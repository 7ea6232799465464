"""Who passes a closed window, and by what right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import HistoryEntry, ImageChange, Pin, PinnedImage, ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.rules.new_attempt import passage_of
from ecs_release.domain.rules.window_passage import acknowledge_override
from tests.builders import facts as builders
from tests.builders.ecs import NEW, NOW, OLD
from tests.builders.facts import changed
from tests.builders.objects import environment, release

CLOSED = [{"name": "freeze", "kind": "Deny", "startTime": "2026-05-01T00:00:00Z", "endTime": "2026-05-05T00:00:00Z", "reason": "audit"}]
PIN = Pin(images=[PinnedImage(container="app", digest=OLD)])


def entry(days_ago: float, digest: str, outcome: str = "Succeeded") -> HistoryEntry:
    at = NOW - timedelta(days=days_ago)
    images = [ImageChange(container="app", to_digest=digest)]
    return HistoryEntry(attempt_id=str(days_ago), start_time=at, completion_time=at, outcome=outcome, images=images)


def in_windows(windows: Any = CLOSED, override: str = "", *history: HistoryEntry, now: datetime = NOW) -> Facts:
    annotations = {"ecs-release.dev/override-window": override} if override else {}
    web = release(annotations=annotations, status=ReleaseStatus(history=list(history) or None))
    return builders.facts(release=web, now=now, environment=environment(windows=windows))


def goes(found: Facts, **more: Any) -> bool:
    return passage_of(found, Draft.of(found.status), PIN, **more).is_open


@pytest.mark.parametrize(
    ("history", "passes"),
    [
        ([], False),
        ([entry(1, NEW), entry(3, OLD)], True),
        ([entry(1, NEW), entry(30, OLD)], True),
        ([entry(8, NEW), entry(30, OLD)], False),
        ([entry(1, NEW), entry(2, OLD, "RolledBack")], False),
        ([entry(1, NEW), entry(3, OLD, "NothingRunning")], False),
        ([entry(1, OLD, "RolledBack"), entry(2, NEW), entry(20, OLD)], True),
        ([entry(6.9, NEW, "RolledBack"), entry(30, OLD)], True),
    ],
)
def test_a_return_to_what_was_ready_in_the_last_seven_days_passes(history: list[HistoryEntry], passes: bool) -> None:
    """What was Ready is Ready until the next attempt began."""
    assert goes(in_windows(CLOSED, "", *history)) is passes
    assert not goes(in_windows(CLOSED, "", *history), rebuilds=True)


def test_the_closed_window_is_told() -> None:
    found = passage_of(in_windows(), Draft.of(ReleaseStatus()), PIN)
    assert found.closed is not None and not found.is_open
    assert (found.closed.name, found.closed.reason) == ("freeze", "audit")
    assert found.closed.next_open_time == datetime.fromisoformat("2026-05-05T00:00:00Z")


def test_outside_of_windows_all_goes() -> None:
    assert goes(in_windows(None)) and goes(in_windows(now=NOW + timedelta(days=7)))


def test_a_rollback_passes() -> None:
    assert goes(changed(in_windows(), reverting=True))


@pytest.mark.parametrize(
    ("request_", "passes"), [("t/because", True), ("t/a/b", True), ("t", False), ("t/", False), ("/because", False), ("", False)]
)
def test_an_override_is_a_token_and_a_reason(request_: str, passes: bool) -> None:
    assert goes(in_windows(CLOSED, request_)) is passes


def test_an_override_works_once() -> None:
    found = in_windows(CLOSED, "t/because")
    draft = Draft.of(found.status)
    assert passage_of(found, draft, PIN).override == "t/because"
    acknowledge_override(found, draft)
    assert draft.handled_override == "t/because" and not passage_of(found, draft, PIN).is_open
    assert [e.reason for e in draft.events] == ["OverrideIgnored"]
