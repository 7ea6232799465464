"""What the commit graph refuses of one service refuses the set before its first wave, and what was under way goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.names import ABORT_ANNOTATION, APPLIED_BY_ANNOTATION, OVERRIDE_COMMITS_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release_status import Pin, PinnedImage, Rollout
from ecs_release.api.releaseset_status import SetLastReady, SetLastReadyService
from ecs_release.domain.decision.commit_rules import Answer, Answers, Question
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.commits import Membership, Relation
from ecs_release.domain.sets import commit_gate
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Create, Replace, SetDecision
from ecs_release.domain.sets.facts import Resolved, SetFacts
from tests.builders.ecs import NEW, NOW, OLD, OTHER
from tests.builders.set_facts import set_of_two

ZERO, ONE, TWO = ("0" * 40, "1" * 40, "2" * 40)
RULES = EnvironmentCommits(not_merged="Refuse", backwards="Hold", unknown="Hold")
BACK, AHEAD = Relation(0, 1), Relation(1, 0)
GOOD: dict[Question, Answer] = {Question(ONE): Membership(True, TWO, NOW), Question(ONE, ZERO): AHEAD, Question(ONE, TWO): AHEAD}
BEHIND = GOOD | {Question(ONE, TWO): BACK}


def image(digest: str, commit: str) -> PinnedImage:
    return PinnedImage(container="app", digest=digest, release_hash=commit)


def under_way(answers: dict[Question, Answer], outcome: str | None = None, *, runs: str = ZERO, **more: Any) -> SetFacts:
    """A set that goes to commit 2, or has gone: web has begun, api waits for its wave. Its source is commit 1 by now (digest OTHER)."""
    annotations, change = more.pop("annotations", {}), more.pop("change", None)
    facts = set_of_two({"digest": NEW, "rollout": Rollout(attempt_id="a")}, {"digest": OLD, "pinned": OLD})
    status = facts.status
    entry = status.history[0].model_copy(update={"outcome": outcome, "requested_by": "ben", "applied_by": "ben", "start_time": NOW})  # type: ignore[index]
    lines = [s.model_copy(update={"images": [image(NEW, TWO)]}) for s in status.services or ()]
    status = status.model_copy(update={"source_hash": "of 2", "history": [entry], "services": lines, **more.pop("status", {})})
    meta = facts.release_set.metadata.model_copy(update={"annotations": annotations | {APPLIED_BY_ANNOTATION: "late"}})
    spec = facts.release_set.spec.model_validate(
        {**facts.release_set.spec.to_kubernetes(), "change": {"requestedBy": "late"} | (change or {})}
    )
    release_set = facts.release_set.model_copy(update={"status": status, "metadata": meta, "spec": spec})
    resolved = tuple(Resolved(s, (image(OTHER, ONE),), (image(OLD, runs),)) for s in ("web", "api"))
    return replace(facts, release_set=release_set, resolved=resolved, commit_rules=RULES, commits=Answers(None, answers), **more)


def reason(decision: SetDecision) -> str:
    return (find(decision.status.conditions, "Ready") or pytest.fail("nothing is said")).reason


def test_what_goes_backwards_does_not_begin_and_what_was_under_way_goes_on() -> None:
    decision = decide_set(under_way(BEHIND))
    ready = find(decision.status.conditions, "Ready")
    assert reason(decision) == "GoesBackwards" and ready is not None and "2 of 2 services (web, api)" in ready.message
    assert decision.status.source_hash == "of 2" and len(decision.status.history or ()) == 1
    assert {s.name: s.images[0].release_hash for s in decision.status.services or () if s.images} == {"web": TWO, "api": TWO}
    assert decision.status.summary is not None and decision.status.summary.requested_by == "late"


def test_the_waves_of_before_go_on_in_the_name_of_whoever_wanted_them() -> None:
    facts = under_way(BEHIND)
    web = facts.children[next(n for n in facts.children if "web" in n)]
    done = set_of_two({"digest": NEW}, {"digest": OLD, "pinned": OLD}).children
    facts = replace(facts, children=done)
    assert web.name in facts.children
    opened = decide_set(facts)
    assert [w.state for w in opened.status.waves or ()] == ["Finished", "Open"] and reason(opened) == "GoesBackwards"
    written = decide_set(replace(facts, release_set=facts.release_set.model_copy(update={"status": opened.status})))
    (api,) = [w for w in written.writes if isinstance(w, Replace) and w.service == "api"]
    assert [i["digest"] for i in api.body["spec"]["source"]["images"]] == [NEW]
    assert (api.body["spec"].get("change") or {}).get("requestedBy") == "ben"
    assert api.body["metadata"]["annotations"][APPLIED_BY_ANNOTATION] == "ben"


@pytest.mark.parametrize(
    ("what", "facts", "expected"),
    [
        ("ahead of all", under_way(GOOD), None),
        ("behind what is under way", under_way(BEHIND), "GoesBackwards"),
        ("behind what went well, and somebody else has gone back", under_way(BEHIND, "Succeeded"), "GoesBackwards"),
        ("that has failed, and is not what runs", under_way(BEHIND, "Failed"), None),
        ("that has failed, and runs nevertheless", under_way(BEHIND, "Failed", runs=TWO), "GoesBackwards"),
        ("not merged", under_way(GOOD | {Question(ONE): Membership(False, TWO, NOW)}), "NotMerged"),
        ("not known", under_way({}), "CommitUnknown"),
        ("it is meant", under_way(BEHIND, change={"rollbackFrom": TWO}), None),
        ("an override", under_way(BEHIND, annotations={OVERRIDE_COMMITS_ANNOTATION: "1/because"}), None),
        ("no reason", under_way(BEHIND, annotations={OVERRIDE_COMMITS_ANNOTATION: "1"}), "GoesBackwards"),
        ("it is only observed", under_way(BEHIND, observed_only=True), None),
        ("nothing is asked for", replace(under_way(BEHIND), commit_rules=None), None),
    ],
)
def test_a_set_begins(what: str, facts: SetFacts, expected: str | None) -> None:
    decision = decide_set(facts)
    assert (reason(decision) == expected) is (expected is not None), what
    assert (decision.status.source_hash == facts.wanted_hash) is (expected is None), what


def test_what_a_set_was_ready_on_it_may_return_to() -> None:
    lines = [SetLastReadyService(name=s, pin=Pin(images=[image(OTHER, ONE)])) for s in ("web", "api")]
    facts = under_way(BEHIND, status={"last_ready": SetLastReady(services=lines)})
    assert decide_set(facts).status.source_hash == facts.wanted_hash
    assert not commit_gate.asked(facts, facts.resolved or ())
    only_one = under_way(BEHIND, status={"last_ready": SetLastReady(services=lines[:1])})
    assert reason(decide_set(only_one)) == "GoesBackwards", "the whole set goes back, or nothing"


def test_an_override_is_spent_and_recorded_for_the_services() -> None:
    decision = decide_set(under_way(BEHIND, annotations={OVERRIDE_COMMITS_ANNOTATION: "1/because"}))
    assert decision.status.last_handled_override_commits == "1/because"
    assert decision.status.history is not None and decision.status.history[0].commits == "override 1: because"


def test_requests_for_a_source_that_is_refused_are_kept_for_it() -> None:
    asks = {OVERRIDE_COMMITS_ANNOTATION: "1/because", RETRY_ANNOTATION: "r", ABORT_ANNOTATION: "x"}
    status = decide_set(under_way({}, annotations=asks)).status
    assert (status.last_handled_override_commits, status.last_handled_retry) == (None, None), "no answer yet"
    assert status.last_handled_abort == "x" and (status.history or pytest.fail("nothing is said"))[0].outcome == "Aborted"


def begun(answers: dict[Question, Answer]) -> SetFacts:
    """The set was pinned to commit 1 by now; nothing was written to its services yet."""
    given = under_way(GOOD, "Failed")
    status = decide_set(given).status
    return replace(
        given,
        release_set=given.release_set.model_copy(update={"status": status}),
        resolved=None,
        asks_commits=True,
        commits=Answers(None, answers),
    )


@pytest.mark.parametrize(("answers", "writes"), [(GOOD, 1), (GOOD | {Question(ONE): Membership(False, TWO, NOW)}, 0), ({}, 0)])
def test_it_is_asked_again_before_the_first_wave(answers: dict[Question, Answer], writes: int) -> None:
    facts = begun(answers)
    decision = decide_set(facts)
    assert len([w for w in decision.writes if isinstance(w, Create | Replace) and w.service == "web"]) == writes
    assert decision.status.source_hash == facts.wanted_hash and (writes == 1 or reason(decision) in ("NotMerged", "CommitUnknown"))


def test_an_override_of_a_set_under_way_is_for_what_is_left_of_it() -> None:
    facts = set_of_two({"digest": NEW, "rollout": Rollout(attempt_id="a")}, {"digest": OLD, "pinned": OLD})
    meta = facts.release_set.metadata.model_copy(update={"annotations": {OVERRIDE_COMMITS_ANNOTATION: "1/because"}})
    decision = decide_set(replace(facts, release_set=facts.release_set.model_copy(update={"metadata": meta})))
    assert decision.status.history is not None and decision.status.history[0].commits == "override 1: because"


def test_only_what_changes_is_asked_about() -> None:
    facts = under_way(GOOD)
    assert set(commit_gate.asked(facts, facts.resolved or ())) == {Question(ONE), Question(ONE, ZERO), Question(ONE, TWO)}
    same = tuple(replace(r, runs=(image(OTHER, ONE),)) for r in facts.resolved or ())
    ready = replace(facts, release_set=facts.release_set.model_copy(update={"status": facts.status.model_copy(update={"history": []})}))
    assert not commit_gate.asked(ready, same) and not commit_gate.asked(ready, tuple(replace(r, kept=True) for r in facts.resolved or ()))
