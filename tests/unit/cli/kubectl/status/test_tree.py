"""What `status` says: the verdict on the spec that is there, the tree, and the lines of a log."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console, Group

from ecs_release.cli.kubectl.status.header import heading
from ecs_release.cli.kubectl.status.readiness import Verdict, standing
from ecs_release.cli.kubectl.status.snapshot import Scene
from ecs_release.cli.kubectl.status.tree import tree
from ecs_release.cli.kubectl.status.watch_log import changes
from tests.unit.cli.kubectl.objects import (
    EVIDENCE,
    NOW,
    READY,
    ROLLED_BACK,
    ROLLING,
    WAITING,
    ago,
    conditions,
    environment,
    member,
    release,
    release_set,
)

CONFLICT = {"phase": "Failed", "conditions": conditions("TargetConflict", "held by another", stalled="True")}
RETRY = {"ecs-release.dev/retry": "7"}


@pytest.mark.parametrize(
    ("body", "verdict", "current"),
    [
        (release(standing=READY), Verdict.READY, True),
        (release(standing=ROLLED_BACK), Verdict.STALLED, True),
        (release(standing=ROLLING), Verdict.UNDER_WAY, True),
        (release(standing=WAITING), Verdict.UNDER_WAY, True),
        (release(standing=READY, generation=2), Verdict.UNDER_WAY, False),
        (release(standing=ROLLED_BACK, generation=2), Verdict.UNDER_WAY, False),
        (release(standing=ROLLED_BACK, annotations=RETRY), Verdict.UNDER_WAY, False),
        (release(standing=ROLLED_BACK, annotations=RETRY, lastHandledRetry="7"), Verdict.STALLED, True),
        (release(standing=READY, annotations={"ecs-release.dev/refresh": "1"}), Verdict.UNDER_WAY, False),
        # What blocks the Release blocks its requests, too: whoever waits should hear of it.
        (release(standing=CONFLICT, annotations=RETRY), Verdict.STALLED, True),
        ({"metadata": {"generation": 1}}, Verdict.UNDER_WAY, False),
        ({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, Verdict.UNDER_WAY, False),
        ({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": []}}, Verdict.UNDER_WAY, False),
    ],
)
def test_the_verdict_is_about_the_spec_that_is_there(body: dict[str, Any], verdict: Verdict, current: bool) -> None:
    found = standing(body)
    assert (found.verdict, found.current) == (verdict, current)


def drawn(scene: Scene, *, wide: bool = False) -> list[str]:
    console = Console(width=400, no_color=True, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(Group(*heading(scene, NOW), tree(scene, NOW, wide=wide)))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_set_is_drawn_wave_by_wave() -> None:
    children = [
        release("search"),
        release(
            "checkout", runs={"a": 2}, standing=ROLLED_BACK,
            rollout={"attemptID": "x", "outcome": "RolledBack", "evidence": [EVIDENCE], "links": {"events": "https://console/events"}},
        ),
        release("web", runs={"a": 1, "b": 1}, standing=ROLLING, rollout={"attemptID": "y", "stage": "IN_PROGRESS", "deploymentID": "ecs-svc/1"}),
    ]  # fmt: skip
    body = release_set(
        member("search"), member("checkout", "Failed"), member("web", "Progressing"), member("mail", "Pending"),
        standing=ROLLED_BACK, waves=[["search"], ["checkout"], ["web", "mail"]],
    )  # fmt: skip
    scene = Scene(body, {c["metadata"]["name"]: c for c in children}, environment())

    assert drawn(scene) == [
        "Name:         releaseset/storefront-staging in namespace shop",
        "Project:      shop, service set storefront",
        "Environment:  staging  111122223333 eu-west-1, cluster staging, observed 12s ago",
        "Status:       ✖ RolledBack  ECS rolled back to checkout:3: tasks failed to start",
        "Progress:     1/3 ready",
        "Wanted:       bbbbbbb",
        "By:           ben",
        "Why:          faster pages",
        "Link:         https://example.com/pull/7",
        "storefront-staging",
        "├── wave 1 Open",
        "│   └── ✔ search bbbbbbb  Ready 48s  ████████████ 2/2 tasks",
        "│       └── app  bbbbbbb bbbbbbbbbbbb  runs",
        "├── wave 2 Open",
        "│   └── ✖ checkout bbbbbbb  RolledBack 48s  ▒▒▒▒▒▒▒▒▒▒▒▒ 2/2 tasks, 0 new",
        "│       ├── app  bbbbbbb bbbbbbbbbbbb  runs aaaaaaa in 2",
        "│       ├── RolledBack: ECS rolled back to checkout:3: tasks failed to start",
        "│       ├── failed task 7e24bbd1668657800d16be8c9f9f5a9f, container app, exit code 1",
        "│       │   ├── Essential container in task exited",
        "│       │   ├── log /ecs/app app/app/7e24",
        "│       │   └── https://console/log",
        "│       └── ECS events: https://console/events",
        "└── wave 3 Open",
        "    ├── ◐ web bbbbbbb  Progressing 48s  ██████▒▒▒▒▒▒ 2/2 tasks, 1 new",
        "    │   ├── app  bbbbbbb bbbbbbbbbbbb  runs aaaaaaa in 1, bbbbbbb in 1",
        "    │   ├── RollingOut: 1 of 2 new tasks",
        "    │   └── stage IN_PROGRESS  ecs-svc/1",
        "    └── ○ mail bbbbbbb  Pending",
    ]


def test_a_release_shows_what_blocks_it_and_how_old_that_is() -> None:
    body = release(
        standing=WAITING, runs={"a": 1}, desired=3,
        plan={"images": [{"container": "app", "fromHash": "aaaaaaa", "toHash": "bbbbbbb"}]},
        spec={"suspend": True},
        annotations={"ecs-release.dev/applied-by": "argocd"},
    )  # fmt: skip
    lines = drawn(Scene(body, {}, environment(seen=ago(minutes=20), spec={"suspend": {"reason": "audit"}})))
    for line in (
        "Environment:  staging  111122223333 eu-west-1, cluster staging, observed 20m ago",
        "By:           ben (applied by argocd)",
        "Blocked by:   Environment staging is suspended: audit",
        "Blocked by:   spec.suspend is true",
        "Blocked by:   window weekend, closed until 2026-11-30 05:00 UTC: freeze",
        "Plan:         app aaaaaaa to bbbbbbb",
        "◷ web bbbbbbb  Waiting 48s  ▒▒▒▒░░░░░░░░ 1/3 tasks, 0 new, 2 pending",
    ):
        assert line in lines


def test_wide_shows_whole_digests_and_what_is_left_alone() -> None:
    lines = drawn(Scene(release(), {}, None), wide=True)
    assert "Environment:  staging" in lines
    assert lines[-2:] == [f"├── app  bbbbbbb sha256:{'b' * 64}  runs", "└── log  left alone  runs eeeeeeeeeeee in 2"]


def test_nothing_runs_and_nothing_is_known() -> None:
    assert drawn(Scene(release(runs={}, desired=0), {}, None))[-2:] == [
        "✔ web bbbbbbb  Ready 48s  0/0 tasks",
        "└── app  bbbbbbb bbbbbbbbbbbb  nothing seen",
    ]
    new = {**release(), "status": {"observedGeneration": -1}}
    assert drawn(Scene(new, {}, None))[-1] == "└── the operator has not looked at it yet"


def test_a_platforms_digest_counts_as_the_lists() -> None:
    body = release(runs={"p": 2})
    body["status"]["pin"]["images"][0]["platformDigests"] = [f"sha256:{'p' * 64}"]
    assert "2/2 tasks" in drawn(Scene(body, {}, None))[-2]
    assert "new" not in drawn(Scene(body, {}, None))[-2]
    assert drawn(Scene(body, {}, None))[-1] == "└── app  bbbbbbb bbbbbbbbbbbb  runs"


def test_a_log_tells_each_change_once() -> None:
    before = Scene(release(standing=ROLLING, runs={"a": 2}), {}, environment())
    after = Scene(release(standing=READY), {}, environment())
    assert changes(None, before, NOW) == ["2026-11-24T12:00:00Z  release/web-staging  Progressing  RollingOut: 1 of 2 new tasks"]
    assert changes(before, before, NOW) == []
    assert changes(before, Scene(before.body, {}, environment(), lost="no answer"), NOW) == ["2026-11-24T12:00:00Z  no answer"]
    assert changes(before, after, NOW) == [
        "2026-11-24T12:00:00Z  release/web-staging  Ready  Succeeded: 2 of 2 tasks run the wanted digests"
    ]


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    body = release(spec={"change": {"description": "\x1b[2J\nName: forged", "requestedBy": "\x07ben"}})
    text = "\n".join(drawn(Scene(body, {}, None)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "Why:           [2J Name: forged" in text
