"""A Project that lists other containers than the source was resolved for: nothing is deployed, and nothing is proven of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.api.record_status import LedgerStatus
from ecs_release.api.release_status import ImageChange, LastReady, Pin, PinnedImage, ReadyImage, TargetStatus
from ecs_release.api.source import Source, SourceImage
from ecs_release.domain.artifacts.source import completed_pin, resolved_elsewhere, unpinned
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Container
from ecs_release.domain.environments.targets import ListedContainer
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, target
from tests.builders.scenarios import attempt_due, attempt_under_way, drifted, with_rollout

APP, LOG = {"name": "app", "repository": "shop/web"}, {"name": "log", "repository": "shop/log"}


def listing(given: Facts, *containers: dict[str, str]) -> Facts:
    """The same, and the Project lists these containers."""
    return changed(given, target=target(given.place.environment, containers=list(containers)))


def at_rest(*pinned: str, **more: Any) -> Facts:
    """A Release at rest, proven on a pin of these containers."""
    given = drifted(service(deployment(2), tasks=(task(2), task(2))), stood_s=None, running=task_definition(2, NEW), **more)
    images = [PinnedImage(container=c, digest=NEW) for c in pinned]
    pin = Pin(source_hash=given.source_hash, resolved_time=NOW, images=images)
    ready_on = LastReady(source_hash=given.source_hash, time=NOW, images=[ReadyImage(container=c, digest=NEW) for c in pinned])
    return changed(given, pin=pin, status=given.status.model_copy(update={"pin": pin, "last_ready": ready_on}))


@pytest.mark.parametrize(
    ("what", "given", "expected"),
    [
        ("the pinned one is listed", listing(at_rest("app"), APP), ("True", "Succeeded")),
        ("one is added", listing(at_rest("app"), APP, LOG), ("False", "TargetChanged")),
        ("one is renamed", listing(at_rest("app"), LOG), ("False", "TargetChanged")),
        ("one is removed, and its image is another one", listing(at_rest("app", "log"), APP), ("True", "Succeeded")),
        ("one is added, and the Release is suspended", listing(at_rest("app", spec={"suspend": True}), APP, LOG), ("Unknown", "Suspended")),
    ],
)
def test_ready_is_said_of_the_containers_that_the_project_lists(what: str, given: Facts, expected: tuple[str, str]) -> None:
    decision = decide(given)
    assert ready(decision.status) == expected, what
    assert decision.act is None and decision.status.rollout == given.status.rollout


def test_a_drift_is_not_corrected_before_the_new_container_is_asked_for() -> None:
    given = listing(drifted(), APP, LOG)
    assert decide(drifted()).status.rollout != given.status.rollout, "without it the correction begins"
    decision = decide(given)
    assert ready(decision.status) == ("False", "TargetChanged")
    assert decision.status.rollout == given.status.rollout


def test_a_retry_that_cannot_resolve_the_new_container_says_why() -> None:
    problem = Blocked("ArtifactNotFound", "repository 'shop/log' has no image bbbbbbb")
    given = listing(at_rest("app", annotations={RETRY_ANNOTATION: "1"}), APP, LOG)
    assert ready(decide(changed(given, wanted_problem=problem)).status) == ("False", "ArtifactNotFound")


@pytest.mark.parametrize("listed", [(APP, LOG), (LOG,)])
@pytest.mark.parametrize("action", ["RegisterTaskDefinition", "UpdateService"])
def test_an_attempt_that_deployed_nothing_ends_where_it_would_leave_a_container_out(action: str, listed: tuple[Any, ...]) -> None:
    """Renamed, for one: its revision would be a copy of the one that runs, with the old image."""
    begun = decide(attempt_due()).status
    rollout = begun.rollout
    assert rollout is not None and rollout.intent is not None
    named = rollout.model_copy(update={"intent": rollout.intent.model_copy(update={"action": action}), "task_definition": "arn"})
    given = listing(changed(attempt_due(), status=begun.model_copy(update={"rollout": named}), pin=begun.pin), *listed)
    decision = decide(given)
    assert decision.act is None
    assert decision.status.rollout is not None and decision.status.rollout.outcome == "Abandoned"
    assert ready(decision.status) == ("False", "TargetChanged")


def test_somebody_elses_deployments_are_recorded_meanwhile() -> None:
    given = listing(at_rest("app"), APP, LOG)
    known = decide(listing(at_rest("app"), APP)).status.target
    status = given.status.model_copy(update={"target": known, "ledger": LedgerStatus(since_time=NOW)})
    later = service(deployment(3, age_s=-60), tasks=(task(3, OTHER), task(3, OTHER)))
    foreign = decide(changed(given, status=status, seen=later)).status.foreign
    assert [f.deployment_id for f in foreign or ()] == ["ecs-svc/3"]


def test_a_retry_adds_what_is_missing_and_keeps_the_rest() -> None:
    pin = Pin(source_hash="s", resolved_time=NOW, images=[PinnedImage(container=c, digest=NEW) for c in ("app", "gone")])
    fresh = Pin(source_hash="s", resolved_time=NOW, images=[PinnedImage(container=c, digest=OTHER) for c in ("app", "log")])
    assert unpinned(pin, [ListedContainer("app", "a"), ListedContainer("log", "b")]) == ["log"]
    assert {i.container: i.digest for i in completed_pin(pin, fresh).images or ()} == {"app": NEW, "log": OTHER}


def retried(given: Facts, **more: Any) -> Facts:
    """The same, and a retry has resolved the container that was added."""
    pin = given.status.pin
    assert pin is not None
    images = [*(pin.images or ()), PinnedImage(container="log", digest=OTHER)]
    metadata = given.release.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: "1"}})
    fresh = pin.model_copy(update={"id": "retried", "images": images})
    return changed(given, release=given.release.model_copy(update={"metadata": metadata}), pin=fresh, by_retry=True, **more)


FREEZE = {"name": "freeze", "kind": "Deny", "startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "reason": "audit"}
CLOSED, PAUSED = environment(windows=[FREEZE]), environment(suspend={"reason": "freeze"})
WITH_LOG = task_definition(2, NEW, content={"containerDefinitions": [{"name": c, "image": f"{c}:1"} for c in ("app", "log")]})
TARGET = TargetStatus(service_arn="arn:elsewhere")


@pytest.mark.parametrize(("place", "reason"), [(CLOSED, "AwaitingWindow"), (PAUSED, "Suspended")])
@pytest.mark.parametrize("target", [None, TARGET])
def test_a_retry_that_has_to_wait_may_be_withdrawn(place: Environment, reason: str, target: TargetStatus | None) -> None:
    """What it has resolved, and the target, stand once its attempt has begun."""
    status = at_rest("app").status.model_copy(update={"target": target})
    given = listing(changed(at_rest("app"), environment=place, status=status), APP, LOG)
    waits = decide(retried(given))
    assert waits.act is None and ready(waits.status)[1] == reason
    assert waits.status.plan is not None and "log: nothing to" in (waits.status.plan.message or "")
    assert (waits.status.pin, waits.status.rollout) == (status.pin, status.rollout)
    if target is not None:
        assert waits.status.target == target
    opened = changed(listing(at_rest("app"), APP, LOG), status=waits.status)
    assert ready(decide(opened).status) == ("False", "TargetChanged"), "it was withdrawn"
    begun = decide(retried(opened, running=WITH_LOG)).status
    assert begun.rollout is not None and begun.pin is not None and begun.target is not None
    assert (begun.rollout.cause, begun.rollout.outcome, begun.last_handled_retry) == ("Retry", None, "1")
    assert (begun.rollout.pin_id, begun.pin.id) == ("retried", "retried") and begun.target != target


def test_what_the_environment_suspends_is_false_where_another_image_runs() -> None:
    paused = environment(suspend={"reason": "freeze"})
    given = changed(at_rest("app"), seen=service(deployment(2), tasks=(task(2, OLD),)), environment=paused)
    assert ready(decide(listing(given, APP, LOG)).status) == ("False", "Suspended")


def test_a_source_that_lists_its_images_gets_no_other_by_a_retry() -> None:
    """A ReleaseSet's Releases have such sources: their set waits for the retry that it asked for, which must not stay open."""
    source = Source(images=[SourceImage(container="app", digest=NEW)])
    given = listing(at_rest("app", annotations={RETRY_ANNOTATION: "1"}, spec={"source": source.to_kubernetes()}), APP, LOG)
    decision = decide(given)
    assert ready(decision.status) == ("False", "TargetChanged")
    assert decision.status.last_handled_retry == "1"
    assert [e.reason for e in decision.events if e.reason == "RetryIgnored"] == ["RetryIgnored"]


# The Project names another repository than the source was resolved in.


def resolved_in(given: Facts, repository: str) -> Facts:
    """The same, and the pin's image was found in this repository of the Environment's registry."""
    host, pin = given.place.target.registry_host if given.place.target else "", given.wanted.pin
    assert pin is not None
    images = [i.model_copy(update={"repository": f"{host}/{repository}"}) for i in pin.images or ()]
    return changed(given, pin=pin.model_copy(update={"images": images}))


def test_what_was_resolved_in_another_repository_is_not_deployed_from_this_one() -> None:
    decision = decide(resolved_in(attempt_due(), "shop/former"))
    assert decision.act is None
    assert ready(decision.status) == ("False", "TargetChanged")
    same = decide(resolved_in(attempt_due(), "shop/web"))
    assert same.status.rollout is not None and same.status.rollout.outcome is None


def test_another_repository_makes_no_difference_to_what_runs() -> None:
    given = resolved_in(at_rest("app"), "shop/former")
    status = given.status.model_copy(update={"pin": given.wanted.pin})
    assert ready(decide(listing(changed(given, status=status), APP)).status) == ("True", "Succeeded")


@pytest.mark.parametrize("action", ["RegisterTaskDefinition", "UpdateService"])
def test_an_attempt_that_deployed_nothing_ends_where_the_repository_is_another_one(action: str) -> None:
    begun = decide(resolved_in(attempt_due(), "shop/web")).status
    assert begun.rollout is not None and begun.rollout.intent is not None
    named = begun.rollout.model_copy(
        update={"intent": begun.rollout.intent.model_copy(update={"action": action}), "task_definition": "arn"}
    )
    given = changed(attempt_due(), status=begun.model_copy(update={"rollout": named}), pin=begun.pin)
    decision = decide(listing(given, {"name": "app", "repository": "shop/other"}))
    assert decision.act is None
    assert decision.status.rollout is not None and decision.status.rollout.outcome == "Abandoned"
    assert ready(decision.status) == ("False", "TargetChanged")


def test_a_retry_resolves_anew_what_was_resolved_in_another_repository() -> None:
    def pinned(repository: str | None, digest: str) -> Pin:
        return Pin(source_hash="s", resolved_time=NOW, images=[PinnedImage(container="app", repository=repository, digest=digest)])

    fresh = pinned("host/shop/web", OTHER)
    for repository, digest in (("host/shop/former", OTHER), ("host/shop/web", NEW), (None, NEW)):
        (image,) = completed_pin(pinned(repository, NEW), fresh).images or ()
        assert image.digest == digest, repository
    goes_to = target(environment(), containers=[APP])
    assert resolved_elsewhere(pinned("host/shop/web", NEW), goes_to) == ["app"], "it is in another registry"
    assert resolved_elsewhere(pinned(f"{goes_to.registry_host}/shop/former", NEW), goes_to) == ["app"]
    assert resolved_elsewhere(pinned(f"{goes_to.registry_host}/shop/web", NEW), goes_to) == []
    assert resolved_elsewhere(pinned(None, NEW), goes_to) == [], "it was not looked up yet"


def test_an_attempt_is_proven_without_a_container_that_is_not_listed_any_more() -> None:
    """Its revision has that one's image as it was, which may be another than the pinned one."""
    images = [PinnedImage(container=c, digest=NEW) for c in ("app", "log")]
    runs = replace(task(2), containers=(Container("app", "", NEW), Container("log", "", OTHER)))
    given = attempt_under_way(service(deployment(2), tasks=(runs, runs)))
    changes = [ImageChange(container=c, to_digest=NEW) for c in ("app", "log")]
    given = listing(with_rollout(given, images=changes), APP)
    assert given.wanted.pin is not None
    decision = decide(changed(given, pin=given.wanted.pin.model_copy(update={"images": images})))
    assert decision.status.rollout is not None and decision.status.rollout.outcome == "Succeeded"
