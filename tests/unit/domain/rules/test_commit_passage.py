"""When the commit graph is asked, what an attempt is compared with, and who passes against it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.names import OVERRIDE_COMMITS_ANNOTATION
from ecs_release.api.release_status import HistoryEntry, ImageChange, Pin, PinnedImage, Rollout, Running
from ecs_release.domain.decision.commit_rules import Answer, Question
from ecs_release.domain.decision.decision import Decision, Draft, Register, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.commits import Membership, Relation
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules.commit_passage import asked, passage_of
from tests.builders.conditions import ready_and_reconciling
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task
from tests.builders.facts import changed
from tests.builders.objects import environment
from tests.builders.release_history import CLOSED
from tests.builders.scenarios import BOTH, attempt_due, attempt_under_way

ONE, TWO, ZERO = ("1" * 40, "2" * 40, "0" * 40)
ALL = {"branch": "main", "notMerged": "Refuse", "backwards": "Hold", "unknown": "Hold"}
BACK, AHEAD = Relation(0, 1), Relation(1, 0)
OVERRIDE = {OVERRIDE_COMMITS_ANNOTATION: "inc-7/it must go"}


def due(answers: dict[Question, Answer] | None = None, *, rules: Any = ALL, to: str = ONE, **more: Any) -> Facts:
    """An attempt to go from commit 2, which runs, to another is due."""
    change, annotations = more.pop("change", None), more.pop("annotations", None)
    given = attempt_due(environment=environment(commits=rules, **more.pop("spec", {})), release_hashes={OLD: TWO}, **more)
    pin = Pin(source_hash=given.source_hash, resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW, release_hash=to)])
    given = changed(given, pin=pin, status=given.status.model_copy(update={"pin": pin, "running": Running(deployment_id="ecs-svc/1")}))
    if change or annotations:
        meta = given.release.metadata.model_copy(update={"annotations": annotations})
        spec = given.release.spec.model_validate({**given.release.spec.to_kubernetes(), "change": change})
        given = changed(given, release=given.release.model_copy(update={"metadata": meta, "spec": spec}))
    known = {Question(ONE): Membership(True, TWO, NOW), **(answers or {})}
    return changed(given, known=known)


def backward(**more: Any) -> Facts:
    return due({Question(ONE, TWO): BACK}, **more)


def reason(decision: Decision) -> str:
    return ready_and_reconciling(decision)[1]


def begun(decision: Decision) -> Rollout | None:
    return decision.status.rollout if decision.status.rollout and not decision.status.rollout.outcome else None


@pytest.mark.parametrize(
    ("what", "given", "expected"),
    [
        ("ahead", due({Question(ONE, TWO): AHEAD}), "RollingOut"),
        ("backwards", backward(), "GoesBackwards"),
        ("not merged", due({Question(ONE): Membership(False, TWO, NOW), Question(ONE, TWO): AHEAD}), "NotMerged"),
        ("not known", due(), "CommitUnknown"),
        ("nothing is asked for", backward(rules=None), "RollingOut"),
        ("all is allowed", backward(rules={"branch": "main", "unknown": "Hold"}), "RollingOut"),
        ("a window is closed, too", backward(spec={"windows": CLOSED}), "GoesBackwards"),
        ("it is suspended", backward(spec={"suspend": {"reason": "audit"}}), "Suspended"),
        ("its set takes it back", backward(reverting=True), "RollingOut"),
        ("its set goes back to what it was Ready on", backward(returning=True), "RollingOut"),
        ("its set has the right", backward(commit_right="override 1: because"), "RollingOut"),
        ("it is meant", backward(change={"rollbackFrom": TWO[:12]}), "RollingOut"),
        ("something else was meant", backward(change={"rollbackFrom": ZERO}), "GoesBackwards"),
        ("an override", backward(annotations=OVERRIDE), "RollingOut"),
        ("an override without a reason", backward(annotations={OVERRIDE_COMMITS_ANNOTATION: "inc-7"}), "GoesBackwards"),
    ],
)
def test_an_attempt_begins(what: str, given: Facts, expected: str) -> None:
    decision = decide(given)
    assert reason(decision) == expected and (begun(decision) is not None) is (expected == "RollingOut"), what
    assert decision.act is None
    if expected in ("GoesBackwards", "NotMerged", "CommitUnknown"):
        assert decision.status.plan is not None and decision.status.plan.blocked_by
        assert find(decision.status.conditions, "Ready").message in str(decision.status.plan.blocked_by)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "right", "handled"),
    [
        (backward(change={"rollbackFrom": TWO}), f"rollbackFrom {TWO}", None),
        (backward(annotations=OVERRIDE), "override inc-7: it must go", "inc-7/it must go"),
        (backward(commit_right="override 1: because"), "override 1: because", None),
        (due({Question(ONE, TWO): AHEAD}, annotations=OVERRIDE), None, "inc-7/it must go"),
    ],
)
def test_a_right_is_recorded_once_and_an_override_is_spent(given: Facts, right: str | None, handled: str | None) -> None:
    status = decide(given).status
    assert status.rollout is not None and status.rollout.commits == right
    assert status.history is not None and status.history[0].commits == right
    assert status.last_handled_override_commits == handled


@pytest.mark.parametrize("annotation", ["inc-7", "inc-7/"])
def test_an_override_without_a_reason_is_acknowledged(annotation: str) -> None:
    decision = decide(backward(annotations={OVERRIDE_COMMITS_ANNOTATION: annotation}))
    assert decision.status.last_handled_override_commits == annotation
    assert "OverrideIgnored" in {e.reason for e in decision.events}


def test_an_override_waits_with_what_waits() -> None:
    decision = decide(backward(annotations=OVERRIDE, spec={"windows": CLOSED}))
    assert reason(decision) == "AwaitingWindow" and decision.status.last_handled_override_commits is None


def announced(given: Facts, action: str = "UpdateService", **more: Any) -> Facts:
    """The attempt has begun when the graph had nothing against it, and has announced a call."""
    good = decide(due({Question(ONE, TWO): AHEAD})).status
    assert good.rollout is not None and good.rollout.intent is not None
    intent = good.rollout.intent.model_copy(update={"action": action})
    rollout = good.rollout.model_copy(update={"intent": intent, "task_definition": "arn:web:2", **more})
    return changed(given, status=good.model_copy(update={"rollout": rollout}), pin=good.pin)


@pytest.mark.parametrize(
    ("what", "given", "acts", "expected"),
    [
        ("it is ahead still", announced(due({Question(ONE, TWO): AHEAD})), Update, "RollingOut"),
        ("it goes backwards by now", announced(backward()), None, "GoesBackwards"),
        ("the branch was rewritten", announced(due({Question(ONE): Membership(False, TWO, NOW)})), None, "NotMerged"),
        ("registering changes nothing that runs", announced(backward(), "RegisterTaskDefinition"), Register, "RollingOut"),
        ("it has the right to go back", announced(backward(), commits=f"rollbackFrom {TWO}"), Update, "RollingOut"),
        (
            "a right to go back is none to go unmerged",
            announced(due({Question(ONE): Membership(False, TWO, NOW)}), commits=f"rollbackFrom {TWO}"),
            None,
            "NotMerged",
        ),
        (
            "an override is for all of it",
            announced(due({Question(ONE): Membership(False, TWO, NOW)}), commits="override 1: because"),
            Update,
            "RollingOut",
        ),
        ("it is a rollback", announced(backward(reverting=True)), Update, "RollingOut"),
        ("it corrects drift", announced(backward(), cause=drift.CAUSE), Update, "Drifted"),
        ("it has the same digests", announced(backward(), cause=base_revision.CAUSE), Update, "RollingOut"),
    ],
)
def test_the_graph_is_asked_again_before_what_runs_is_changed(what: str, given: Facts, acts: type | None, expected: str) -> None:
    decision = decide(given)
    assert isinstance(decision.act, acts) if acts else decision.act is None, what
    assert reason(decision) == expected, what
    assert begun(decision) is not None, "the attempt stands"


def test_an_override_lets_an_attempt_go_on_and_stays_with_it() -> None:
    given = announced(backward(annotations=OVERRIDE))
    decision = decide(given)
    assert decision.act is None and decision.status.rollout is not None, "the right is in status before it is used"
    assert decision.status.rollout.commits == "override inc-7: it must go"
    assert isinstance(decide(changed(given, status=decision.status)).act, Update)


def entry(to: str, digest: str, outcome: str | None) -> HistoryEntry:
    image = ImageChange(container="app", to_digest=digest, to_hash=to)
    return HistoryEntry(attempt_id=f"{to}{outcome}", outcome=outcome, images=[image], start_time=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("what", "rollout", "history", "others"),
    [
        ("nothing was tried", None, [], {TWO}),
        ("the latest went well", entry(ZERO, OTHER, "Succeeded"), [], {TWO, ZERO}),
        ("the latest is under way", entry(ZERO, OTHER, None), [], {TWO, ZERO}),
        ("the latest failed", entry(ZERO, OTHER, "RolledBack"), [], {TWO}),
        ("the one before it went well", entry(ZERO, OTHER, "RolledBack"), [entry("3" * 40, OTHER, "Succeeded")], {TWO, "3" * 40}),
        ("the same images", entry(ONE, NEW, "Succeeded"), [], {TWO}),
    ],
)
def test_what_an_attempt_is_compared_with(what: str, rollout: HistoryEntry | None, history: list[HistoryEntry], others: set[str]) -> None:
    given = backward()
    latest = Rollout(**rollout.model_dump(include={"attempt_id", "outcome", "images", "start_time"})) if rollout else None
    status = given.status.model_copy(update={"rollout": latest, "history": history})
    found = asked(changed(given, status=status))
    assert {q.other for q in found} == others | {""} and {q.commit for q in found} == {ONE}, what


def test_all_that_tasks_show_is_compared_and_what_they_share_is_not_asked_twice() -> None:
    given = changed(backward(), seen=service(deployment(1), tasks=(task(1, OLD), task(2, OTHER), task(2, NEW))))
    given = changed(given, release_hashes={OLD: TWO, OTHER: ZERO})
    assert {q.other for q in asked(given)} == {"", TWO, ZERO}


def test_nothing_is_asked_while_nothing_may_begin() -> None:
    assert asked(backward()) and not asked(backward(rules=None)) and not asked(backward(reverting=True))
    under_way = attempt_under_way(BOTH, environment=environment(commits=ALL))
    assert not asked(under_way), "its rollout is left to finish"
    assert not asked(backward(spec={"suspend": {"reason": "audit"}})) and not asked(backward(spec={"mode": "Observe"}))


def test_what_is_corrected_is_not_asked() -> None:
    given = backward()
    draft, pin = Draft.of(given.status), given.wanted.pin
    assert pin is not None and passage_of(given, draft, pin, "Retry").refused is not None
    assert passage_of(given, draft, pin, drift.CAUSE).refused is None and passage_of(given, draft, pin, base_revision.CAUSE).refused is None


@pytest.mark.parametrize("late", [ZERO, ONE])
def test_a_newer_attempt_under_way_is_followed_while_an_older_commit_waits(late: str) -> None:
    """The race of builds: 2 rolls out over 0, of which all tasks are yet, and the build of 1, or of 0 again, ends last."""
    seen = service(
        deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(1, OLD), task(1, OLD)), strategy="BLUE_GREEN"
    )  # fmt: skip
    under_way = attempt_under_way(seen, environment=environment(commits=ALL), release_hashes={OLD: ZERO, NEW: TWO})
    rollout = under_way.status.rollout
    assert rollout is not None
    images = [ImageChange(container="app", to_digest=NEW, to_hash=TWO)]
    pin = Pin(
        id="late",
        source_hash=under_way.source_hash,
        resolved_time=NOW,
        images=[PinnedImage(container="app", digest=OTHER if late == ONE else OLD, release_hash=late)],
    )
    status = under_way.status.model_copy(update={"pin": pin, "rollout": rollout.model_copy(update={"images": images, "pin_id": "first"})})
    answers = {Question(late): Membership(True, TWO, NOW), Question(late, ZERO): AHEAD, Question(late, TWO): BACK}
    decision = decide(changed(under_way, status=status, pin=pin, known=answers))
    assert ready_and_reconciling(decision)[1:] == ("GoesBackwards", "True") and decision.fast, "it may pass: 2 may fail"
    assert begun(decision) is not None and decision.status.rollout is not None and decision.status.rollout.deployment_id == "ecs-svc/2"
    assert "is under way" in find(decision.status.conditions, "Ready").message  # type: ignore[union-attr]
