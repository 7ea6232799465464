"""Drift: what is said of it, and when it is corrected (law 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import (
    ChangedBy,
    HistoryEntry,
    Pin,
    PinnedImage,
    Running,
)
from ecs_release.domain.decision.decision import Decision
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.service import Service, Task, TaskDefinition
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, project
from tests.builders.scenarios import CORRECT, DRIFTED, FOREIGN, OTHERS, drifted, past_attempt

DAY = 86400
CLOSED = [{"name": "freeze", "kind": "Deny", "startTime": "2026-05-01T00:00:00Z", "endTime": "2026-05-05T00:00:00Z", "reason": "audit"}]


def says(decision: Decision) -> tuple[str, str, str, str]:
    found = [find(decision.status.conditions, kind) for kind in ("Ready", "Reconciling", "Stalled")]
    ready, reconciling, stalled = (c.status if c else "" for c in found)
    return found[0].reason if found[0] else "", ready, reconciling, stalled


def message(decision: Decision) -> str:
    found = find(decision.status.conditions, "Ready")
    return found.message if found else ""


def begins(decision: Decision) -> bool:
    rollout = decision.status.rollout
    return rollout is not None and rollout.attempt_id == "a9" and rollout.cause == drift.CAUSE


HELD = ("Drifted", "False", "False", "True")
CORRECTING = ("Drifted", "False", "True", "False")


def test_a_correction_is_an_attempt_with_its_cause_and_images() -> None:
    decision = decide(drifted())
    rollout, entries = decision.status.rollout, decision.status.history or []
    assert begins(decision) and says(decision) == CORRECTING and decision.again_s == 0
    assert rollout is not None and rollout.intent is not None and rollout.intent.action == "RegisterTaskDefinition"
    assert [(i.from_digest, i.from_hash, i.to_digest) for i in rollout.images or ()] == [(OTHER, "ccccccc", NEW)]
    assert [e.cause for e in entries] == ["DriftCorrection", "Requested"]
    assert decision.act is None, "the intent is written first (law 6)"
    assert decision.status.drift is None
    assert "CorrectingDrift" in {e.reason for e in decision.events}


@pytest.mark.parametrize(
    ("why", "changes", "reason"),
    [
        ("it has not stood for long enough", {"stood_s": 899}, "Drifted"),
        ("it was not seen completed before", {"stood_s": None}, "Drifted"),
        ("what that rests on was not read anew", {"may_correct": False}, "Drifted"),
        ("onDrift is Report", {"rollout": {}}, "Drifted"),
        ("it never was Ready on this pin", {"ready": False}, "Drifted"),
        ("the Release is suspended", {"spec": {"suspend": True}}, "Suspended"),
        ("the Environment is suspended", {"place": {"suspend": {"reason": "audit"}}}, "Suspended"),
        ("nothing may be changed", {"place": {"mode": "Observe"}}, "Observing"),
        ("a window is closed", {"place": {"windows": CLOSED}}, "AwaitingWindow"),
        ("and a set that goes back gives no right", {"place": {"windows": CLOSED}, "reverting": True}, "AwaitingWindow"),
        ("its set wants something else", {"hold": Waiting("AwaitingReleaseSet", "no")}, "AwaitingReleaseSet"),
        ("another Release holds the service", {"claims": (Claim(NOW, "shop/a"), Claim(NOW, "shop/web"))}, "TargetConflict"),
        ("a tag says nothing of time", {"rollout": CORRECT | {"method": "EnvironmentTag"}, "place": {"artifacts": {"environmentTag": "e"}}},
         "InvalidSpec"),
    ],
)  # fmt: skip
def test_it_is_not_corrected_where(why: str, changes: dict[str, Any], reason: str) -> None:
    decision = decide(drifted(**changes))
    assert not begins(decision) and says(decision)[0] == reason, why
    if reason in ("Suspended", "Observing", "AwaitingWindow"):
        assert decision.status.plan is not None and "to bbbbbbb" in (decision.status.plan.message or ""), "the plan says what would be done"


def test_a_set_that_holds_it_is_asked_again() -> None:
    assert decide(drifted(hold=Waiting("Suspended", "its set is"))).again_s == drift.READ_AGAIN_S
    assert decide(drifted(spec={"suspend": True})).again_s is None


def test_an_override_lets_one_correction_through_a_closed_window() -> None:
    decision = decide(drifted(place={"windows": CLOSED}, annotations={"ecs-release.dev/override-window": "1/urgent"}))
    assert begins(decision) and decision.status.last_handled_override == "1/urgent"


def test_a_service_may_say_another_time() -> None:
    found = drifted(stood_s=901)
    target = replace(found.place.target, policy=replace(found.place.target.policy, correct_after_s=3600)) if found.place.target else None
    decision = decide(changed(found, target=target))
    assert not begins(decision) and decision.again_s == 3600 - 901


@pytest.mark.parametrize(
    ("what", "seen", "running"),
    [
        ("its deployment is under way", service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=(*OTHERS, task(2))), OTHER),
        ("it failed and nothing completed", service(deployment(3, state="FAILED"), tasks=OTHERS), OTHER),
        ("ECS does not say, and another is listed", service(deployment(3, state=None), deployment(2, status="ACTIVE"), tasks=OTHERS), OTHER),
        ("another one has begun since", service(deployment(4), tasks=(task(4, OTHER),)), OTHER),
    ],
)  # fmt: skip
def test_what_has_not_stood_completed_is_not_corrected(what: str, seen: Service, running: str) -> None:
    decision = decide(drifted(seen, running=task_definition(3, running)))
    assert not begins(decision) and says(decision) == HELD, what


@pytest.mark.parametrize("own", [(task(3),), ()])
def test_tasks_of_older_deployments_are_not_deployed_against(own: tuple[Task, ...]) -> None:
    """Those that protection, or early success criteria, let go on beside a completed deployment that is as wanted."""
    decision = decide(drifted(service(FOREIGN, tasks=(*own, task(1, OLD))), running=task_definition(3, NEW)))
    assert not begins(decision) and says(decision) == HELD and "only tasks of other deployments" in message(decision)


@pytest.mark.parametrize(
    ("what", "seen", "running"),
    [
        ("one task of many is another, by hand", service(FOREIGN, tasks=(task(3, OTHER), task(3))), task_definition(3, OTHER)),
        ("nothing runs, and the revision names others", service(deployment(3, desired=0, running=0), desired=0), task_definition(3, OTHER)),
        ("nothing runs, and the revision names a tag", service(deployment(3, desired=0, running=0), desired=0), task_definition(3, "")),
        ("ECS does not say, but it is whole", service(deployment(3, state=None), tasks=OTHERS), task_definition(3, OTHER)),
        ("scaled since: it was whole once", service(deployment(3, state=None, running=1), tasks=OTHERS[:1]), task_definition(3, OTHER)),
    ],
)
def test_what_stands_completed_is_corrected(what: str, seen: Service, running: TaskDefinition) -> None:
    assert begins(decide(drifted(seen, running=running))), what


@pytest.mark.parametrize(("tags", "reason"), [({"app": NEW}, "NothingRunning"), (None, "Verifying"), ({"app": OTHER}, "Drifted")])
def test_where_nothing_runs_the_environments_tag_tells_what_would(tags: dict[str, str] | None, reason: str) -> None:
    rules: dict[str, Any] = {"rollout": {"method": "EnvironmentTag"}, "place": {"artifacts": {"environmentTag": "e"}}}
    seen, tagged = service(deployment(3, desired=0, running=0), desired=0), task_definition(3, ":e")
    assert says(decide(drifted(seen, running=tagged, tags=tags, stood_s=None, **rules)))[0] == reason


def test_other_revisions_of_the_same_digests_are_no_drift() -> None:
    decision = decide(drifted(service(FOREIGN, tasks=(task(3), task(3))), running=task_definition(3, "")))
    assert says(decision)[0] == "Succeeded" and decision.status.drift is None


@pytest.mark.parametrize("outcome", ["RolledBack", "RolloutFailed", "Superseded", "DeadlineExceeded", "Aborted", None])
@pytest.mark.parametrize("cause", ["Retry", "BaseRevisionChanged", drift.CAUSE])
def test_digests_whose_latest_attempt_failed_are_left_alone(outcome: str | None, cause: str) -> None:
    decision = decide(drifted(DRIFTED, past_attempt(1, cause, outcome), past_attempt(29, "Requested")))
    assert not begins(decision) and (decision.status.drift is None or decision.status.drift.correct_time is None)


def test_of_another_source_too() -> None:
    found = drifted(DRIFTED, past_attempt(2, "Requested", digest=OTHER), past_attempt(3, "Requested", "RolledBack"))
    decision = decide(found)
    assert not begins(decision) and says(decision) == HELD and "ended RolledBack" in message(decision)


def test_one_that_deployed_nothing_did_not_fail() -> None:
    assert begins(decide(drifted(DRIFTED, past_attempt(1, drift.CAUSE, "Abandoned"), past_attempt(29, "Requested"))))


@pytest.mark.parametrize(
    ("why", "history", "corrects"),
    [
        ("the first", [past_attempt(29, "Requested")], True),
        ("twice was not too often", [past_attempt(1), past_attempt(2), past_attempt(29, "Requested")], True),
        ("the third was the last", [past_attempt(1), past_attempt(2), past_attempt(3), past_attempt(29, "Requested")], False),
        ("and stays the last", [past_attempt(20), past_attempt(21), past_attempt(22), past_attempt(29, "Requested")], False),
        ("a week is not exceeded", [past_attempt(1), past_attempt(4), past_attempt(8), past_attempt(29, "Requested")], False),
        ("now and then is no war", [past_attempt(1), past_attempt(4), past_attempt(8.1), past_attempt(29, "Requested")], True),
        (
            "an abandoned one counts",
            [past_attempt(1, outcome="Abandoned"), past_attempt(2), past_attempt(3), past_attempt(29, "Requested")],
            False,
        ),
        (
            "a retry begins anew",
            [past_attempt(1), past_attempt(2), past_attempt(2.5, "Retry"), past_attempt(3), past_attempt(29, "Requested")],
            True,
        ),
        ("so does another source", [past_attempt(1), past_attempt(2), past_attempt(2.5, "Requested"), past_attempt(3)], True),
        ("a newer base does not", [past_attempt(1), past_attempt(1.5, "BaseRevisionChanged"), past_attempt(2), past_attempt(3)], False),
    ],
)
def test_a_tug_of_war_ends(why: str, history: list[HistoryEntry], corrects: bool) -> None:
    decision = decide(drifted(DRIFTED, *history))
    assert begins(decision) is corrects, why
    if not corrects:
        assert says(decision) == HELD and "something keeps changing it" in message(decision)
        assert decision.again_s is None and decision.status.drift is not None and decision.status.drift.correct_time is None


def test_a_retry_goes_though_the_operator_has_given_up() -> None:
    decision = decide(drifted(DRIFTED, past_attempt(1), past_attempt(2), past_attempt(3), annotations={"ecs-release.dev/retry": "1"}))
    assert decision.status.rollout is not None and (decision.status.rollout.attempt_id, decision.status.rollout.cause) == ("a9", "Retry")


def test_the_time_runs_from_when_it_was_seen_completed() -> None:
    under_way = decide(drifted(service(deployment(3, state="IN_PROGRESS"), tasks=OTHERS), stood_s=None))
    assert "it is corrected once that deployment has stood completed for 900 s" in message(under_way)
    assert under_way.status.drift is not None and under_way.status.drift.completed_time is None and under_way.again_s is None
    first = decide(drifted(stood_s=None))
    assert first.status.drift is not None and first.again_s == 900
    assert (first.status.drift.completed_time, first.status.drift.correct_time) == (NOW, NOW + timedelta(seconds=900))
    assert decide(drifted(stood_s=100)).again_s == 800
    another = decide(drifted(service(deployment(4), tasks=(task(4, OTHER),))))
    assert another.status.drift is not None and another.status.drift.completed_time == NOW, "another deployment stands anew"


@pytest.mark.parametrize(
    ("what", "found", "said"),
    [
        ("the hash", {}, "app runs ccccccc instead of bbbbbbb"),
        ("else a short digest", {"release_hashes": {}}, "app runs cccccccccccc (unknown: no tag tells its hash) instead of bbbbbbb"),
        ("since when", {}, "since 2026-05-04 11:43 UTC: deployment ecs-svc/3 (web:3)"),
        ("when it is corrected", {"stood_s": 300}, "it is corrected at 2026-05-04 12:10:00 UTC"),
        ("that it is not", {"rollout": {}}, "onDrift is Report"),
        (
            "whoever registered the revision",
            {"running": task_definition(3, OTHER, registered_by="arn:bob")},
            "its revision was registered by arn:bob",
        ),
        ("who did it", {"changed_by": ChangedBy(arn="arn:ann", user_agent="console", time=FOREIGN.created_at)}, "by arn:ann (console)"),
        (
            "not who did something else",
            {"changed_by": ChangedBy(arn="arn:ann", time=NOW), "changed": "ecs-svc/2"},
            "which this Release did not start",
        ),
    ],
)
def test_drift_says(what: str, found: dict[str, Any], said: str) -> None:
    decision = decide(drifted(**{"stood_s": None} | found))
    assert says(decision) == HELD and said in message(decision), what
    assert [e.note for e in decision.events if e.reason == "Drifted"] == [message(decision)]


def test_who_changed_it_is_kept() -> None:
    who = ChangedBy(arn="arn:ann", time=NOW)
    assert (decide(drifted(changed_by=who)).status.running or Running()).changed_by == who


def test_every_container_that_differs_is_named() -> None:
    found = drifted()
    containers = [{"name": "app", "repository": "shop/web"}, {"name": "proxy", "repository": "shop/proxy"}]
    pin = Pin(
        source_hash=found.wanted.pin.source_hash if found.wanted.pin else "",
        resolved_time=NOW,
        images=[PinnedImage(container="app", digest=NEW), PinnedImage(container="proxy", digest=NEW)],
    )
    one = task(3, OTHER)
    both = replace(one, containers=(*one.containers, task(3, OLD, container="proxy").containers[0]))
    target = resolve_target(environment(rollout=CORRECT), project(containers=containers), "web")
    seen = service(FOREIGN, tasks=(both,))
    text = drift.what(changed(found, target=target, pin=pin), seen, pin)
    assert (
        text == "app runs ccccccc instead of bbbbbbbbbbbb, proxy runs aaaaaaaaaaaa (unknown: no tag tells its hash) instead of bbbbbbbbbbbb"
    )
