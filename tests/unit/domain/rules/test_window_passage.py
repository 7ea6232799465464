"""Who passes a closed window, and by what right."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, ImageChange, Pin, PinnedImage, ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.rules.window_passage import acknowledge_override, passage
from tests.builders.ecs import NEW, NOW, OLD
from tests.unit.domain.environments.test_targets import environment

CLOSED = [{"name": "freeze", "kind": "Deny", "startTime": "2026-05-01T00:00:00Z", "endTime": "2026-05-05T00:00:00Z", "reason": "audit"}]
PIN = Pin(images=[PinnedImage(container="app", digest=OLD)])


def entry(days_ago: float, digest: str, outcome: str = "Succeeded") -> HistoryEntry:
    at = NOW - timedelta(days=days_ago)
    images = [ImageChange(container="app", to_digest=digest)]
    return HistoryEntry(attempt_id=str(days_ago), start_time=at, completion_time=at, outcome=outcome, images=images)


def facts(windows: Any = CLOSED, override: str = "", *history: HistoryEntry, now: datetime = NOW) -> Facts:
    annotations = {"ecs-release.dev/override-window": override} if override else {}
    body = {
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {"projectRef": {"name": "p"}, "service": "web", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "a"}},
    }
    release = Release.model_validate(body).model_copy(update={"status": ReleaseStatus(history=list(history) or None)})
    return Facts(release=release, now=now, environment=environment(windows=windows))


def goes(found: Facts, **more: Any) -> bool:
    return passage(found, Draft.of(found.status), PIN, **more).is_open


@pytest.mark.parametrize(
    ("history", "passes"),
    [
        ([], False),
        ([entry(1, NEW), entry(3, OLD)], True),
        ([entry(1, NEW), entry(30, OLD)], True),
        ([entry(8, NEW), entry(30, OLD)], False),
        ([entry(1, NEW), entry(2, OLD, "RolledBack")], False),
        ([entry(1, OLD, "RolledBack"), entry(2, NEW), entry(20, OLD)], True),
        ([entry(6.9, NEW, "RolledBack"), entry(30, OLD)], True),
    ],
)
def test_a_return_to_what_was_ready_in_the_last_seven_days_passes(history: list[HistoryEntry], passes: bool) -> None:
    """What was Ready is Ready until the next attempt began."""
    assert goes(facts(CLOSED, "", *history)) is passes
    assert not goes(facts(CLOSED, "", *history), rebuilds=True)


def test_the_closed_window_is_told() -> None:
    found = passage(facts(), Draft.of(ReleaseStatus()), PIN)
    assert found.closed is not None and not found.is_open
    assert (found.closed.name, found.closed.reason) == ("freeze", "audit")
    assert found.closed.next_open_time == datetime.fromisoformat("2026-05-05T00:00:00Z")


def test_outside_of_windows_all_goes() -> None:
    assert goes(facts(None)) and goes(facts(now=NOW + timedelta(days=7)))


def test_a_rollback_passes() -> None:
    assert goes(replace(facts(), reverting=True))


@pytest.mark.parametrize(
    ("request_", "passes"), [("t/because", True), ("t/a/b", True), ("t", False), ("t/", False), ("/because", False), ("", False)]
)
def test_an_override_is_a_token_and_a_reason(request_: str, passes: bool) -> None:
    assert goes(facts(CLOSED, request_)) is passes


def test_an_override_works_once() -> None:
    found = facts(CLOSED, "t/because")
    draft = Draft.of(found.status)
    assert passage(found, draft, PIN).override == "t/because"
    acknowledge_override(found, draft)
    assert draft.handled_override == "t/because" and not passage(found, draft, PIN).is_open
    assert [e.reason for e in draft.events] == ["OverrideIgnored"]
