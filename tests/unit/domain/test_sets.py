"""The parts of a decision about a set, as tables."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus, Rollout
from ecs_release.api.releaseset import ReleaseSetSpec, Strategy
from ecs_release.api.releaseset_status import SetService, SetWave
from ecs_release.domain.model import conditions
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Waiting
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import Standing, State, standing
from ecs_release.domain.sets.facts import Child, Resolved, set_hash
from ecs_release.domain.sets.pins import check_spec, together
from ecs_release.domain.sets.waves import backwards, compose, latch, progress
from tests.builders.ecs import NEW, NOW, OLD

ALL = ["api", "bags", "jobs", "web"]


def strategy(*waves: list[str], **more: Any) -> Strategy:
    return Strategy.model_validate({"waves": [{"services": w} for w in waves] or None, **more})


@pytest.mark.parametrize(
    ("waves", "members", "groups", "composed"),
    [
        ([], ALL, [], [ALL]),
        ([["bags"], ["api"]], ALL, [], [["bags"], ["api"], ["jobs", "web"]]),
        ([["bags"], ["api"]], ["api", "web"], [], [["api"], ["web"]]),
        ([ALL], ALL, [], [ALL]),
        ([["bags"], ["api"]], ALL, [{"bags", "web"}], [["bags", "web"], ["api"], ["jobs"]]),
        ([["bags"], ["api"]], ALL, [{"api", "bags"}], [["bags", "api"], ["jobs", "web"]]),
        ([["bags"]], ALL, [{"jobs", "web"}], [["bags"], ["api", "jobs", "web"]]),
    ],
)
def test_waves_are_composed(waves: list[list[str]], members: list[str], groups: list[set[str]], composed: list[list[str]]) -> None:
    assert compose(strategy(*waves), members, [frozenset(g) for g in groups]) == composed


def test_only_a_wave_of_the_same_services_stays_latched() -> None:
    before = [SetWave(name="1", services=["a", "b"], state="Finished"), SetWave(name="2", services=["c"], state="Open")]
    assert [w.state for w in latch(before, [["b", "a"], ["c"]])] == ["Finished", "Open"]
    assert [w.state for w in latch(before, [["a"], ["b"], ["c"]])] == ["Pending", "Pending", "Pending"]
    assert [w.state for w in latch(before, [["a", "b", "d"], ["c"]])] == ["Pending", "Pending"], "no later wave stays open before it"


READY_LONG = Standing(State.READY, since=NOW - timedelta(seconds=120))
READY_NOW = Standing(State.READY, since=NOW)
FAILED, PENDING = Standing(State.FAILED, "RolledBack"), Standing(State.PENDING)


@pytest.mark.parametrize(
    ("first", "settle_s", "either_way", "states", "settles"),
    [
        (PENDING, 60, False, ["Open", "Pending"], False),
        (READY_LONG, 60, False, ["Finished", "Open"], False),
        (READY_NOW, 60, False, ["Open", "Pending"], True),
        (READY_NOW, 0, False, ["Finished", "Open"], False),
        (FAILED, 0, False, ["Open", "Pending"], False),
        (FAILED, 0, True, ["Finished", "Open"], False),
        (Standing(State.FAILED, "RolledBack", moves=True), 0, True, ["Open", "Pending"], False),
        (Standing(State.WAITING, "AwaitingWindow"), 0, True, ["Open", "Pending"], False),
    ],
)
def test_a_wave_opens_when_the_one_before_has_settled(
    first: Standing, settle_s: float, either_way: bool, states: list[str], settles: bool
) -> None:
    waves = latch([], [["a"], ["b"]])
    after, left = progress(waves, {"a": first, "b": PENDING}, {"a": settle_s}, NOW, either_way=either_way)
    assert [w.state for w in after] == states and (left is not None and left > 0) is settles


def test_a_rollback_goes_last_wave_first() -> None:
    waves = latch([], [["a"], ["b"], ["c"]])
    stand = {"a": PENDING, "b": PENDING, "c": PENDING}
    assert backwards(waves, ["a", "b"], stand) == ["b"]
    assert backwards(waves, ["a", "b"], stand | {"b": READY_NOW}) == ["a"]
    assert backwards(waves, ["a", "b"], stand | {"b": FAILED}) == ["a"]
    assert backwards(waves, ["a", "b"], stand | {"a": READY_NOW, "b": READY_NOW}) == []


@pytest.mark.parametrize("names", [("all", "web"), ("s" * 63, "x" * 63), ("all", "Web_1.x"), ("a.b", "-"), ("all-a", "b"), ("all", "a-b")])
def test_names_of_children_are_names(names: tuple[str, str]) -> None:
    name = child_name(*names)
    assert len(name) <= 63 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


def test_names_that_read_alike_differ() -> None:
    pairs = [("all-a", "b"), ("all", "a-b"), ("all", "a_b"), ("all", "A-b"), ("s" * 63, "xa"), ("s" * 63, "xb")]
    assert len({child_name(*p) for p in pairs}) == len(pairs)


def child(digest: str = NEW, *, generation: int = 2, observed: int = 2, situation: Any = None, pinned: str = NEW, **more: Any) -> Child:
    said = conditions.merge(None, conditions.triple(situation or conditions.ready(Reason.SUCCEEDED, "")), observed, NOW)
    status = ReleaseStatus(
        observed_generation=observed, conditions=said, pin=Pin(images=[PinnedImage(container="app", digest=pinned)]),
        rollout=more.pop("rollout", None), last_handled_retry=more.pop("handled", None),
    )  # fmt: skip
    body = {
        "metadata": {"name": "c", "generation": generation, "annotations": more.pop("annotations", {})},
        "spec": {
            "projectRef": {"name": "p"}, "service": "web", "environmentRef": {"name": "e"},
            "source": more.pop("source", {"images": [{"container": "app", "digest": digest}]}),
        },
        "status": status.to_kubernetes(),
    }  # fmt: skip
    return Child(Release.model_validate(body), body)


OPEN = Rollout(attempt_id="a")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, State.PENDING),
        (child(), State.READY),
        (child(OLD), State.PENDING),
        (child(source={"tag": "latest"}), State.PENDING),
        (child(observed=1), State.PROGRESSING),
        (child(generation=1, observed=1), State.PROGRESSING),
        (child(pinned=OLD), State.PROGRESSING),
        (child(situation=conditions.progressing(Reason.ROLLING_OUT, "")), State.PROGRESSING),
        (child(situation=conditions.waiting(Reason.AWAITING_WINDOW, "")), State.WAITING),
        (child(situation=conditions.stalled(Reason.ROLLED_BACK, "")), State.FAILED),
        (child(situation=conditions.stalled(Reason.DRIFTED, "")), State.FAILED),
        (child(situation=conditions.waiting(Reason.DRIFTED, "correcting it")), State.PROGRESSING),
        (child(situation=conditions.held(False, Reason.SUSPENDED, "")), State.WAITING),
        (child(situation=conditions.held(True, Reason.SUSPENDED, "")), State.READY),
        (child(situation=conditions.stalled(Reason.ROLLED_BACK, ""), annotations={"ecs-release.dev/retry": "1"}), State.PROGRESSING),
        (
            child(situation=conditions.stalled(Reason.ROLLED_BACK, ""), annotations={"ecs-release.dev/retry": "1"}, handled="1"),
            State.FAILED,
        ),
    ],
)
def test_a_child_counts_by_what_it_says_of_what_was_written_last(found: Child | None, state: State) -> None:
    line = SetService(name="web", images=[PinnedImage(container="app", digest=NEW)], generation=2)
    assert standing(line, found).state is state


def test_a_child_that_people_hold_takes_no_place() -> None:
    line = SetService(name="web", images=[PinnedImage(container="app", digest=NEW)])
    suspended = conditions.held(False, Reason.SUSPENDED, "")
    assert not standing(line, child(situation=suspended)).in_flight
    assert standing(line, child(situation=suspended, rollout=OPEN)).in_flight
    assert standing(line, child(OLD, rollout=OPEN)).in_flight


def problem(kind: type[Problem], text: str = "x") -> Problem:
    return kind(text) if kind in (Denied, Retryable) else kind(Reason.ARTIFACT_NOT_FOUND, text)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [([], None), ([Blocked], Blocked), ([Blocked, Retryable], Retryable), ([Blocked, Denied], Denied), ([Waiting, Blocked], Blocked)],
)
def test_problems_are_told_together(kinds: list[type[Problem]], expected: type[Problem] | None) -> None:
    resolved = [Resolved("ok"), *(Resolved(f"s{n}", problem=problem(k, f"text {n}")) for n, k in enumerate(kinds))]
    found = together(resolved)
    assert (type(found) if found else None) is expected


def test_all_that_is_missing_is_listed() -> None:
    found = together([Resolved(f"s{n}", problem=problem(Blocked, f"no image {n}")) for n in range(3)])
    assert found is not None and all(f"s{n}: no image {n}" in found.message for n in range(3)) and "3 of 3" in found.message


def spec(**fields: Any) -> ReleaseSetSpec:
    usual = {"projectRef": {"name": "p"}, "serviceSet": "s", "environmentRef": {"name": "e"}, "source": {"releaseHash": "a"}}
    return ReleaseSetSpec.model_validate({**usual, **fields})


def test_what_deploys_is_in_the_hash_and_nothing_else() -> None:
    one = set_hash(spec())
    same = [spec(suspend=True), spec(change={"description": "better"}), spec(strategy={"maxParallel": 3, "onFailure": "Continue"})]
    assert {set_hash(s) for s in same} == {one}
    others = [spec(source={"releaseHash": "b"}), spec(source={"tag": "a"}), spec(services=["x"]),
              spec(overrides=[{"service": "x", "source": {"tag": "t"}}])]  # fmt: skip
    assert len({one, *(set_hash(s) for s in others)}) == 5
    assert set_hash(spec(services=["x", "y"])) == set_hash(spec(services=["y", "x"]))


def test_a_wave_may_name_services_that_the_subset_leaves_out() -> None:
    check_spec(spec(services=["api"], strategy={"waves": [{"services": ["web"]}]}), ["api", "web"])
