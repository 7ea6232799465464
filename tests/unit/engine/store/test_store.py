"""What the store keeps of an object, and which events it takes for news: what it does not see, no pass looks at."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.api.names import (
    ABORT_ANNOTATION,
    API_VERSION,
    APPLIED_BY_ANNOTATION,
    ENVIRONMENT,
    LABEL_ENVIRONMENT,
    LABEL_PROJECT,
    LABEL_RELEASE_SET,
    LABEL_SERVICE,
    LABEL_SERVICE_SET,
    OVERRIDE_ANNOTATION,
    OVERRIDE_COMMITS_ANNOTATION,
    PROJECT,
    REFRESH_ANNOTATION,
    RELEASE,
    RELEASE_SET,
    RETRY_ANNOTATION,
)
from ecs_release.api.project import Project
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.retention.image_availability import WARNED_OF
from ecs_release.engine.store.last_transition import NEVER
from ecs_release.engine.store.store import Invalid, ReleaseFacts, SetStoreFacts, Store, release_facts, set_facts
from tests.builders.objects import environment_object, project_object, release_object, release_set_object

KEY, SET_KEY = ObjectKey(RELEASE, "shop", "web"), ObjectKey(RELEASE_SET, "shop", "front-prod")
STORE, PROD = ObjectKey(PROJECT, "shop", "store"), ObjectKey(ENVIRONMENT, "", "prod")
STARTED, ENDED = "2026-05-04T12:00:00Z", "2026-05-04T12:10:00Z"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def store() -> Store:
    return Store()


def put(*path: str, value: Any) -> Change:
    """A change of one field of an object."""

    def change(body: dict[str, Any]) -> None:
        for step in path[:-1]:
            body = body.setdefault(step, {})
        body[path[-1]] = value

    return change


def owned(uid: str, kind: str = RELEASE_SET, *, controller: bool = True) -> Change:
    owner = {"apiVersion": API_VERSION, "kind": kind, "name": "front-prod", "uid": uid, "controller": controller}
    return put("metadata", "ownerReferences", value=[owner])


NEWS = {
    "another life": put("metadata", "uid", value="uid-2"),
    "the spec": put("metadata", "generation", value=2),
    "it is being deleted": put("metadata", "deletionTimestamp", value="2026-05-04T12:00:00Z"),
    **{name: put("metadata", "annotations", name, value="1") for name in (RETRY_ANNOTATION, REFRESH_ANNOTATION, ABORT_ANNOTATION)},
    **{name: put("metadata", "annotations", name, value="1/urgent") for name in (OVERRIDE_ANNOTATION, OVERRIDE_COMMITS_ANNOTATION)},
    **{
        name: put("metadata", "labels", name, value="x")
        for name in (LABEL_PROJECT, LABEL_SERVICE_SET, LABEL_SERVICE, LABEL_ENVIRONMENT, LABEL_RELEASE_SET)
    },
    "a set takes it": owned("uid-set"),
    "the status": put("status", "phase", value="Ready"),
}
NO_NEWS = {
    "nothing": put("kind", value=RELEASE),
    "its version": put("metadata", "resourceVersion", value="8"),
    "who wrote it": put("metadata", "managedFields", value=[{"manager": "kubectl"}]),
    "others' annotations": put("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration", value="{}"),
    "who applied it": put("metadata", "annotations", APPLIED_BY_ANNOTATION, value="ann"),
    "others' labels": put("metadata", "labels", "team", value="shop"),
}


def after(change: Change, body: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "news"), [(c, True) for c in NEWS.values()] + [(c, False) for c in NO_NEWS.values()], ids=[*NEWS, *NO_NEWS]
)
@pytest.mark.parametrize(("kind", "body"), [(RELEASE, release_object()), (RELEASE_SET, release_set_object())])
def test_an_event_is_news_if_a_pass_would_see_another_object(
    store: Store, kind: str, body: dict[str, Any], change: Change, news: bool
) -> None:
    assert store.changed(kind, body), "the first is"
    assert not store.changed(kind, copy.deepcopy(body))
    assert store.changed(kind, after(change, body)) is news


def test_the_order_of_fields_is_no_news(store: Store) -> None:
    status = {"phase": "Ready", "rollout": {"attemptID": "a", "outcome": "Succeeded"}}
    store.changed(RELEASE, release_object(status=status))
    assert not store.changed(RELEASE, release_object(status=dict(reversed(status.items()))))


def test_a_request_that_is_taken_back_is_news(store: Store) -> None:
    store.changed(RELEASE, release_object(annotations={RETRY_ANNOTATION: "1"}))
    assert store.changed(RELEASE, release_object())


@pytest.mark.parametrize(("kind", "make"), [(PROJECT, project_object), (ENVIRONMENT, environment_object)])
def test_projects_and_environments_are_news_if_their_spec_is(store: Store, kind: str, make: Callable[[], dict[str, Any]]) -> None:
    body = make()
    assert store.changed(kind, body)
    assert not store.changed(kind, after(put("status", value={"observedGeneration": 1}), body))
    assert store.changed(kind, after(NEWS["another life"], body))
    assert store.changed(kind, after(NEWS["the spec"], after(NEWS["another life"], body)))


def test_what_is_kept_of_a_release() -> None:
    status = {
        "phase": "Progressing", "rollout": {"attemptID": "a"},
        "conditions": [{"type": "Deployed", "status": "False", "reason": "X"}, {"type": "Ready", "status": "Unknown", "reason": "RollingOut"}],
    }  # fmt: skip
    found = release_facts(after(owned("uid-set"), release_object("api", status=status)))
    assert (found.key, found.uid, found.created) == (ObjectKey(RELEASE, "shop", "api"), "uid-api", datetime(2026, 1, 1, tzinfo=UTC))
    assert (found.project, found.service, found.environment, found.release_set) == ("store", "api", "prod", "front-prod")
    assert (found.phase, found.ready, found.reason, found.in_flight) == ("Progressing", "Unknown", "RollingOut", True)
    assert found.conditions == (("Deployed", "False"), ("Ready", "Unknown"))


def test_a_release_without_a_status_has_usual_values() -> None:
    found = release_facts(release_object())
    usual = {f.name: f.default for f in fields(ReleaseFacts) if f.name not in ("created", "fingerprint")}
    given = {"key": KEY, "uid": "uid-web", "project": "store", "service": "web", "environment": "prod"}
    assert {name: getattr(found, name) for name in usual} == usual | given


def test_what_is_kept_of_a_set() -> None:
    found = set_facts(release_set_object(status={"history": [{"id": "a", "startTime": STARTED}]}))
    assert (found.key, found.uid, found.project, found.environment) == (SET_KEY, "uid-front-prod", "store", "prod")
    assert found.last_transition.time == STARTED


@pytest.mark.parametrize(
    ("rollout", "in_flight"), [({}, False), ({"attemptID": "a"}, True), ({"attemptID": "a", "outcome": "Succeeded"}, False)]
)
def test_an_attempt_is_in_flight_until_it_has_an_outcome(rollout: dict[str, Any], in_flight: bool) -> None:
    assert release_facts(release_object(status={"rollout": rollout})).in_flight is in_flight


@pytest.mark.parametrize(
    ("owner", "its_set"),
    [
        (owned("u"), "front-prod"),
        (owned("u", controller=False), ""),
        (owned("u", "Application"), ""),
        (put("metadata", "ownerReferences", value=None), ""),
    ],
)
def test_a_release_belongs_to_the_set_that_controls_it(owner: Change, its_set: str) -> None:
    assert release_facts(after(owner, release_object())).release_set == its_set


def test_releases_that_stand_alike_share_their_conditions() -> None:
    """There are thousands of Releases, and few ways to stand."""
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Succeeded"},
        {"type": "InSync", "status": "True", "reason": "DigestsMatch"},
    ]
    one, other = (release_facts(release_object(name, status={"conditions": copy.deepcopy(conditions)})) for name in ("web", "api"))
    assert one.conditions and one.conditions is other.conditions


@pytest.mark.parametrize(("reason", "warned_of"), [(str(r), True) for r in WARNED_OF] + [("Resolved", False), ("NotObserved", False)])
def test_images_are_warned_of_by_reason(reason: str, warned_of: bool) -> None:
    others = {"type": "Ready", "status": "False", "reason": "ArtifactGone"}
    conditions = [others, {"type": "ArtifactAvailable", "status": "False", "reason": reason}]
    assert release_facts(release_object(status={"conditions": conditions})).artifact_warning == (reason if warned_of else "")
    assert release_facts(release_object(status={"conditions": [others]})).artifact_warning == ""


ATTEMPT = {"attemptID": "a", "startTime": STARTED}


@pytest.mark.parametrize(
    ("status", "time"),
    [
        ({}, ""),
        ({"history": []}, ""),
        ({"history": None, "lastDrift": None}, ""),
        ({"history": [ATTEMPT]}, STARTED),
        ({"history": [ATTEMPT | {"outcome": "Succeeded", "completionTime": ENDED}]}, ENDED),
        ({"history": [ATTEMPT], "lastDrift": {"startTime": ENDED}}, ENDED),
        ({"history": [ATTEMPT], "lastDrift": {"startTime": "2026-05-01T00:00:00Z", "endTime": ENDED}}, ENDED),
        ({"lastDrift": {"startTime": STARTED}}, STARTED),
        ({"history": [ATTEMPT], "promotion": {"toldTime": ENDED}}, ENDED),
        ({"promotion": {"sinceTime": STARTED}}, ""),
    ],
)
def test_the_time_of_what_happened_last(status: dict[str, Any], time: str) -> None:
    found = release_facts(release_object(status=status)).last_transition
    assert found.time == time
    assert (found == NEVER) is (not time)


@pytest.mark.parametrize(
    "later",
    [
        {"history": [ATTEMPT | {"attemptID": "b"}]},
        {"history": [ATTEMPT, ATTEMPT]},
        {"history": [ATTEMPT | {"outcome": "Succeeded"}]},
        {"history": [ATTEMPT], "lastDrift": {"startTime": STARTED}},
        {"history": [ATTEMPT], "lastDrift": {"endTime": STARTED}},
        {"history": [ATTEMPT], "promotion": {"toldTime": STARTED}},
    ],
)
def test_what_happens_within_one_second_is_told_apart(later: dict[str, Any]) -> None:
    before, after_ = (release_facts(release_object(status=s)).last_transition for s in ({"history": [ATTEMPT]}, later))
    assert before.sum != after_.sum


def test_deployment_sets_are_told_apart_by_their_ids() -> None:
    one, other = (set_facts(release_set_object(status={"history": [{"id": i, "startTime": STARTED}]})).last_transition for i in "ab")
    assert one.sum != other.sum


# Who is told.


class Told(list[tuple[ObjectKey, str, Mapping[str, Any]]]):
    """What was told to whoever is to notice what happens."""

    def __call__(self, facts: ReleaseFacts | SetStoreFacts, since: str, body: Mapping[str, Any]) -> None:
        self.append((facts.key, since, body))


BEGUN = {"history": [{"attemptID": "a", "startTime": STARTED}]}
DONE = {"history": [{"attemptID": "a", "startTime": STARTED, "outcome": "Succeeded", "completionTime": ENDED}]}


@pytest.mark.parametrize(("kind", "make", "key"), [(RELEASE, release_object, KEY), (RELEASE_SET, release_set_object, SET_KEY)])
def test_what_has_happened_is_told_once_with_the_time_before(store: Store, kind: str, make: Any, key: ObjectKey) -> None:
    told = store.on_transition = Told()
    store.changed(kind, make(status=BEGUN))
    assert told == [], "what had happened before this process is no news"
    ended = make(status=DONE)
    store.wrote(ended)
    store.changed(kind, ended)
    assert told == [(key, STARTED, ended)]
    store.changed(kind, after(NEWS["another life"], make(status=BEGUN)))
    assert len(told) == 1, "another object of that name tells nothing of this one"


def test_nobody_has_to_be_told(store: Store) -> None:
    store.changed(RELEASE, release_object(status=BEGUN))
    assert store.changed(RELEASE, release_object(status=DONE))


def test_a_write_that_tells_nothing_new_is_not_told(store: Store) -> None:
    told = store.on_transition = Told()
    store.changed(RELEASE, release_object(status=DONE))
    store.changed(RELEASE, release_object(status={**DONE, "phase": "Ready"}))
    assert told == []


@pytest.mark.parametrize(("kind", "make"), [(RELEASE, release_object), (RELEASE_SET, release_set_object)])
def test_the_echo_of_our_own_write_is_no_news(store: Store, kind: str, make: Any) -> None:
    store.changed(kind, make())
    written = make(status={"phase": "Ready"})
    store.wrote(written)
    assert not store.changed(kind, written)


@pytest.mark.parametrize(("kind", "make"), [(RELEASE, release_object), (RELEASE_SET, release_set_object)])
def test_a_write_to_what_is_gone_brings_nothing_back(store: Store, kind: str, make: Any) -> None:
    store.wrote(make())
    assert (store.releases, store.sets, store.of_environment("prod")) == ({}, {}, [])


# What is found.


def names(found: list[ReleaseFacts]) -> list[str]:
    return sorted(r.key.name for r in found)


def filled() -> Store:
    """Releases web and api into prod, web into test, and another namespace's web into prod; one set, one Project, one Environment."""
    store = Store()
    test = {"environmentRef": {"name": "test"}, "service": "web"}
    for body in (release_object(), release_object("api"), release_object("web-test", **test), release_object("web", namespace="pay")):
        store.changed(RELEASE, body)
    store.changed(RELEASE_SET, release_set_object())
    store.changed(PROJECT, project_object())
    store.changed(ENVIRONMENT, environment_object())
    return store


def test_releases_are_found_by_environment_and_by_project() -> None:
    store = filled()
    assert names(store.of_environment("prod")) == ["api", "web", "web"] and names(store.of_environment("test")) == ["web-test"]
    assert names(store.of_project("shop", "store")) == ["api", "web", "web-test"] and names(store.of_project("pay", "store")) == ["web"]
    assert store.count_of_project(ObjectKey(PROJECT, "shop", "store")) == 3
    assert names(store.of_service("shop", "store", "web")) == ["web", "web-test"] and store.of_service("shop", "store", "none") == []
    assert store.of_environment("none") == store.of_project("shop", "none") == []
    assert store.services_of("prod") == {("shop", "store", "web"), ("shop", "store", "api"), ("pay", "store", "web")}


@pytest.mark.parametrize(
    ("identity", "has"),
    [
        (("prod", "shop", "store", "web"), True),
        (("test", "shop", "store", "web"), True),
        (("test", "shop", "store", "api"), False),
        (("prod", "shop", "other", "web"), False),
        (("test", "pay", "store", "web"), False),
    ],
)
def test_whether_a_service_has_a_release(identity: tuple[str, str, str, str], has: bool) -> None:
    assert filled().has_service(identity) is has


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (STORE, [SET_KEY]), (ObjectKey(PROJECT, "pay", "store"), []), (ObjectKey(PROJECT, "shop", "other"), []),
        (PROD, [SET_KEY]), (ObjectKey(ENVIRONMENT, "", "test"), []), (ObjectKey(RELEASE, "", "prod"), []),
    ],
)  # fmt: skip
def test_sets_are_found_by_what_they_refer_to(key: ObjectKey, found: list[ObjectKey]) -> None:
    assert filled().sets_of(key) == found


def test_all_objects_of_a_kind_are_counted_and_listed() -> None:
    store = filled()
    assert [store.count(kind) for kind in (RELEASE, RELEASE_SET, PROJECT, ENVIRONMENT)] == [4, 1, 1, 1]
    assert list(store.known(PROJECT)) == [("shop", "store", "uid-store")]
    assert list(store.known(ENVIRONMENT)) == [("", "prod", "uid-prod")]
    assert ("pay", "web", "uid-web") in store.known(RELEASE)
    assert isinstance(store.project("shop", "store"), Project) and store.project("pay", "store") is None


def test_a_release_made_anew_elsewhere_leaves_its_former_place() -> None:
    """projectRef and environmentRef are immutable: only another object of that name has others."""
    store = filled()
    elsewhere = release_object(projectRef={"name": "other"}, environmentRef={"name": "test"}, meta={"uid": "uid-2"})
    store.changed(RELEASE, elsewhere)
    assert names(store.of_environment("prod")) == ["api", "web"] and names(store.of_environment("test")) == ["web", "web-test"]
    assert names(store.of_project("shop", "store")) == ["api", "web-test"] and names(store.of_project("shop", "other")) == ["web"]


def test_what_is_deleted_is_forgotten() -> None:
    store = filled()
    for key in (KEY, SET_KEY, STORE, PROD):
        store.deleted(key)
        store.deleted(key)
    assert [store.count(kind) for kind in (RELEASE, RELEASE_SET, PROJECT, ENVIRONMENT)] == [3, 0, 0, 0]
    assert names(store.of_environment("prod")) == ["api", "web"] and names(store.of_project("shop", "store")) == ["api", "web-test"]
    assert (KEY in store.releases, store.sets, store.projects, store.environments) == (False, {}, {}, {})


@pytest.mark.parametrize(("kind", "make"), [(PROJECT, project_object), (ENVIRONMENT, environment_object), (RELEASE, release_object)])
def test_what_was_deleted_and_is_there_again_is_news(kind: str, make: Any) -> None:
    store, body = filled(), make()
    store.deleted(ObjectKey(kind, body["metadata"].get("namespace", ""), body["metadata"]["name"]))
    assert store.changed(kind, body)


@pytest.mark.parametrize(("kind", "make"), [(PROJECT, project_object), (ENVIRONMENT, environment_object)])
def test_what_this_version_cannot_read_is_kept_with_the_reason(
    store: Store, kind: str, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = make() | {"spec": {}}
    assert store.changed(kind, body)
    (found,) = [*store.projects.values(), *store.environments.values()]
    assert isinstance(found, Invalid)
    assert found.message.startswith(f"{kind} ") and "cannot be read by this version: Field required at spec." in found.message
    assert found.message in caplog.text
