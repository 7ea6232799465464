"""Two sides compared: by every digest of every container that is released, and only as far as tasks have shown them."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.pages.comparison.differences import NO_RELEASE, Seen, Side, Verdict, difference, running_side
from tests.unit.cli.kubectl.objects import REFUSED, conditions, digest, release

BLIND = {"phase": "Unknown", "conditions": conditions("ObservationFailed", "not observed for 7 min", ready="Unknown", reconciling="True")}


def verdict(before: Side, after: Side) -> Verdict:
    there, back = (difference(("shop", "shop", "web"), *sides, {}).verdict for sides in ((before, after), (after, before)))
    assert there is back
    return there


def runs(*containers: tuple[str, dict[str, int]], count: int = 2, pinned: tuple[str, ...] = (), **more: Any) -> Side:
    body = release("web", **more)
    shown = [{"name": name, "digests": [{"digest": digest(d), "tasks": n} for d, n in tasks.items()]} for name, tasks in containers]
    body["status"]["running"] |= {"runningCount": count, "containers": shown}
    body["status"]["pin"] = {"images": [{"container": name, "digest": digest("b")} for name in pinned]} if pinned else None
    return running_side(body)


APP = ("app", {"b": 2})
LISTED = runs(APP, pinned=("app",))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (LISTED, Verdict.SAME),
        (NO_RELEASE, Verdict.DIFFERS),
        (Side(), Verdict.UNKNOWN),
        # A container that only one side shows, and is released.
        (runs(APP, ("worker", {"b": 2}), pinned=("app", "worker")), Verdict.DIFFERS),
        (runs(APP, pinned=("app", "worker")), Verdict.SAME),
        # Without a pin it is not known which of them are released.
        (runs(APP, ("log", {"e": 2})), Verdict.SAME),
        (runs(("log", {"e": 2})), Verdict.DIFFERS),
        # A task has shown nothing yet: what the others show is not all that runs.
        (runs(("app", {"b": 1}), pinned=("app",)), Verdict.UNKNOWN),
        (runs(("app", {"a": 1}), pinned=("app",)), Verdict.DIFFERS),
        (runs(("app", {}), pinned=("app",)), Verdict.UNKNOWN),
        # New tasks run, and what they show is not known yet: the digests are those of the ones before.
        (runs(("app", {"b": 0}), pinned=("app",)), Verdict.UNKNOWN),
        (runs(("app", {"b": 0}), count=0, pinned=("app",)), Verdict.NOTHING_RUNS),
        (runs(count=0), Verdict.NOTHING_RUNS),
        # A digest of which no task is left is no part of a mix.
        (runs(("app", {"b": 2, "a": 0}), pinned=("app",)), Verdict.SAME),
        (runs(APP, pinned=("app",), readiness=REFUSED), Verdict.UNKNOWN),
        (runs(APP, pinned=("app",), readiness=BLIND), Verdict.UNKNOWN),
        (runs(("app", {"b": 0}), count=0, pinned=("app",), readiness=BLIND), Verdict.UNKNOWN),
        (LISTED.not_lately, Verdict.UNKNOWN),
    ],
)
def test_a_service_of_which_all_tasks_show_one_image_against(other: Side, expected: Verdict) -> None:
    assert verdict(LISTED, other) is expected


def test_platforms_of_one_image_are_no_mix() -> None:
    body = release("web", runs={"c": 1, "d": 1})
    body["status"]["pin"]["images"][0]["platformDigests"] = [digest("c"), digest("d")]
    assert verdict(running_side(body), running_side(release("web"))) is Verdict.SAME


def test_sides_without_digests_are_the_same_by_no_name() -> None:
    one, other = (Side(name, seen=Seen.ALL) for name in ("1a2b3c4", "5d6e7f8"))
    assert (verdict(one, one), verdict(one, other)) == (Verdict.UNKNOWN, Verdict.DIFFERS)
