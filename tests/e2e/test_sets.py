"""A ReleaseSet moves a service set together: children, sources, and what its status shows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.watch import Watch

from ecs_release.domain.sets.child_manifests import child_name
from tests.e2e.bed import READY, STALLED, WAITING, Place, condition, triple
from tests.e2e.sets import lines, push

GROUP = "ecs-release.dev"


@pytest.fixture
def duo(place: Place) -> Place:
    """Two services on v1, an Environment that settles at once, no ReleaseSet yet."""
    place.environment(rollout={"settleSeconds": 0})
    place.services("api", "web")
    return place


def test_a_set_goes_out(duo: Place) -> None:
    pushed = push(duo, "v2", "api", "web")
    duo.release_set("v2", change={"description": "new shop", "requestedBy": "ada"})
    status = duo.wait_set("Succeeded")
    assert triple(status) == READY
    assert status["releases"] == {"total": 2, "ready": 2, "failed": 0, "waiting": 0, "progressing": 0}
    assert status["summary"]["progress"] == "2/2 ready"
    assert {n: s["images"][0]["digest"] for n, s in lines(status).items()} == pushed
    assert {n: s["state"] for n, s in lines(status).items()} == {"api": "Ready", "web": "Ready"}
    assert {s: duo.running(s)["app"] for s in pushed} == {s: {d} for s, d in pushed.items()}
    entry = status["history"][0]
    assert (entry["cause"], entry["outcome"], entry["requestedBy"], entry["description"]) == ("Requested", "Succeeded", "ada", "new shop")
    assert entry["startTime"] <= entry["completionTime"]
    shown = duo.kubectl("get", "releasesets")
    assert "2/2 ready" in shown and "v2" in shown


def test_children_are_named_labelled_and_owned(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set("v2", annotations={"argocd.argoproj.io/tracking-id": "shop:x"}, change={"requestedBy": "ada"})
    duo.wait_set("Succeeded")
    uid = duo.get_set()["metadata"]["uid"]
    child = duo.children()["web"]
    meta = child["metadata"]
    assert meta["name"] == child_name("all", "web") == lines(duo.set_status())["web"]["release"]
    assert meta["labels"] == {
        f"{GROUP}/project": "shop", f"{GROUP}/service-set": "all", f"{GROUP}/service": "web",
        f"{GROUP}/environment": duo.name, f"{GROUP}/release-set": "all",
    }  # fmt: skip
    owner = meta["ownerReferences"]
    assert owner == [{"apiVersion": f"{GROUP}/v1alpha1", "kind": "ReleaseSet", "name": "all", "uid": uid, "controller": True}]
    assert not meta.get("annotations")
    assert child["spec"]["change"] == {"requestedBy": "ada"}
    assert child["status"]["history"][0]["requestedBy"] == "ada"


def test_the_garbage_collector_takes_the_children_and_aws_is_left_alone(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    before = len(duo.mutations())
    duo.delete("releaseset", "all")
    duo.until_set(lambda: not duo.children(), "the children to be gone", "gone")
    assert len(duo.mutations()) == before


def test_everything_missing_is_listed_and_nothing_moves(duo: Place) -> None:
    duo.release_set("v9")
    status = duo.wait_set("ArtifactNotFound")
    assert triple(status) == STALLED
    message = condition(status, "Ready")["message"]
    assert "2 of 2 services" in message and f"{duo.name}/api" in message and f"{duo.name}/web" in message
    assert duo.children() == {} and duo.mutations() == []
    push(duo, "v9", "api", "web")
    duo.wait_set("Succeeded")


def test_one_missing_keeps_all_from_moving(duo: Place) -> None:
    push(duo, "v2", "api")
    duo.release_set("v2")
    status = duo.wait_set("ArtifactNotFound")
    assert "web" in condition(status, "Ready")["message"]
    assert duo.children() == {} and duo.mutations() == []


@pytest.mark.parametrize(
    ("service", "reason", "said"),
    [
        pytest.param({"deploymentController": {"type": "CODE_DEPLOY"}}, "UnsupportedController", "CODE_DEPLOY", id="CodeDeploy"),
        pytest.param({"deploymentController": {"type": "EXTERNAL"}}, "UnsupportedController", "EXTERNAL", id="another system"),
        pytest.param({}, "UnsupportedController", "Express mode", id="Express mode"),
        pytest.param({"containers": {"other": "public.ecr.aws/x/other:1"}}, "InvalidSpec", "no container 'app'", id="no such container"),
    ],
)
def test_what_can_never_be_deployed_refuses_the_set_before_its_first_wave(
    place: Place, service: dict[str, Any], reason: str, said: str
) -> None:
    """In the words of a Release of that service alone."""
    place.environment(rollout={"settleSeconds": 0})
    place.service("v1", "api")
    place.service("v1", "web", wait=False, **service)
    if not service:
        place.aws.configure(switches={"express_services": [place.ecs_service("web")["serviceArn"]]})
    place.project("api", "web")
    push(place, "v2", "api", "web")
    place.release_set("v2", strategy={"waves": [{"services": ["api"]}, {"services": ["web"]}]})
    status = place.wait_set(reason)
    assert triple(status) == STALLED
    assert place.children() == {} and place.mutations() == []
    place.release("v2", name="alone")
    alone = condition(place.wait(reason, "alone"), "Ready")["message"]
    assert said in alone and f"web: {alone}" in condition(status, "Ready")["message"]


def test_keep_current_keeps_what_runs_and_says_so(duo: Place) -> None:
    pushed = push(duo, "v2", "api")
    web = duo.running("web")["app"]
    duo.release_set("v2", strategy={"missingArtifacts": "KeepCurrent"})
    status = duo.wait_set("Succeeded")
    assert lines(status)["web"]["origin"] == "Kept" and "no image" in lines(status)["web"]["note"]
    assert duo.running("web")["app"] == web and duo.running("api")["app"] == {pushed["api"]}
    assert [u["parameters"]["service"] for u in duo.updates()] == ["api"]


def test_overrides_and_a_subset(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    other = duo.push("v3", service="web")
    duo.release_set("v2", services=["web"], overrides=[{"service": "web", "source": {"releaseHash": "v3"}}])
    status = duo.wait_set("Succeeded")
    assert list(lines(status)) == ["web"] and list(duo.children()) == ["web"]
    assert duo.running("web")["app"] == {other}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"services": ["web", "wbe"]}, "spec.services names wbe"),
        ({"overrides": [{"service": "nope", "source": {"tag": "latest"}}]}, "spec.overrides names nope"),
        ({"strategy": {"waves": [{"services": ["ap"]}]}}, "spec.strategy.waves names ap"),
        ({"source": None, "overrides": [{"service": "web", "source": {"tag": "latest"}}]}, "spec.overrides has nothing for api"),
    ],
)
def test_what_is_not_in_the_set_is_refused(duo: Place, spec: dict[str, Any], said: str) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set(spec.pop("source", "v2"), **spec)
    assert said in condition(duo.wait_set("InvalidSpec"), "Ready")["message"]
    assert duo.children() == {}


def test_an_absent_project_is_waited_for_and_deletes_nothing(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    duo.delete("project", "shop")
    status = duo.wait_set("AwaitingProject")
    assert triple(status) == WAITING
    assert set(duo.children()) == {"api", "web"}
    duo.project("api", "web")
    duo.wait_set("Succeeded")


def test_an_absent_service_set_is_waited_for(duo: Place) -> None:
    duo.release_set("v2", serviceSet="others")
    assert "others" in condition(duo.wait_set("AwaitingProject"), "Ready")["message"]


def test_a_service_that_leaves_loses_its_child_only(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    before = len(duo.mutations())
    duo.project("api")
    duo.until_set(lambda: set(duo.children()) == {"api"}, "the child to go")
    status = duo.wait_set("Succeeded")
    line = lines(status)["web"]
    assert line["state"] == "Left" and "is not touched" in line["message"]
    assert status["releases"]["total"] == 1
    assert len(duo.mutations()) == before


def test_a_service_that_comes_is_taken_in_on_request_only(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.project("api")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    duo.project("api", "web")
    duo.until_set(lambda: "web came to the service set later" in condition(duo.set_status(), "Ready")["message"], "the note")
    assert set(duo.children()) == {"api"}
    duo.annotate("all", "releaseset", refresh="1")
    duo.until_set(lambda: set(duo.children()) == {"api", "web"}, "the child")
    assert duo.wait_set("Succeeded")["releases"]["total"] == 2


def test_a_name_that_is_taken_is_never_touched(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    name = duo.release("v1", "web", child_name("all", "web"))
    duo.wait("Succeeded", name)
    duo.release_set("v2")
    status = duo.wait_set("ReleaseNameConflict")
    assert triple(status) == STALLED and name in condition(status, "Ready")["message"]
    assert duo.children() == {} and duo.updates() == []
    duo.delete("release", name)
    duo.wait_set("Succeeded")


def test_an_edit_of_a_child_is_never_acted_on_and_put_back(duo: Place) -> None:
    pushed = push(duo, "v2", "api", "web")
    push(duo, "v3", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    before, name = len(duo.updates()), child_name("all", "web")
    unedited = duo.get(name)["metadata"]
    patch = {"spec": {"source": {"releaseHash": "v3", "images": None}, "change": {"description": "mine"}}}
    duo.kubectl("patch", "release", name, "--type=merge", "-p", json.dumps(patch))
    duo.until_set(lambda: "images" in duo.get(name)["spec"]["source"], "the edit to be put back")
    assert duo.get(name)["spec"]["source"]["images"][0]["digest"] == pushed["web"]
    assert "change" not in duo.get(name)["spec"]
    duo.wait("Succeeded", name)
    assert len(duo.updates()) == before and duo.running("web")["app"] == {pushed["web"]}
    assert len(duo.status(name)["history"]) == 1
    meanwhile = [r for r in versions(duo, name, unedited["resourceVersion"]) if r["metadata"]["generation"] == unedited["generation"] + 1]
    assert meanwhile and not [r for r in meanwhile if is_ready(r)]


def versions(place: Place, name: str, since: str) -> Iterator[dict[str, Any]]:
    """Read all that a Release was after a resourceVersion, up to what it is now."""
    listed, last = place.bed.api.list_namespaced_custom_object, place.get(name)["metadata"]["resourceVersion"]
    selector = f"metadata.name={name}"
    for event in Watch().stream(listed, GROUP, "v1alpha1", place.name, "releases", field_selector=selector, resource_version=since):
        yield event["object"]
        if event["object"]["metadata"]["resourceVersion"] == last:
            return


def is_ready(release: dict[str, Any]) -> bool:
    """Return whether Ready is True, said of this very spec."""
    status = release["status"]
    return status["observedGeneration"] == release["metadata"]["generation"] and triple(status)[0] == "True"


def test_a_label_taken_off_comes_back_and_suspend_is_left_to_people(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    name = child_name("all", "web")
    duo.kubectl("patch", "release", name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    duo.kubectl("label", "release", name, f"{GROUP}/release-set-", "mine=1")
    duo.until_set(lambda: "web" in duo.children(), "the label to come back")
    labels = duo.get(name)["metadata"]["labels"]
    assert labels["mine"] == "1" and duo.get(name)["spec"]["suspend"] is True
    push(duo, "v3", "api", "web")
    duo.release_set("v3")
    duo.until_set(lambda: duo.set_status()["releases"]["ready"] == 1, "api to be ready")
    assert "web is suspended" in condition(duo.wait_set("Suspended"), "Ready")["message"]
    duo.kubectl("patch", "release", name, "--type=merge", "-p", '{"spec": {"suspend": false}}')
    duo.wait_set("Succeeded")


def test_a_child_without_its_set_does_nothing(duo: Place) -> None:
    push(duo, "v2", "web")
    owner = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ReleaseSet", "name": "never", "uid": "0-1", "controller": True}
    body = {
        "apiVersion": f"{GROUP}/v1alpha1", "kind": "Release",
        "metadata": {"name": "orphan", "namespace": duo.name, "ownerReferences": [owner]},
        "spec": {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": duo.name}, "source": {"releaseHash": "v2"}},
    }  # fmt: skip
    duo.bed.cluster.apply(body)
    duo.until_set(lambda: duo.bed.cluster.get("releases", "-n", duo.name)["items"] == [], "the garbage collector", "gone")
    assert duo.updates() == []


def test_a_set_goes_back_to_an_older_image_and_says_so(duo: Place) -> None:
    # Images are compared by when they were pushed, to the second.
    time.sleep(1.1)
    push(duo, "v2", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    duo.release_set("v1")
    status = duo.wait_set("Succeeded")
    assert "goes back" in lines(status)["web"]["note"]
    assert [h["hash"] for h in status["history"]] == ["v1", "v2"]


def test_a_terminating_set_writes_no_child_and_its_children_do_nothing(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    push(duo, "v3", "api", "web")
    duo.release_set("v2")
    duo.wait_set("Succeeded")
    duo.kubectl("patch", "releaseset", "all", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.org/wait"]}}')
    duo.kubectl("delete", "releaseset", "all", "--wait=false")
    name, before = child_name("all", "web"), len(duo.updates())
    duo.kubectl("patch", "releaseset", "all", "--type=merge", "-p", '{"spec": {"source": {"releaseHash": "v3"}}}')
    patch = {"spec": {"source": {"releaseHash": "v3", "images": None}}}
    duo.kubectl("patch", "release", name, "--type=merge", "-p", json.dumps(patch))
    message = duo.until(lambda: (m := condition(duo.status(name), "Ready")["message"]) and "gone or going" in m and m, "the reason", name)
    assert "ReleaseSet 'all'" in message
    duo.stays("AwaitingReleaseSet", name, seconds=3)
    edited = duo.get(name)
    assert edited["status"]["observedGeneration"] == edited["metadata"]["generation"] and not is_ready(edited)
    assert edited["spec"]["source"] == {"releaseHash": "v3"} and len(duo.updates()) == before
    duo.kubectl("patch", "releaseset", "all", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    duo.until_set(lambda: not duo.children(), "the garbage collector", "gone")
    assert len(duo.updates()) == before
