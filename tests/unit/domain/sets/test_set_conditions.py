"""How a ReleaseSet stands whose services all run what it wants."""

from __future__ import annotations

import pytest

from ecs_release.api.releaseset_status import SetService
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.child_state import ChildState, State
from ecs_release.domain.sets.decision import SetDraft
from ecs_release.domain.sets.set_conditions import SetProgress, situation_of
from tests.builders.set_facts import set_facts

READY, HELD = (
    ChildState(State.READY, "Succeeded", "4 tasks"),
    ChildState(State.READY, "Suspended", "Environment 'prod' is suspended: freeze"),
)
NOTHING = ChildState(State.READY, "NothingRunning")


@pytest.mark.parametrize(
    ("suspend", "web", "api", "reason", "words"),
    [
        (False, READY, READY, "Succeeded", "2 of 2"),
        (True, READY, READY, "Suspended", "2 of 2: spec.suspend is true"),
        (False, HELD, HELD, "Suspended", "2 of 2: Environment 'prod' is suspended: freeze"),
        (False, HELD, READY, "Succeeded", "2 of 2"),
        (True, NOTHING, NOTHING, "Suspended", "spec.suspend is true"),
        (False, NOTHING, NOTHING, "NothingRunning", "desiredCount is 0"),
    ],
)
def test_a_suspended_set_is_ready_and_suspended_as_a_release_is(
    suspend: bool, web: ChildState, api: ChildState, reason: str, words: str
) -> None:
    given = set_facts(suspend=suspend, outcome="Succeeded")
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    draft.services = {name: SetService(name=name) for name in ("web", "api")}
    found = situation_of(given, draft, {"web": web, "api": api}, SetProgress("2 of 2"))
    assert (found.ready, found.reconciling, found.stalled, found.reason) == ("True", False, False, reason)
    assert words in found.message
    assert conditions.phase(found) == ("Suspended" if reason == "Suspended" else "Ready")


BLIND = ChildState(State.PROGRESSING, "ObservationFailed", "not observed for 7 min: ecs:DescribeServices: 503")
ROLLS = ChildState(State.PROGRESSING, "RollingOut", "1 of 2")


@pytest.mark.parametrize(
    ("outcome", "web", "api", "reason", "words"),
    [
        ("Succeeded", BLIND, BLIND, "ObservationFailed", "0 of 2: web, api: not observed for 7 min"),
        ("Succeeded", BLIND, READY, "ObservationFailed", "0 of 2: web: not observed for 7 min"),
        ("Succeeded", BLIND, ROLLS, "RollingOut", "web, api under way"),
        (None, BLIND, READY, "RollingOut", "web under way"),
    ],
)
def test_a_set_at_rest_whose_services_cannot_be_read_rolls_nothing_out(
    outcome: str | None, web: ChildState, api: ChildState, reason: str, words: str
) -> None:
    given = set_facts(outcome=outcome)
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    draft.services = {name: SetService(name=name) for name in ("web", "api")}
    found = situation_of(given, draft, {"web": web, "api": api}, SetProgress("0 of 2"))
    assert (found.ready, found.reconciling, found.reason) == ("Unknown", True, reason)
    assert words in found.message


WHY = "ECS rolled back to web:1: Service deployment rolled back because the circuit breaker threshold was exceeded."
HINT = "; nothing further starts until the source changes or annotation ecs-release.dev/retry asks for it"


@pytest.mark.parametrize(
    ("outcome", "cause", "message", "expected"),
    [
        ("Failed", "Requested", f"web RolledBack: {WHY}", f"1/2 ready, wave 2/3: web RolledBack: {WHY[:-1]}{HINT}"),
        ("Failed", "Requested", "api RolloutFailed: x", f"1/2 ready, wave 2/3: web RolledBack: api RolloutFailed: x{HINT}"),
        ("Aborted", "Requested", "aborted on request (now)", f"1/2 ready, wave 2/3: web RolledBack: aborted on request (now){HINT}"),
        ("RolledBack", "Rollback", f"1 services went back because web RolledBack: {WHY}",
         f"1/2 ready, wave 2/3: 1 services went back because web RolledBack: {WHY[:-1]}{HINT}"),
        (None, "Rollback", f"because web RolledBack: {WHY}", f"1/2 ready, wave 2/3: rolling back, because web RolledBack: {WHY}"),
    ],
)  # fmt: skip
def test_a_failure_is_named_once_and_a_sentence_ends_once(outcome: str | None, cause: str, message: str, expected: str) -> None:
    given = set_facts(outcome=outcome)
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    draft.change_current(cause=cause, message=message)
    states = {"web": ChildState(State.FAILED, "RolledBack", WHY), "api": READY}
    found = situation_of(given, draft, states, SetProgress("1/2 ready, wave 2/3", "web RolledBack"))
    assert found.message == expected


OUTDATED = ChildState(State.READY, "BaseRevisionOutdated", "the wanted images run, but on an older base: web:3 is newer")


@pytest.mark.parametrize(
    ("outcome", "suspend", "expected"),
    [
        ("Succeeded", False, ("False", False, "BaseRevisionOutdated")),
        ("Succeeded", True, ("False", False, "BaseRevisionOutdated")),
        (None, False, ("Unknown", True, "Verifying")),
        (None, True, ("False", False, "Suspended")),
    ],
)
def test_a_set_on_an_older_base_is_through_and_not_ready(outcome: str | None, suspend: bool, expected: tuple[str, bool, str]) -> None:
    given = set_facts(suspend=suspend, outcome=outcome)
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    found = situation_of(given, draft, {"web": OUTDATED, "api": READY}, SetProgress("2/2 ready"))

    assert (found.ready, found.reconciling, found.reason) == expected
    if outcome:
        assert found.message == "2/2 ready: web: the wanted images run, but on an older base: web:3 is newer"


DIFFERS, UNPROVEN = ChildState(State.WAITING, "Suspended", differs=True), ChildState(State.WAITING, "Suspended")
NOT_TOLD, ON_ANOTHER = ChildState(State.PENDING), ChildState(State.PENDING, differs=True)
ROLLED_BACK = ChildState(State.FAILED, "RolledBack", differs=True)


@pytest.mark.parametrize(
    ("web", "api", "ready"),
    [
        (READY, READY, "True"),
        (READY, UNPROVEN, "Unknown"),
        (READY, NOT_TOLD, "Unknown"),
        (READY, BLIND, "Unknown"),
        (UNPROVEN, DIFFERS, "False"),
        (READY, ON_ANOTHER, "False"),
        (NOT_TOLD, ROLLED_BACK, "False"),
        (UNPROVEN, OUTDATED, "False"),
    ],
)
def test_an_observed_set_is_not_ready_only_where_that_is_known(web: ChildState, api: ChildState, ready: str) -> None:
    given = set_facts(observed_only=True)
    assert given.release_set.status is not None
    found = situation_of(given, SetDraft.of(given.release_set.status), {"web": web, "api": api}, SetProgress("1/2 ready"))

    assert (found.ready, found.reconciling, found.stalled, found.reason) == (ready, False, False, "Observing")


@pytest.mark.parametrize(
    ("suspend", "web", "api", "ready"),
    [
        (True, READY, READY, "True"),
        (True, READY, UNPROVEN, "Unknown"),
        (True, READY, NOT_TOLD, "Unknown"),
        (True, READY, DIFFERS, "False"),
        (True, UNPROVEN, ON_ANOTHER, "False"),
        (False, READY, UNPROVEN, "Unknown"),
        (False, READY, DIFFERS, "False"),
        (False, UNPROVEN, DIFFERS, "False"),
    ],
)
def test_a_suspended_set_is_not_ready_only_where_that_is_known(suspend: bool, web: ChildState, api: ChildState, ready: str) -> None:
    """Suspended by its own spec, or because its services are."""
    given = set_facts(suspend=suspend, outcome="Succeeded")
    assert given.release_set.status is not None
    found = situation_of(given, SetDraft.of(given.release_set.status), {"web": web, "api": api}, SetProgress("1/2 ready"))

    assert (found.ready, found.stalled, found.reason) == (ready, False, "Suspended")


@pytest.mark.parametrize(("found", "ready"), [(READY, "False"), (DIFFERS, "Unknown"), (UNPROVEN, "Unknown")])
def test_what_a_rollback_has_returned_to_is_not_what_the_set_wants(found: ChildState, ready: str) -> None:
    given = set_facts(observed_only=True)
    assert given.release_set.status is not None
    draft = SetDraft.of(given.release_set.status)
    draft.change("web", wants="Previous")

    assert situation_of(given, draft, {"web": found, "api": READY}, SetProgress("1/2 ready")).ready == ready
