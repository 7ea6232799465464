"""`status --watch` off a terminal: one line for each change."""

from __future__ import annotations

from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.status.watch_log import changes
from tests.unit.cli.kubectl.objects import (
    NOW,
    READY,
    ROLLING,
    environment,
    release,
)


def test_a_log_tells_each_change_once() -> None:
    before = Snapshot(release(readiness=ROLLING, runs={"a": 2}), {}, environment())
    after = Snapshot(release(readiness=READY), {}, environment())
    assert changes(None, before, NOW) == ["2026-11-24T12:00:00Z  release/web-staging  Progressing  RollingOut: 1 of 2 new tasks"]
    assert changes(before, before, NOW) == []
    assert changes(before, Snapshot(before.body, {}, environment(), connection_error="no answer"), NOW) == [
        "2026-11-24T12:00:00Z  no answer"
    ]
    assert changes(before, after, NOW) == [
        "2026-11-24T12:00:00Z  release/web-staging  Ready  Succeeded: 2 of 2 tasks run the wanted digests"
    ]
