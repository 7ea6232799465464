"""Ready=True is only what is proven: by every task that ECS counts, of a deployment that is done, or by an earlier proof of that one."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecs_release.api.release_status import Intent, LastReady, ReadyImage
from ecs_release.api.suspension import EnvironmentSuspension
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Deployment, Service, TaskDefinition
from ecs_release.domain.model import conditions
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules import at_rest
from ecs_release.domain.verification.health import Health
from ecs_release.domain.verification.proof import Match
from tests.builders.conditions import ready
from tests.builders.ecs import NEW, NOW, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.scenarios import drifted

DOMAIN = Path(conditions.__file__).parents[1]
RUNS = service(deployment(2), tasks=(task(2), task(2)))
FAILED = deployment(2, state="FAILED", rollout_state_reason="ECS deployment circuit breaker: tasks failed to start.")
OURS, THEIRS, TAGGED = task_definition(2, NEW), task_definition(3, OTHER), task_definition(3, ":c")
BEGINS = service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=(task(2), task(2)))
"""Somebody else's deployment, of which no task runs yet."""


def given(seen: Service, running: TaskDefinition | None = OURS, *, proven: str = "", **more: Any) -> Facts:
    """A Release at rest on a pin that its last attempt has deployed; `proven` is the deployment whose tasks have proven it."""
    found = drifted(seen, stood_s=None, running=running, **more)
    last = LastReady(source_hash=found.source_hash, images=[ReadyImage(container="app", digest=NEW)], deployment_id=proven, time=NOW)
    return changed(found, status=found.status.model_copy(update={"last_ready": last if proven else None}))


def unknown(found: Facts) -> Facts:
    """The same, recovered from the ledger when ECR did not answer."""
    assert found.wanted.pin is not None
    images = [i.model_copy(update={"platforms": "Unknown"}) for i in found.wanted.pin.images or ()]
    return changed(found, pin=found.wanted.pin.model_copy(update={"images": images}))


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("all tasks show it", given(RUNS), ("True", "Succeeded")),
        ("one of two that ECS counts is listed", given(service(deployment(2), tasks=(task(2),), running=2)), ("Unknown", "Verifying")),
        ("the same, proven before", given(service(deployment(2), tasks=(task(2),), running=2), proven="ecs-svc/2"), ("True", "Succeeded")),
        ("no task runs, and none ever did", given(service(deployment(2))), ("Unknown", "Verifying")),
        ("no task runs now, proven before", given(service(deployment(2)), proven="ecs-svc/2"), ("True", "Succeeded")),
        ("no task runs now, another deployment was proven", given(service(deployment(2)), proven="ecs-svc/1"), ("Unknown", "Verifying")),
        ("ECS has given it up, only new tasks run", given(service(FAILED, tasks=(task(2), task(2)))), ("Unknown", "Verifying")),
        ("the same, proven before", given(service(FAILED, tasks=(task(2), task(2))), proven="ecs-svc/2"), ("Unknown", "Verifying")),
        ("somebody's deployment of other digests, no task of it yet", given(BEGINS, THEIRS), ("False", "Drifted")),
        ("somebody's deployment of a tag, no task of it yet", given(BEGINS, TAGGED), ("Unknown", "Verifying")),
        ("somebody's deployment of what cannot be read, no task of it yet", given(BEGINS, None), ("Unknown", "Verifying")),
        ("somebody's deployment of the wanted digests, no task of it yet", given(BEGINS, task_definition(3, NEW)), ("True", "Succeeded")),
        (
            "somebody's deployment of a tag, one task of it",
            given(replace(BEGINS, tasks=(task(2), task(3)), running=2), TAGGED),
            ("True", "Succeeded"),
        ),
        ("another digest", given(service(deployment(2), tasks=(task(2, OTHER),)), None), ("False", "Drifted")),
        (
            "another digest, while platforms are unknown",
            unknown(given(service(deployment(2), tasks=(task(2, OTHER),)))),
            ("Unknown", "Verifying"),
        ),
        ("nothing is wanted", given(service(deployment(2), desired=0)), ("True", "NothingRunning")),
        ("nothing is wanted, and the revision cannot be read", given(service(deployment(2), desired=0), None), ("Unknown", "Verifying")),
        (
            "nothing is wanted, and the revision cannot be read, proven before",
            given(service(deployment(2), desired=0), None, proven="ecs-svc/2"),
            ("Unknown", "Verifying"),
        ),
        (
            "what runs has no such container",
            given(service(deployment(3), tasks=(task(3, container="web"),)), task_definition(3, "")),
            ("False", "Drifted"),
        ),
    ],
)
def test_ready_is_what_is_proven(what: str, found: Facts, expected: tuple[str, str]) -> None:
    assert ready(decide(found).status) == expected, what


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("all tasks show it", given(RUNS), "True"),
        ("no task runs, and none ever did", given(service(deployment(2))), "Unknown"),
        ("no task runs now, proven before", given(service(deployment(2)), proven="ecs-svc/2"), "True"),
        ("ECS has given it up", given(service(FAILED, tasks=(task(2), task(2)))), "Unknown"),
        ("another digest runs", given(service(deployment(3), tasks=(task(3, OTHER),)), THEIRS), "False"),
        ("nothing is wanted", given(service(deployment(2), desired=0)), "True"),
        ("too few run", given(service(deployment(2), tasks=(task(2),)), health=Health(enough=False, unhealthy=True)), "False"),
    ],
)
@pytest.mark.parametrize("suspended", ["by the Release", "by the Environment", "Observe"])
def test_suspended_and_observing_say_no_more_than_is_proven(what: str, found: Facts, expected: str, suspended: str) -> None:
    assert found.place.environment is not None
    spec = found.place.environment.spec
    if suspended == "by the Release":
        found = changed(found, spec={"suspend": True})
    elif suspended == "Observe":
        found = changed(found, environment=found.place.environment.model_copy(update={"spec": spec.model_copy(update={"mode": "Observe"})}))
    else:
        paused = spec.model_copy(update={"suspend": EnvironmentSuspension(reason="freeze")})
        found = changed(found, environment=found.place.environment.model_copy(update={"spec": paused}))
    status, reason = ready(decide(found).status)
    assert (status, reason) == (expected, "Observing" if suspended == "Observe" else "Suspended"), what


@pytest.mark.parametrize(
    ("what", "tag", "expected"),
    [
        ("the environment's tag, which points to what is wanted", ":env", ("True", "Succeeded")),
        ("another tag", ":else", ("Unknown", "Verifying")),
    ],
)
def test_a_deployment_that_follows_another_tag_than_the_environments_proves_nothing(what: str, tag: str, expected: tuple[str, str]) -> None:
    rules: dict[str, Any] = {"rollout": {"method": "EnvironmentTag"}, "place": {"artifacts": {"environmentTag": "env"}}}
    found = given(BEGINS, task_definition(3, tag), tags={"app": NEW}, **rules)
    assert ready(decide(found).status) == expected, what


@pytest.mark.parametrize(
    ("what", "primary", "listed", "kept", "known"),
    [
        ("ECS rolls back to it", deployment(3, state="IN_PROGRESS", rollout_state_reason="ECS deployment rolling back"), (), "", False),
        ("it was listed before ours, whose tag is not moved back", deployment(3, state="IN_PROGRESS"), ("ecs-svc/3",), "Moved", False),
        ("it was listed before ours, whose tag is moved back", deployment(3, state="IN_PROGRESS"), ("ecs-svc/3",), "Returned", True),
        ("it is newer than ours", deployment(3, state="IN_PROGRESS"), ("ecs-svc/1",), "Moved", True),
    ],
)
@pytest.mark.parametrize("desired", [2, 0])
def test_the_tag_tells_nothing_of_a_deployment_that_ecs_went_back_to(
    what: str, primary: Deployment, listed: tuple[str, ...], kept: str, known: bool, desired: int
) -> None:
    """Nor of one at desiredCount 0: its tasks run what the tag pointed to when its first one began."""
    rules: dict[str, Any] = {"rollout": {"method": "EnvironmentTag"}, "place": {"artifacts": {"environmentTag": "env"}}}
    tasks = (task(2), task(2)) if desired else ()
    found = given(
        service(primary, deployment(2, status="ACTIVE"), tasks=tasks, desired=desired),
        task_definition(3, ":env"),
        tags={"app": NEW},
        **rules,
    )
    assert found.status.rollout is not None
    failed = found.status.rollout.model_copy(
        update={
            "outcome": "RolledBack",
            "intent": Intent(action="UpdateService", deployments=list(listed)),
            "environment_tag": kept or None,
        }
    )
    found, pin = changed(found, status=found.status.model_copy(update={"rollout": failed})), found.wanted.pin
    assert pin is not None
    proven = Match.YES if desired else Match.NOTHING_RUNS
    assert at_rest.runs_wanted(found, pin) is (proven if known else Match.UNKNOWN), what


def test_nothing_running_proves_nothing_that_outlives_it() -> None:
    """Deployed at desiredCount 0, then scaled up: no image has run yet, whatever was reported before."""
    off = decide(given(service(deployment(2), desired=0))).status
    assert ready(off) == ("True", "NothingRunning")
    assert off.last_ready is None
    up = changed(given(service(deployment(2))), status=off)
    assert ready(decide(up).status) == ("Unknown", "Verifying")


def test_a_proof_belongs_to_a_deployment() -> None:
    proven = decide(given(RUNS)).status
    assert proven.last_ready is not None
    assert proven.last_ready.deployment_id == "ecs-svc/2"
    lost = changed(given(service(deployment(2))), status=proven)
    assert ready(decide(lost).status) == ("True", "Succeeded")
    again = service(deployment(4, task_definition=revision(2)))
    assert ready(decide(changed(given(again), status=proven)).status) == ("Unknown", "Verifying")


@pytest.mark.parametrize(
    ("seen", "moves"),
    [
        (service(deployment(1)), False),
        (service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE")), True),
        (service(deployment(2, state="FAILED")), False),
        (service(deployment(2, state=None), deployment(1, status="ACTIVE", state=None)), True),
        (service(deployment(1, state=None)), False),
        (service(), False),
    ],
)
def test_whether_ecs_has_finished(seen: Service, moves: bool) -> None:
    assert seen.is_moving is moves


def test_one_module_says_of_a_release_that_it_is_ready() -> None:
    """All of Ready=True goes by one idea of proof: no other module of the domain makes such a condition for a Release."""
    found = {
        path.relative_to(DOMAIN).as_posix()
        for path in DOMAIN.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and may_be_true(call.func.id, call)
    }
    assert found == {"rules/at_rest.py", "sets/set_conditions.py"}


def may_be_true(function: str, call: ast.Call) -> bool:
    """Whether a call makes a Situation that may be Ready=True."""
    if function != "held":
        return function == "ready"
    given = call.args[0]
    values = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
    return not all(isinstance(v, ast.Constant) and v.value is not True for v in values)


LATEST = {"rollout": {"baseRevision": "Latest"}, "newest_foreign": task_definition(5, OTHER)}


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("proven", given(RUNS, **LATEST), ("False", "BaseRevisionOutdated")),
        ("proven before", given(service(deployment(2)), proven="ecs-svc/2", **LATEST), ("False", "BaseRevisionOutdated")),
        ("nothing is wanted", given(service(deployment(2), desired=0), **LATEST), ("False", "BaseRevisionOutdated")),
        ("not proven", given(service(deployment(2)), **LATEST), ("Unknown", "Verifying")),
        ("other digests run", given(service(deployment(3), tasks=(task(3, OTHER),)), THEIRS, **LATEST), ("False", "Drifted")),
        ("too few tasks run", given(RUNS, health=Health(unhealthy=True), **LATEST), ("False", "TasksUnhealthy")),
    ],
)
def test_a_newer_base_is_told_of_what_is_proven(what: str, found: Facts, expected: tuple[str, str]) -> None:
    assert ready(decide(found).status) == expected, what


HOLD = Waiting("AwaitingReleaseSet", "spec.source is not what ReleaseSet 'all' wants now: it is not acted on, and put back")


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("what was wanted before runs", given(RUNS, hold=HOLD, is_edited=True), "False"),
        ("what was wanted before is not proven", given(service(deployment(2)), hold=HOLD, is_edited=True), "Unknown"),
        ("something else runs", given(service(deployment(3), tasks=(task(3, OTHER),)), THEIRS, hold=HOLD, is_edited=True), "Unknown"),
        ("its set is going, and it was not edited", given(RUNS, hold=HOLD), "True"),
    ],
)
def test_a_source_that_is_not_acted_on_is_not_ready(what: str, found: Facts, expected: str) -> None:
    assert ready(decide(found).status) == (expected, "AwaitingReleaseSet"), what


BY_TAG: dict[str, Any] = {"rollout": {"method": "EnvironmentTag"}, "place": {"artifacts": {"environmentTag": "env"}}}


def consistency(value: str | None, image: str = ":env", container: str = "app") -> TaskDefinition:
    """The running revision, which says so of a container (None: nothing)."""
    made = task_definition(2, image)
    more = {"versionConsistency": value} if value else {}
    others = [] if container == "app" else [{"name": container, "image": "proxy:1", **more}]
    containers = [{**c, **(more if container == "app" else {})} for c in made.content["containerDefinitions"]] + others
    return replace(made, content={**made.content, "containerDefinitions": containers})


ALONE = consistency("disabled")
NONE_NOW, ONE_LISTED = service(deployment(2)), service(deployment(2), tasks=(task(2),), running=2)


@pytest.mark.parametrize("seen", [NONE_NOW, ONE_LISTED, service(deployment(2), tasks=(task(2), task(2, "")))])
@pytest.mark.parametrize(
    ("what", "running", "expected"),
    [
        ("ECS resolves the tag once", consistency(None), ("True", "Succeeded")),
        ("it says so", consistency("enabled"), ("True", "Succeeded")),
        ("each task resolves it", ALONE, ("Unknown", "Verifying")),
        ("each task resolves it, and the image is named by digest", consistency("disabled", NEW), ("True", "Succeeded")),
        ("each task resolves the tag of a container that is not listed", consistency("disabled", container="proxy"), ("True", "Succeeded")),
        ("it is not known whether it does", None, ("Unknown", "Verifying")),
    ],
)
def test_no_task_proves_another_one_where_each_resolves_its_tag(
    what: str, running: TaskDefinition | None, expected: tuple[str, str], seen: Service
) -> None:
    """They were proven before, by this very deployment: those that have started since may run what the tag pointed to by then."""
    decision = decide(given(seen, running, proven="ecs-svc/2", tags={"app": NEW}, **BY_TAG))
    assert ready(decision.status) == expected, what


def test_tasks_that_all_show_it_prove_themselves() -> None:
    assert ready(decide(given(RUNS, ALONE, tags={"app": NEW}, **BY_TAG)).status) == ("True", "Succeeded")
    mixed = service(deployment(2), tasks=(task(2), task(2, OTHER)))
    assert ready(decide(given(mixed, ALONE, proven="ecs-svc/2", tags={"app": NEW}, **BY_TAG)).status) == ("False", "Drifted")


@pytest.mark.parametrize(("running", "expected", "words"), [(consistency(None), "True", ""), (ALONE, "False", "the next task would run")])
def test_what_the_next_task_would_pull_counts_where_each_resolves_its_tag(running: TaskDefinition, expected: str, words: str) -> None:
    """While it is suspended, too: the tag was moved, and all tasks that run now are as wanted."""
    held = given(RUNS, running, proven="ecs-svc/2", tags={"app": OTHER}, **BY_TAG)
    held = changed(held, spec={"suspend": True})
    found = decide(held).status
    assert ready(found) == (expected, "Suspended")
    condition = next(c for c in found.conditions or () if c.type == "Ready")
    assert words in condition.message


def test_what_a_task_would_pull_after_a_rollback_is_what_the_tag_points_to_where_each_resolves_it() -> None:
    back = deployment(3, state="IN_PROGRESS", rollout_state_reason="ECS deployment rolling back")
    seen = service(back, deployment(2, status="ACTIVE"), desired=0)
    for running, found in ((consistency(None), Match.UNKNOWN), (ALONE, Match.NOTHING_RUNS)):
        off = given(seen, replace(running, arn=revision(3)), tags={"app": NEW}, **BY_TAG)
        assert off.wanted.pin is not None
        assert at_rest.runs_wanted(off, off.wanted.pin) is found
