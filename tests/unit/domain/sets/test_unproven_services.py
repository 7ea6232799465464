"""A set goes on, and succeeds, by what its services prove: what ECS has given up proves nothing, nor does what never ran."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.facts import Child, SetFacts
from tests.builders.ecs import NEW, OLD, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.scenarios import attempt_under_way, drifted
from tests.builders.set_facts import set_of_two

NEW_TASKS = (task(2), task(2))
GIVEN_UP = service(deployment(2, state="FAILED"), tasks=NEW_TASKS)
NEVER_RAN = service(deployment(2))
DONE = service(deployment(2), tasks=NEW_TASKS)


def resting(seen: Service) -> Facts:
    """A Release whose attempt is over, and that has not been proven yet."""
    return drifted(seen, stood_s=None, ready=False, running=task_definition(2, NEW))


def with_child(given: SetFacts, name: str, found: Facts) -> SetFacts:
    """A service's Release stands as is decided by its own facts."""
    known, status = given.children[child_name("all", name)], decide(found).status
    release = known.release.model_copy(update={"status": status.model_copy(update={"observed_generation": 2})})
    return replace(given, children={**given.children, known.name: Child(release, known.body)})


@pytest.mark.parametrize(
    ("what", "web", "waves", "ready"),
    [
        ("it is done", attempt_under_way(DONE), ["Finished", "Open"], "Unknown"),
        ("ECS has failed it, and only new tasks run", attempt_under_way(GIVEN_UP), ["Open", "Pending"], "False"),
        ("the same, looked at without an attempt", resting(GIVEN_UP), ["Open", "Pending"], "Unknown"),
        ("no task of two ever ran", resting(NEVER_RAN), ["Open", "Pending"], "Unknown"),
    ],
)
def test_the_next_wave_opens_by_a_proof(what: str, web: Facts, waves: list[str], ready: str) -> None:
    given = with_child(set_of_two({}, {"digest": OLD, "pinned": OLD}), "web", web)
    decision = decide_set(given)
    found = find(decision.status.conditions, "Ready")
    assert ([w.state for w in decision.status.waves or ()], found and found.status) == (waves, ready), what


@pytest.mark.parametrize(("seen", "outcome", "ready"), [(DONE, "Succeeded", "True"), (NEVER_RAN, None, "Unknown")])
def test_a_set_of_suspended_services_succeeds_by_a_proof(seen: Service, outcome: str | None, ready: str) -> None:
    """It has made no call: what it wants may run already."""
    given = set_of_two({}, {}, states=("Open", "Open"))
    for name in ("web", "api"):
        suspended = changed(resting(seen), spec={"suspend": True})
        given = with_child(given, name, suspended)
    decision = decide_set(given)
    found = find(decision.status.conditions, "Ready")
    assert ([h.outcome for h in decision.status.history or ()], found and found.status) == ([outcome], ready)
