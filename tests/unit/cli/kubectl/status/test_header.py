"""The lines above the tree: what blocks an object, and who wants it."""

from __future__ import annotations

from ecs_release.cli.kubectl.status.snapshot import Snapshot
from tests.unit.cli.kubectl.objects import (
    WAITING,
    ago,
    environment,
    release,
)
from tests.unit.cli.kubectl.status.drawing import drawn


def test_a_release_shows_what_blocks_it_and_how_old_that_is() -> None:
    body = release(
        readiness=WAITING, runs={"a": 1}, desired=3,
        plan={"images": [{"container": "app", "fromHash": "aaaaaaa", "toHash": "bbbbbbb"}]},
        spec={"suspend": True},
        annotations={"ecs-release.dev/applied-by": "argocd"},
    )  # fmt: skip
    lines = drawn(Snapshot(body, {}, environment(seen=ago(minutes=20), spec={"suspend": {"reason": "audit"}})))
    for line in (
        "Environment:  staging  111122223333 eu-west-1, cluster staging, observed 20m ago",
        "By:           ben (applied by argocd)",
        "Blocked by:   Environment 'staging' is suspended: audit",
        "Blocked by:   spec.suspend is true: nothing is changed in AWS until it is false",
        "Blocked by:   window weekend, closed until 2026-11-30 05:00 UTC: freeze",
        "Plan:         app aaaaaaa to bbbbbbb",
        "◷ web bbbbbbb  Waiting 48s  ▒▒▒▒░░░░░░░░ 1/3 tasks, 0 new, 2 pending",
    ):
        assert line in lines


def test_an_observation_that_is_yet_to_come_is_not_fresh() -> None:
    text = "\n".join(drawn(Snapshot(release(), {}, environment(seen=ago(minutes=-20)))))
    assert "cluster staging, observed 20m from now: clocks differ" in text


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    body = release(spec={"change": {"description": "\x1b[2J\nName: forged", "requestedBy": "\x07ben"}})
    text = "\n".join(drawn(Snapshot(body, {}, None)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "Why:          \\x1b[2J Name: forged" in text
