"""The tree of a ReleaseSet or a Release."""

from __future__ import annotations

from ecs_release.cli.kubectl.status.snapshot import Snapshot
from tests.unit.cli.kubectl.objects import (
    EVIDENCE,
    ROLLED_BACK,
    ROLLING,
    environment,
    member,
    release,
    release_set,
)
from tests.unit.cli.kubectl.status.drawing import drawn


def test_a_set_is_drawn_wave_by_wave() -> None:
    children = [
        release("search"),
        release(
            "checkout", runs={"a": 2}, readiness=ROLLED_BACK,
            rollout={"attemptID": "x", "outcome": "RolledBack", "evidence": [EVIDENCE], "links": {"events": "https://console/events"}},
        ),
        release("web", runs={"a": 1, "b": 1}, readiness=ROLLING, rollout={"attemptID": "y", "stage": "IN_PROGRESS", "deploymentID": "ecs-svc/1"}),
    ]  # fmt: skip
    body = release_set(
        member("search"), member("checkout", "Failed"), member("web", "Progressing"), member("mail", "Pending"),
        readiness=ROLLED_BACK, waves=[["search"], ["checkout"], ["web", "mail"]],
    )  # fmt: skip
    snapshot = Snapshot(body, {c["metadata"]["name"]: c for c in children}, environment())

    assert drawn(snapshot) == [
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


def test_wide_shows_whole_digests_and_what_is_left_alone() -> None:
    lines = drawn(Snapshot(release(), {}, None), wide=True)
    assert "Environment:  staging" in lines
    assert lines[-2:] == [f"├── app  bbbbbbb sha256:{'b' * 64}  runs", "└── log  left alone  runs eeeeeeeeeeee in 2"]


def test_nothing_runs_and_nothing_is_known() -> None:
    assert drawn(Snapshot(release(runs={}, desired=0), {}, None))[-2:] == [
        "✔ web bbbbbbb  Ready 48s  0/0 tasks",
        "└── app  bbbbbbb bbbbbbbbbbbb  nothing seen",
    ]
    new = {**release(), "status": {"observedGeneration": -1}}
    assert drawn(Snapshot(new, {}, None))[-1] == "└── the operator has not looked at it yet"


def test_a_platforms_digest_counts_as_the_lists() -> None:
    body = release(runs={"p": 2})
    body["status"]["pin"]["images"][0]["platformDigests"] = [f"sha256:{'p' * 64}"]
    assert "2/2 tasks" in drawn(Snapshot(body, {}, None))[-2]
    assert "new" not in drawn(Snapshot(body, {}, None))[-2]
    assert drawn(Snapshot(body, {}, None))[-1] == "└── app  bbbbbbb bbbbbbbbbbbb  runs"
