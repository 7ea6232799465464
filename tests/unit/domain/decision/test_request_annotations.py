"""Requests with a reason, and those that an Environment refuses because they give none."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import ABORT_ANNOTATION, CONTINUE_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release_status import RefusedRequest, ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.request_annotations import (
    HANDLED,
    HookRequest,
    hook_request,
    reason_of,
    refuse,
    refused,
    standing_refusal,
    token_of,
    unhandled,
    without,
)
from tests.builders.objects import environment, release

SEEN = ReleaseStatus(observed_generation=1)


def status(**more: Any) -> ReleaseStatus:
    return SEEN.model_copy(update=more)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [(None, ""), ("1", ""), ("1/", ""), ("1/  ", ""), ("/why", ""), ("1/why", "why"), ("1/a/b", "a/b")],
)
def test_a_reason_follows_a_token(request_: str | None, reason: str) -> None:
    assert reason_of(request_) == reason


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("1/ABC/CONTINUE", HookRequest("ABC", "CONTINUE")),
        ("1/ABC/ROLLBACK/ a/b ", HookRequest("ABC", "ROLLBACK", "a/b")),
        ("/ABC/CONTINUE/why", None),
        ("1//CONTINUE/why", None),
        ("1/ABC", None),
        ("1/ABC/", None),
        ("1/ABC/STOP/why", None),
        ("1/ABC/continue/why", None),
    ],
)
def test_an_answer_names_its_hook_and_what_is_to_be_done(value: str, found: HookRequest | None) -> None:
    assert hook_request(value) == found


def test_a_whole_answer_stands_in_status() -> None:
    long = "2026-05-04T12:00:00.000000Z/ecs-pause-" + "x" * 43 + "/CONTINUE/" + "y" * 200
    assert token_of(release(annotations={CONTINUE_ANNOTATION: long}).metadata, CONTINUE_ANNOTATION) == long
    assert len(token_of(release(annotations={CONTINUE_ANNOTATION: long * 9}).metadata, CONTINUE_ANNOTATION) or "") == 1024


@pytest.mark.parametrize(
    ("value", "is_refused"), [("1/ABC/CONTINUE", True), ("1/ABC/CONTINUE/ ", True), ("1/ABC/CONTINUE/why", False), ("1", False)]
)
def test_an_answer_gives_its_reason_last(value: str, is_refused: bool) -> None:
    """One that is not of its form is refused for that, by the rule that reads it."""
    made = release(annotations={CONTINUE_ANNOTATION: value})
    assert bool(refused(environment(reasons="Required"), made.metadata, SEEN)) is is_refused


@pytest.mark.parametrize("annotation", [a for a in HANDLED if a != CONTINUE_ANNOTATION])
@pytest.mark.parametrize(
    ("what", "reasons", "value", "before", "is_refused"),
    [
        ("a token only, where reasons are optional", "Optional", "1", SEEN, False),
        ("a token only", "Required", "1", SEEN, True),
        ("an empty reason", "Required", "1/ ", SEEN, True),
        ("with a reason", "Required", "1/why", SEEN, False),
        ("from before, in a restored cluster", "Required", "1", ReleaseStatus(), False),
    ],
)
def test_a_request_without_a_reason_is_refused_where_one_is_required(
    annotation: str, what: str, reasons: str, value: str, before: ReleaseStatus, is_refused: bool
) -> None:
    made = release(annotations={annotation: value})
    found = refused(environment(reasons=reasons), made.metadata, before)
    assert found == ({annotation: value} if is_refused else {}), what
    assert (token_of(without(made.metadata, found), annotation) is None) is is_refused


def test_a_refusal_is_an_answer_given_once() -> None:
    made = release(annotations={RETRY_ANNOTATION: "1", ABORT_ANNOTATION: "2"})
    draft = Draft.of(SEEN)
    refuse(draft, refused(environment(reasons="Required"), made.metadata, SEEN), "prod")
    assert (draft.handled_retry, draft.handled_abort) == ("1", "2")
    assert [e.reason for e in draft.events] == ["RequestRefused", "RequestRefused"]
    assert "'1' is refused, and nothing is changed: Environment 'prod' requires a reason" in draft.events[0].note
    answered = status(last_handled_retry="1", last_handled_abort="2")
    assert refused(environment(reasons="Required"), made.metadata, answered) == {}


def test_a_refusal_stands_until_another_request_is_answered() -> None:
    said = RefusedRequest(request="retry", token="1", message="no")
    before = status(last_handled_retry="1", refused_request=said)
    draft = Draft.of(before)
    assert standing_refusal(draft, before) == said
    draft.handled_refresh = "2/why"
    assert standing_refusal(draft, before) is None


@pytest.mark.parametrize("value", ["1\x1b[31m", "1/\u202etext", "1/" + "x" * 300])
def test_a_token_that_status_writes_otherwise_is_acted_on_once(value: str) -> None:
    """What is acknowledged is what a status holds: bounded, and harmless for terminals."""
    made = release(annotations={REFRESH_ANNOTATION: value})
    token = unhandled(made.metadata, REFRESH_ANNOTATION, None)
    written = ReleaseStatus.model_validate(ReleaseStatus(last_handled_refresh=token).to_kubernetes())
    assert token and unhandled(made.metadata, REFRESH_ANNOTATION, written.last_handled_refresh) is None
