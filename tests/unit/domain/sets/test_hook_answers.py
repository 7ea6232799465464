"""A set hands an answer to a lifecycle hook on to the Release that waits at it, and refuses what none of them waits for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.hook_status import OpenHook
from ecs_release.api.names import APPLIED_BY_ANNOTATION, CONTINUE_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release_status import Rollout
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Replace, SetDecision
from ecs_release.domain.sets.facts import SetFacts
from tests.builders.ecs import NEW, OLD
from tests.builders.set_facts import set_of_two

WAITS = Rollout(attempt_id="a", hooks=[OpenHook(id="ABC")])
ASKED = "1/ABC/CONTINUE/good"


def asked(value: str = ASKED, status: dict[str, Any] | None = None, **annotations: str) -> SetFacts:
    """Web waits at hook ABC, api has not begun."""
    facts = set_of_two({"digest": NEW, "rollout": WAITS}, {"digest": OLD, "pinned": OLD})
    meta = facts.release_set.metadata.model_copy(
        update={"annotations": {CONTINUE_ANNOTATION: value, APPLIED_BY_ANNOTATION: "ben"} | annotations}
    )
    before = facts.status.model_copy(update={"observed_generation": 1, **(status or {})})
    return replace(facts, release_set=facts.release_set.model_copy(update={"metadata": meta, "status": before}))


def told(decision: SetDecision) -> dict[str, dict[str, str]]:
    return {w.service: w.body["metadata"]["annotations"] for w in decision.requests if isinstance(w, Replace)}


def test_an_answer_reaches_the_release_that_waits_in_the_name_of_whoever_gave_it() -> None:
    decision = decide_set(asked())
    assert told(decision) == {"web": {CONTINUE_ANNOTATION: ASKED, APPLIED_BY_ANNOTATION: "ben"}}
    assert (decision.status.last_handled_continue, decision.status.refused_request) == (ASKED, None)
    assert told(decide_set(asked(status={"last_handled_continue": ASKED}))) == {}, "once"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1/XYZ/CONTINUE/why", "none of its services waits at hook XYZ; hooks that wait: ABC"),
        ("1", "not of the form"),
        ("1/ABC/GO", "not of"),
    ],
)
def test_what_no_release_waits_for_is_refused(value: str, why: str) -> None:
    decision = decide_set(asked(value))
    assert told(decision) == {} and decision.status.last_handled_continue == value
    assert decision.status.refused_request is not None and why in (decision.status.refused_request.message or "")


def test_what_is_there_at_first_sight_is_old() -> None:
    decision = decide_set(asked(status={"observed_generation": None}))
    assert told(decision) == {} and decision.status.last_handled_continue == ASKED


def test_a_retry_and_an_answer_go_in_one_write() -> None:
    """Two writes of one version of an object would refuse each other."""
    facts = asked(**{RETRY_ANNOTATION: "1"})
    writes = [w for w in decide_set(facts).requests if isinstance(w, Replace) and w.service == "web"]
    assert len(writes) == 1
