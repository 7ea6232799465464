"""Plans: by the operator's own rules, from what is known, and saying what is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.plan.object_plan import ObjectPlan, plan_release, plan_set
from ecs_release.cli.kubectl.plan.service_plan import ADOPT, BLOCKED, DEPLOY, HELD, NOTHING, UNKNOWN, Surroundings
from ecs_release.domain.artifacts.source import Lookup, source_hash
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.facts import set_source_hash
from tests.unit.cli.kubectl.objects import NOW, READY, ago, digest, environment, member, project, release, release_set

WEEKEND = {
    "windows": [{"name": "weekend", "kind": "Deny", "startTime": ago(hours=1), "endTime": "2026-11-25T00:00:00Z", "reason": "freeze"}]
}


def found(target: Target, lookup: Lookup) -> RegistryImage | str | None:
    """A registry that holds every hash of one letter but n."""
    letter = (lookup.release_hash or lookup.tags[0])[0]
    return None if letter == "n" else RegistryImage(digest(letter))


def blind(target: Target, lookup: Lookup) -> RegistryImage | str | None:
    return "no AWS credentials"


def place(
    *releases: dict[str, Any], spec: dict[str, Any] | None = None, services: tuple[str, ...] = ("web", "search"), there: bool = True
) -> Surroundings:
    models = {r["metadata"]["name"]: Release.model_validate(r) for r in releases}
    its_environment = Environment.model_validate(environment(spec=spec)) if there else None
    return Surroundings("shop", Project.model_validate(project(*services)), its_environment, models, NOW, "shop", "staging", {})


def with_source(body: dict[str, Any], **source: Any) -> Release:
    return Release.model_validate({**body, "spec": {**body["spec"], "source": source}})


def readiness(body: dict[str, Any], **status: Any) -> Release:
    """A Release whose pin is of its source as it is."""
    model = Release.model_validate(body)
    source = source_hash(model.spec.source)
    pin = {**body["status"]["pin"], "sourceHash": source}
    for name in {"rollout", "lastReady"} & body["status"].keys():
        status[name] = {"sourceHash": source, **body["status"][name]}
    return Release.model_validate({**body, "status": {**body["status"], "pin": pin, **status}})


def attempt(letter: str, outcome: str | None, began: str = ago(minutes=4)) -> dict[str, Any]:
    return {"attemptID": "x", "startTime": began, "outcome": outcome, "images": [{"container": "app", "toDigest": digest(letter)}]}


def verdict(plan: ObjectPlan) -> tuple[str, str]:
    return plan.services[0].does, plan.services[0].why


@pytest.mark.parametrize(
    ("live", "source", "expected"),
    [
        (readiness(release()), {"releaseHash": "bbbbbbb"}, (NOTHING, "it runs already")),
        (readiness(release()), {"tag": "bb"}, (ADOPT, "the same digests run already")),
        (readiness(release()), {"releaseHash": "ccccccc"}, (DEPLOY, "")),
        (readiness(release()), {"releaseHash": "nnnnnnn"}, (BLOCKED, "shop/web has no image tagged ref.nnnnnnn or nnnnnnn")),
        (readiness(release()), {"tag": "nn"}, (BLOCKED, "shop/web has no image tagged nn")),
        (
            readiness(release(runs={"a": 2}, rollout=attempt("b", "RolledBack"))),
            {"releaseHash": "bbbbbbb"},
            (HELD, "the latest attempt ended RolledBack: a retry has to ask for another"),
        ),
        (
            readiness(release(runs={"a": 2}, rollout=attempt("b", "Succeeded"))),
            {"releaseHash": "bbbbbbb"},
            (HELD, "something else runs: drift, which is corrected only where onDrift says so"),
        ),
        (readiness(release(runs={"a": 2}, rollout=attempt("b", None))), {"releaseHash": "bbbbbbb"}, (DEPLOY, "it is under way")),
        (readiness(release(runs={"a": 1, "b": 1})), {"releaseHash": "bbbbbbb"}, (DEPLOY, "")),
        (
            readiness(release()),
            {"images": [{"container": "other", "digest": digest("c")}]},
            (BLOCKED, "spec.source.images has no image for container app: give one for each"),
        ),
    ],
)
def test_what_an_apply_would_do(live: Release, source: dict[str, Any], expected: tuple[str, str]) -> None:
    wanted = with_source(live.to_kubernetes(), **source)
    assert verdict(plan_release(wanted, live, place(), found)) == expected


@pytest.mark.parametrize(
    ("rules", "source", "why"),
    [
        ({}, "c" * 40, ""),
        ({"unknown": "Hold"}, "c" * 40, ""),
        ({"notMerged": "Refuse"}, "c" * 40, "the commit graph is asked first whether it is merged (commits.unknown is Allow)"),
        (
            {"backwards": "Hold", "unknown": "Hold"},
            "c" * 7,
            "the commit graph is asked first whether it goes backwards (commits.unknown is Hold)",
        ),
        ({"notMerged": "Refuse", "backwards": "Hold"}, "c" * 40, "asked first whether it is merged and whether it goes backwards"),
        ({"notMerged": "Refuse", "unknown": "Hold"}, "c" * 7, "ccccccc can be forged"),
    ],
)
def test_what_the_commit_graph_is_asked_is_said(rules: dict[str, str], source: str, why: str) -> None:
    live = readiness(release())
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash=source), live, place(spec={"commits": rules}), found)
    assert plan.services[0].does == DEPLOY and why in plan.services[0].why and bool(why) is bool(plan.services[0].why)


RETRY = {"ecs-release.dev/retry": "1"}
LAST_READY = {"time": ago(minutes=2), "images": [{"container": "app", "digest": digest("b")}]}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (readiness(release(runs={"a": 2}, rollout=attempt("b", "Abandoned"))), (DEPLOY, "")),
        (readiness(release(runs={"a": 2}, rollout=attempt("b", "RolledBack", ago(minutes=6)))), (DEPLOY, "")),
        (readiness(release(runs={"a": 2}, rollout=attempt("b", "RolledBack"), annotations=RETRY)), (DEPLOY, "")),
        (
            readiness(release(runs={"a": 2}, rollout=attempt("b", "RolledBack"), annotations=RETRY, lastHandledRetry="1")),
            (HELD, "the latest attempt ended RolledBack: a retry has to ask for another"),
        ),
        (
            readiness(release(runs={"a": 2}, lastReady=LAST_READY)),
            (HELD, "something else runs: drift, which is corrected only where onDrift says so"),
        ),
    ],
    ids=["abandoned", "before the pin", "retry", "retry that was handled", "was Ready, and no attempt is known"],
)
def test_whether_an_attempt_is_due_is_decided_as_the_operator_does(live: Release, expected: tuple[str, str]) -> None:
    assert verdict(plan_release(live, live, place(), found)) == expected


def test_what_aws_does_not_tell_is_not_known() -> None:
    live = readiness(release())
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash="ccccccc"), live, place(), blind)
    assert verdict(plan) == (UNKNOWN, "the digest could not be looked up: no AWS credentials")
    assert plan.blocked_by == ("the digest could not be looked up: no AWS credentials",)
    assert plan.services[0].after["app"].hash == "ccccccc"
    by_digest = with_source(live.to_kubernetes(), images=[{"container": "app", "digest": digest("c")}])
    assert verdict(plan_release(by_digest, live, place(), blind))[0] == DEPLOY, "a digest needs no looking up"


def test_what_was_resolved_stands_and_is_not_looked_up_again() -> None:
    live = readiness(release(runs={"a": 2}))
    assert verdict(plan_release(live, live, place(), blind))[0] == DEPLOY


UNTOLD = "what runs may be one of the wanted images' platforms: ECR has not told yet"
DRIFT = "something else runs: drift, which is corrected only where onDrift says so"


@pytest.mark.parametrize(
    ("platforms", "rollout", "expected"),
    [
        ({"platforms": "Unknown"}, attempt("b", "Succeeded"), (UNKNOWN, UNTOLD)),
        ({"platformDigests": [digest("a")]}, attempt("b", "Succeeded"), (NOTHING, "it runs already")),
        ({}, attempt("b", "Succeeded"), (HELD, DRIFT)),
        (
            {"platforms": "Unknown"},
            attempt("b", "RolledBack"),
            (HELD, "the latest attempt ended RolledBack: a retry has to ask for another"),
        ),
    ],
)
def test_what_runs_is_compared_as_the_operator_does(platforms: dict[str, Any], rollout: dict[str, Any], expected: tuple[str, str]) -> None:
    """A pin from the ledger: which platforms its image has is not known while ECR does not tell."""
    body = release(runs={"a": 2}, rollout=rollout)
    body["status"]["pin"]["images"] = [{**i, **platforms} for i in body["status"]["pin"]["images"]]
    live = readiness(body)
    assert verdict(plan_release(live, live, place(), blind)) == expected


@pytest.mark.parametrize(("annotations", "does"), [({}, HELD), (RETRY, DEPLOY)])
def test_a_container_that_the_project_lists_since_waits_for_a_retry(annotations: dict[str, str], does: str) -> None:
    live, where = readiness(release(annotations=annotations)), place()
    assert where.project is not None
    service = where.project.spec.service_sets[0].services[0]
    service.containers.append(service.containers[0].model_copy(update={"name": "log"}))
    plan = plan_release(live, live, where, found)
    assert verdict(plan)[0] == does
    assert ("log" in verdict(plan)[1]) is (does == HELD)


@pytest.mark.parametrize(
    ("spec", "blocked"),
    [
        ({"mode": "Observe"}, "Environment 'staging' is in mode Observe: nothing is changed in AWS"),
        ({"suspend": {"reason": "audit"}}, "Environment 'staging' is suspended: audit"),
        (WEEKEND, "window weekend is closed until 2026-11-25 00:00 UTC: freeze"),
    ],
)
def test_what_blocks(spec: dict[str, Any], blocked: str) -> None:
    live = readiness(release())
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash="ccccccc"), live, place(spec=spec), found)
    assert plan.blocked_by == (blocked,)
    assert plan.services[0].does == DEPLOY


def test_a_closed_window_blocks_nothing_where_nothing_is_deployed() -> None:
    live = readiness(release())
    assert plan_release(live, live, place(spec=WEEKEND), found).blocked_by == ()


def test_a_return_passes_a_closed_window() -> None:
    entries = [
        {"attemptID": "2", "outcome": "RolledBack", "startTime": ago(days=1), "images": [{"container": "app", "toDigest": digest("c")}]},
        {"attemptID": "1", "outcome": "Succeeded", "startTime": ago(days=30), "images": [{"container": "app", "toDigest": digest("a")}]},
    ]
    live = readiness(release(), history=entries)
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash="aaaaaaa"), live, place(spec=WEEKEND), found)
    assert plan.blocked_by == ()
    assert verdict(plan) == (DEPLOY, "passes closed window weekend: it returns to what was Ready here in the last 7 days")


@pytest.mark.parametrize(("override", "passes"), [("1/urgent", True), ("urgent", False)])
def test_an_override_passes_a_closed_window(override: str, passes: bool) -> None:
    live = readiness(release(annotations={"ecs-release.dev/override-window": override}))
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash="ccccccc"), live, place(spec=WEEKEND), found)
    assert bool(plan.blocked_by) is not passes
    assert verdict(plan) == ((DEPLOY, "passes closed window weekend: override 1: urgent") if passes else (DEPLOY, *plan.blocked_by))


def test_places_that_are_not_allowed_or_not_there() -> None:
    live = readiness(release())
    wanted = with_source(live.to_kubernetes(), releaseHash="ccccccc")
    refused = plan_release(wanted, live, place(spec={"allowedNamespaces": {"names": ["other"]}}), found)
    assert verdict(refused)[0] == BLOCKED
    assert "does not allow namespace 'shop'" in verdict(refused)[1]
    assert plan_release(wanted, None, place(there=False), found).blocked_by == ("Environment staging is not there, or you may not read it",)
    unknown = plan_release(wanted, None, place(services=("search",)), found)
    assert "has no service 'web'" in verdict(unknown)[1]


def a_set(**spec: Any) -> ReleaseSet:
    body = release_set(name="all")
    return ReleaseSet.model_validate({**body, "spec": {**body["spec"], **spec}, "status": None})


def test_a_set_is_planned_service_by_service_in_waves() -> None:
    children = [release("web", runs={"a": 2}), release("search", runs={"a": 2})]
    plan = plan_set(a_set(strategy={"waves": [{"services": ["search"]}]}), None, place(*children), found)
    assert [(s.wave, s.service, s.does) for s in plan.services] == [("1", "search", DEPLOY), ("2", "web", DEPLOY)]
    assert (plan.before, plan.after, plan.changed) == ("", "bbbbbbb", True)
    held = "held by another Release: search by release/search-staging, web by release/web-staging; delete it first, which touches nothing in AWS"
    assert plan.blocked_by == (held,)


CONFLICT, UNREAD = (
    {"conditions": [{**READY["conditions"][0], "status": status, "reason": reason}]}
    for status, reason in (("False", "TargetConflict"), ("Unknown", "ObservationFailed"))
)


@pytest.mark.parametrize(
    ("child", "other", "created", "blocked"),
    [
        ({}, {}, "2026-01-03", False),
        ({}, {}, "2026-01-01", True),
        # Whose revision runs comes before who is older, and status tells of it.
        ({}, READY, "2026-01-03", True),
        (READY, {}, "2026-01-01", False),
        (READY, CONFLICT, "2026-01-01", False),
        (CONFLICT, READY, "2026-01-03", True),
        (CONFLICT, {}, "2026-01-01", True),
        # Neither was told who holds it: age decides.
        (UNREAD, UNREAD, "2026-01-03", False),
        (UNREAD, UNREAD, "2026-01-01", True),
    ],
)
def test_a_child_of_the_set_holds_what_it_is_for(child: dict[str, Any], other: dict[str, Any], created: str, blocked: bool) -> None:
    """Unless another Release does."""

    def named(name: str, created: str, status: dict[str, Any]) -> dict[str, Any]:
        body = release("web", runs={"a": 2}, readiness=status)
        return {**body, "metadata": {**body["metadata"], "name": name, "creationTimestamp": f"{created}T00:00:00Z"}}

    there = place(named(child_name("all", "web"), "2026-01-02", child), named("another", created, other))
    plan = plan_set(a_set(services=["web"]), None, there, found)
    assert plan.blocked_by == (
        ("held by another Release: web by release/another; delete it first, which touches nothing in AWS",) if blocked else ()
    )


def test_a_release_that_its_set_has_not_made_holds_nothing() -> None:
    """It names the set as its controller, and is older."""
    forged = release("web", runs={"a": 2}, readiness={})
    owner = {"apiVersion": forged["apiVersion"], "kind": "ReleaseSet", "name": "all", "uid": "u", "controller": True}
    meta = {**forged["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}
    for owners, blocked in (([], True), ([owner], False)):
        there = place({**forged, "metadata": {**meta, "ownerReferences": owners}})
        assert bool(plan_set(a_set(services=["web"]), None, there, found).blocked_by) is blocked


def test_one_missing_and_none_moves_unless_what_runs_may_stay() -> None:
    overrides = [{"service": "web", "source": {"releaseHash": "nnnnnnn"}}]
    plan = plan_set(a_set(overrides=overrides), None, place(), found)
    assert plan.blocked_by == ("1 of 2 services cannot go: web; then none of them moves",)
    keeping = a_set(overrides=overrides, strategy={"missingArtifacts": "KeepCurrent"})
    plan = plan_set(keeping, None, place(release("web", runs={"a": 2}), release("search", runs={"a": 2})), found)
    assert all("held" in text for text in plan.blocked_by) and [(s.service, s.does) for s in plan.services] == [
        ("web", NOTHING),
        ("search", DEPLOY),
    ]
    assert plan.services[0].after["app"].digest == digest("a")
    assert plan.services[0].why.startswith("no image at that hash, so what runs is kept: ")
    new = plan_set(keeping, None, place(), found)
    assert [s.does for s in new.services] == [UNKNOWN, DEPLOY] and "no Release tells yet what that is" in new.blocked_by[0]


def test_what_keep_current_does_not_keep() -> None:
    """What is promoted waits for its image, and what is not allowed is refused."""
    in_sync = {"conditions": [*READY["conditions"], {**READY["conditions"][0], "type": "InSync"}]}
    proven = release("web", environment="test", wanted="c", readiness={**READY, **in_sync})
    promoted = a_set(source={"environmentRef": {"name": "test"}}, services=["web"], strategy={"missingArtifacts": "KeepCurrent"})
    gone = place(proven, release("web", runs={"a": 2}))
    assert plan_set(promoted, None, gone, lambda _target, _lookup: None).blocked_by[0].startswith("1 of 1 services cannot go: web")
    refused = place(spec={"allowedNamespaces": {"names": ["other"]}})
    keeping = a_set(strategy={"missingArtifacts": "KeepCurrent"})
    assert plan_set(keeping, None, refused, found).blocked_by[0].startswith("2 of 2 services cannot go")


def test_a_promotion_takes_what_is_proven_only() -> None:
    in_sync = {"conditions": [*READY["conditions"], {**READY["conditions"][0], "type": "InSync"}]}
    proven = release("web", environment="test", wanted="c", readiness={**READY, **in_sync})
    plan = plan_set(a_set(source={"environmentRef": {"name": "test"}}), None, place(proven, release("search", environment="test")), found)
    assert [(s.service, s.does) for s in plan.services] == [("web", DEPLOY), ("search", BLOCKED)]
    assert plan.services[0].after["app"].digest == digest("c")
    assert "not promoted from test: what Release search-test wants is not proven to run" in plan.services[1].why


def test_a_set_that_was_resolved_stands() -> None:
    wanted = a_set()
    status = {"sourceHash": set_source_hash(wanted.spec), "services": [member("web"), member("search")]}
    live = ReleaseSet.model_validate({**wanted.to_kubernetes(), "status": status})
    plan = plan_set(live, live, place(release("web"), release("search", runs={"a": 2})), blind)
    assert [(s.service, s.does) for s in plan.services] == [("web", NOTHING), ("search", DEPLOY)]
    assert plan.changed is False


def test_a_set_that_names_what_is_not_there() -> None:
    assert "spec.services names nothing" in plan_set(a_set(services=["nothing"]), None, place(), found).blocked_by[0]
    assert plan_set(a_set(serviceSet="none"), None, place(), found).blocked_by == ("Project shop has no service set 'none'",)


def test_an_old_return_does_not_pass() -> None:
    entries = [
        {"attemptID": "1", "outcome": "Succeeded", "startTime": ago(days=30), "images": [{"container": "app", "toDigest": digest("a")}]}
    ]
    later = {"attemptID": "2", "outcome": "Succeeded", "startTime": (NOW - timedelta(days=8)).isoformat(), "images": []}
    live = readiness(release(), history=[later, *entries])
    plan = plan_release(with_source(live.to_kubernetes(), releaseHash="aaaaaaa"), live, place(spec=WEEKEND), found)
    assert len(plan.blocked_by) == 1
