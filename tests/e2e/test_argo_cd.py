"""Argo CD applies again and again, and tracks what it applied: nothing is done for it, and nothing of ours is lost."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from kubernetes import watch

from tests import argo_cd
from tests.e2e.bed import GROUP, VERSION, Place, condition

WAYS = {
    "client-side": ("apply", "--field-manager=argocd-application-controller"),
    "server-side": ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"),
    "replace": ("replace", "--field-manager=argocd-application-controller"),
}
"""How Argo CD writes: by default, with ServerSideApply=true, with Replace=true (gitops-engine, pkg/utils/kube)."""
ROUNDS, BETWEEN_S = 4, 3
"""Twelve seconds: sweeps are every five, passes that nothing asked for every ten."""
INSTANCE = "app.kubernetes.io/instance"


@dataclass
class Application:
    """What is in git, and its way into the cluster."""

    place: Place
    way: str
    manifests: list[dict[str, Any]] = field(default_factory=list)
    synced: int = 0

    def add(self, kind: str, name: str, **spec: Any) -> dict[str, Any]:
        """Put an object into git; its spec may be changed there."""
        namespaced = kind != "Environment"
        meta: dict[str, Any] = {"name": name} | ({"namespace": self.place.name} if namespaced else {})
        self.manifests.append({"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": meta, "spec": spec})
        return spec

    def sync(self) -> None:
        """Apply what is in git, tracked: by annotation, and by label as older ones do. Both change with each sync."""
        self.synced += 1
        bodies = [self._tracked(copy.deepcopy(m)) for m in self.manifests]
        text = yaml.safe_dump_all(bodies)
        # What is not there yet Argo CD creates, in whatever way it applies.
        way = ("create",) if self.synced == 1 and self.way == "replace" else WAYS[self.way]
        self.place.bed.cluster.kubectl(*way, "-f", "-", stdin=text)

    def _tracked(self, body: dict[str, Any]) -> dict[str, Any]:
        meta = body["metadata"]
        tracked = f"{GROUP}/{body['kind']}:{meta.get('namespace', '')}/{meta['name']}"
        meta["annotations"] = {
            "argocd.argoproj.io/tracking-id": f"team_shop-{self.synced}:{tracked}",
            "argocd.argoproj.io/sync-options": "Prune=confirm,Delete=confirm",
            "example.com/revision": f"{self.synced:040x}",
        }
        # One comes, and one goes.
        meta["labels"] = {INSTANCE: f"shop-{self.synced}", f"example.com/round-{self.synced}": "yes"}
        return body

    def read(self, kind: str, name: str) -> dict[str, Any]:
        """Read an object of it."""
        return dict(self.place.bed.cluster.get(kind.lower(), name, "-n", self.place.name))


@contextmanager
def written(place: Place) -> Iterator[list[dict[str, Any]]]:
    """Watch the Releases, ReleaseSets and Projects of a place: the API server sends one event for each write, and none is missed."""
    found: list[dict[str, Any]] = []
    api, ended = place.bed.api, threading.Event()
    begun = {p: api.list_namespaced_custom_object(GROUP, VERSION, place.name, p) for p in ("releases", "releasesets", "projects")}

    def follow(plural: str) -> None:
        version = begun[plural]["metadata"]["resourceVersion"]
        while not ended.is_set():
            arguments = (GROUP, VERSION, place.name, plural)
            for event in watch.Watch().stream(api.list_namespaced_custom_object, *arguments, resource_version=version, timeout_seconds=1):
                found.append(event["object"])
                version = event["object"]["metadata"]["resourceVersion"]

    threads = [threading.Thread(target=follow, args=(plural,), daemon=True) for plural in begun]
    for thread in threads:
        thread.start()
    yield found
    ended.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def settled(application: Application) -> bool:
    """Return whether nothing of it was written for a while: counts and the like may come after the verdict."""

    def versions() -> list[str]:
        objects = application.place.bed.cluster.get("releases,releasesets,projects", "-n", application.place.name)["items"]
        return sorted(o["metadata"]["resourceVersion"] for o in objects)

    before = versions()
    time.sleep(6)
    return before == versions()


@pytest.fixture(params=WAYS)
def application(place: Place, request: pytest.FixtureRequest) -> Application:
    """An Environment, a Project, a ReleaseSet of two services and a Release of a third, all in git and synced, all Ready on v2."""
    services = ("api", "web", "single")
    for name in services:
        place.service("v1", name)
        place.push("v2", service=name)
        place.push("v3", service=name)
    found = Application(place, request.param)
    found.add(
        "Environment",
        place.name,
        allowedNamespaces={"names": [place.name]},
        aws={"accountID": place.account, "region": place.region, "roleARN": place.role},
        target={"cluster": place.name, "serviceName": "{service}"},
        rollout={"settleSeconds": 0},
        observation={"intervalSeconds": 5, "graceSeconds": 60},
    )
    containers = {name: [{"name": "app", "repository": place.repository(name)}] for name in services}
    found.add("Project", "shop", serviceSets=[{"name": "all", "services": [{"name": s, "containers": c} for s, c in containers.items()]}])
    common = {"projectRef": {"name": "shop"}, "environmentRef": {"name": place.name}}
    source: dict[str, Any] = {"releaseHash": "v2"}
    change = {"description": "faster pages", "requestedBy": "ada"}
    found.add("ReleaseSet", "all", **common, serviceSet="all", services=["api", "web"], source=dict(source), change=dict(change))
    found.add("Release", "single", **common, service="single", source=dict(source), change=dict(change))
    found.sync()
    place.wait_set("Succeeded")
    place.wait("Succeeded", "single")
    place.until(lambda: settled(found), "all to come to rest", "single")
    return found


def test_syncing_again_does_nothing_and_loses_nothing(application: Application) -> None:
    place = application.place
    mark, updates = place.aws.mark(), len(place.updates())
    before = {m["kind"]: application.read(m["kind"], m["metadata"]["name"]) for m in application.manifests}
    children = place.children()

    with written(place) as found:
        for _ in range(ROUNDS):
            application.sync()
            time.sleep(BETWEEN_S)

    for kind in ("ReleaseSet", "Release", "Project"):
        seen = [o for o in found if o["kind"] == kind]
        assert len(seen) == ROUNDS, f"{kind}: one write for each sync, which is Argo CD's own"
        assert all(o["status"] == before[kind]["status"] for o in seen)
    assert place.children() == children, "they were not written at all"
    assert [c for c in place.aws.calls(mutating=True, since=mark) if f"/{place.name}/" in c["caller"]] == []
    looked = [c for c in place.aws.calls(action="DescribeServices", since=mark) if c["parameters"].get("cluster") == place.name]
    assert looked, "it did look meanwhile"
    for manifest in application.manifests:
        now, was = application.read(manifest["kind"], manifest["metadata"]["name"]), before[manifest["kind"]]
        assert now["spec"] == was["spec"] and now["metadata"]["generation"] == was["metadata"]["generation"]
        assert now["metadata"]["uid"] == was["metadata"]["uid"] and not now["metadata"].get("finalizers")
        assert now["metadata"]["labels"] == {INSTANCE: "shop-5", "example.com/round-5": "yes"}, "those of earlier rounds went"
        assert condition(now["status"], "Ready")["status"] == "True"
    for child in children.values():
        assert not child["metadata"].get("annotations"), "or Argo CD would take it for its own, and prune it"
        assert INSTANCE not in child["metadata"]["labels"]

    for manifest in application.manifests:
        if "source" in manifest["spec"]:
            manifest["spec"]["source"]["releaseHash"] = "v3"
    application.sync()
    assert place.wait_set("Succeeded")["summary"]["hash"] == "v3"
    assert place.wait("Succeeded", "single")["summary"]["hash"] == "v3"
    assert len(place.updates()) == updates + 3, "one attempt for each service"


def test_what_git_does_not_state_stays_unless_replaced(application: Application) -> None:
    place = application.place
    for kind, name in (("releaseset", "all"), ("release", "single")):
        place.kubectl("patch", kind, name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
        place.annotate(name, kind, refresh="by-hand")
    place.wait_set("Suspended", lastHandledRefresh="by-hand")
    place.wait("Suspended", "single", lastHandledRefresh="by-hand")
    updates = len(place.updates())

    application.sync()
    stays = application.way != "replace"
    place.wait_set("Suspended" if stays else "Succeeded", lastHandledRefresh="by-hand")
    place.wait("Suspended" if stays else "Succeeded", "single", lastHandledRefresh="by-hand")
    for kind, name in (("ReleaseSet", "all"), ("Release", "single")):
        body = application.read(kind, name)
        assert body["spec"]["suspend"] == stays
        assert (f"{GROUP}/refresh" in body["metadata"]["annotations"]) == stays
        assert len(body["status"]["history"]) == 1
    assert len(place.updates()) == updates


def press(place: Place, action: str, kind: str, name: str) -> dict[str, Any]:
    """Press a button of Argo CD's interface: the patch that its server would send."""
    body = place.bed.cluster.get(kind, name, "-n", place.name)
    assert argo_cd.buttons(body)[action], f"{action} can be pressed"
    patch = argo_cd.press(action, body)
    path = (GROUP, VERSION, place.name, f"{kind}s", name)
    return dict(place.bed.api.patch_namespaced_custom_object(*path, patch, _content_type="application/merge-patch+json"))


def shown(place: Place, kind: str, name: str) -> str:
    """Return the health that Argo CD would show."""
    return argo_cd.health(place.bed.cluster.get(kind, name, "-n", place.name))[0]


def test_health_and_buttons_of_a_release(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    assert shown(shop, "release", "web") == "Healthy"
    environment = shop.get_environment()
    assert argo_cd.health(environment)[0] == "Healthy" and shown(shop, "project", "shop") == "Healthy"

    press(shop, "suspend", "release", "web")
    shop.wait("Suspended")
    assert shown(shop, "release", "web") == "Suspended"
    assert press(shop, "resume", "release", "web")["spec"]["suspend"] is False, "the default of the CRD"
    shop.wait("Succeeded")

    shop.push("crash.v2", "v2")
    shop.release("v2")
    assert shown(shop, "release", "web") in ("Progressing", "Degraded")
    shop.wait("RolledBack")
    assert shown(shop, "release", "web") == "Degraded"
    token = press(shop, "retry", "release", "web")["metadata"]["annotations"][f"{GROUP}/retry"]
    shop.wait("RolledBack", lastHandledRetry=token)
    assert shop.status()["history"][0]["cause"] == "Retry"
    token = press(shop, "refresh", "release", "web")["metadata"]["annotations"][f"{GROUP}/refresh"]
    shop.wait("RolledBack", lastHandledRefresh=token)


def test_health_and_buttons_of_a_set(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0})
    place.services("api", "web")
    for name in ("api", "web"):
        place.push("v2", service=name)
    place.release_set("v1")
    place.wait_set("Succeeded")
    assert shown(place, "releaseset", "all") == "Healthy"
    child = place.children()["api"]
    assert argo_cd.health(child)[0] == "Healthy" and not any(argo_cd.buttons(child).values()), "what it does is the set's to say"

    press(place, "suspend", "releaseset", "all")
    assert condition(place.wait_set("Suspended"), "Ready")["status"] == "True"
    assert shown(place, "releaseset", "all") == "Suspended", "as a Release is"
    press(place, "resume", "releaseset", "all")
    place.wait_set("Succeeded")

    # Between its waves it is under way for a minute.
    place.environment(rollout={"settleSeconds": 60})
    place.release_set("v2", strategy={"waves": [{"services": ["api"]}, {"services": ["web"]}]})
    assert shown(place, "releaseset", "all") == "Progressing"
    place.until_set(lambda: argo_cd.buttons(place.get_set())["abort"] and place.updates(), "the set to begin")
    assert shown(place, "releaseset", "all") == "Progressing"
    token = press(place, "abort", "releaseset", "all")["metadata"]["annotations"][f"{GROUP}/abort"]
    place.wait_set("Aborted", lastHandledAbort=token)
    assert shown(place, "releaseset", "all") == "Degraded"
    assert {action for action, enabled in argo_cd.buttons(place.get_set()).items() if enabled} == {"suspend", "retry", "refresh"}
