"""On a real API server: it takes all that the chart renders, and the operator works with the rights that the chart gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.chart.conftest import GUEST, NAME, NAMESPACE, VALUES, upgrade
from tests.chart.helm import MATRIX, SHARDS, helm, render
from tests.control_plane.cluster import KubectlError
from tests.e2e.api import MERGE
from tests.e2e.bed import GROUP, Bed, Place, condition
from tests.e2e.people import APPLIED_BY, Person, grant, is_refused, path_of, user
from tests.e2e.sets import push
from tests.operator_process import Operator

# Kinds of Prometheus Operator and Gateway API, whose CRDs are not here.
OTHERS = ("ServiceMonitor", "PrometheusRule", "HTTPRoute")
IN_SOME = GUEST["serviceAccount"]["name"]
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{IN_SOME}"


@pytest.mark.parametrize("case", MATRIX)
def test_the_api_server_takes_it(case: str, installed: Bed) -> None:
    """Strictly: an unknown field is an error."""
    values, version = MATRIX[case]
    for namespace in values.get("watchNamespaces", ()):
        installed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    found = [d for d in yaml.safe_load_all(render(values, version, namespace=NAMESPACE)) if d and d["kind"] not in OTHERS]
    # JSON: PyYAML writes a text "y" without quotes, which Kubernetes takes for true.
    text = "\n---\n".join(json.dumps(one) for one in found)
    said = installed.cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text
    )
    assert len(said.splitlines()) == len(found)
    assert "arning" not in said


def test_an_upgrade_changes_nothing_that_may_not_change(installed: Bed) -> None:
    """Shards come later: the selector of the Deployment that is there stays as it is."""
    assert "Shards, each with a Deployment and a Lease: default, europe, prod." in upgrade(installed.cluster, VALUES | SHARDS)
    found = installed.cluster.get("deployments", "-n", NAMESPACE)["items"]
    assert {d["metadata"]["name"]: d["metadata"]["generation"] for d in found} == {NAME: 2, f"{NAME}-europe": 1, f"{NAME}-prod": 1}
    said = upgrade(installed.cluster, VALUES)
    assert "ATTENTION" not in said, "the cluster serves all policies"
    assert len(installed.cluster.get("deployments", "-n", NAMESPACE)["items"]) == 1


@pytest.fixture
def place(installed: Bed) -> Place:
    """A place where the service `web` runs v1, and ana has Kubernetes' own role edit in her namespace."""
    place = Place(installed)
    grant(installed.cluster, "edit", "ana", namespace=place.name)
    place.environment()
    place.service("v1")
    return place


def test_the_operator_releases_with_the_charts_rights(place: Place) -> None:
    ana = Person(place.bed, "ana")
    place.until(lambda: all(can(place, "ana", v, "releases") for v in ("get", "create")), "edit to include ours", show=dict)
    place.push("v2")
    place.project()
    wanted = release(place, "v2")
    ana.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(wanted))
    status = place.wait("Succeeded")
    assert place.updates() and status["history"][0]["appliedBy"] == "ana"
    assert user(place.get()) == "ana", "stamped by the policy"
    assert place.events(), "it may write Events"
    assert condition(place.get_environment()["status"], "Ready")["status"] == "True"
    assert condition(place.get_environment()["status"], "AppliedByAuthenticated")["reason"] == "Stamped"
    leases = place.bed.cluster.get("lease", "-n", NAMESPACE)["items"]
    assert [lease["metadata"]["name"] for lease in leases] == ["ecs-release.chart.default"]
    assert "forbidden" not in place.bed.operator.log.read_text().lower()


def test_a_set_has_its_children_made_retried_and_deleted(place: Place) -> None:
    """create, update, delete and the verb retry on Releases."""
    place.environment(rollout={"settleSeconds": 0})
    place.service("v1", "api")
    place.project("api", "web")
    push(place, "v2", "web")
    digest = place.push("crash.v2", "v2", service="api")
    place.release_set("v2", strategy={"waves": [{"services": ["web"]}, {"services": ["api"]}]})
    place.until_set(lambda: (place.set_status().get("history") or [{}])[0].get("outcome") == "Failed", "the failure")
    place.aws.behave(digest, "healthy")
    place.annotate("all", "releaseset", retry="1")
    assert place.wait_set("Succeeded")["history"][0]["cause"] == "Retry"
    place.release_set("v2", services=["web"], strategy={})
    place.until_set(lambda: place.children().keys() == {"web"}, "the child of api to be deleted")
    assert "forbidden" not in place.bed.operator.log.read_text().lower()


def test_an_environment_allows_namespaces_by_label(place: Place) -> None:
    """It reads Namespaces."""
    place.bed.cluster.kubectl("label", "namespace", place.name, "team=shop")
    place.environment(allowedNamespaces={"selector": {"matchLabels": {"team": "shop"}}})
    place.project()
    place.apply("Release", "web", release(place, "v1")["spec"])
    place.wait("Succeeded")


def test_roles_give_what_they_say(place: Place) -> None:
    cluster = place.bed.cluster
    grant(cluster, "view", "vic", namespace=place.name)
    grant(cluster, "ecs-release-environments", "pam")
    place.until(lambda: can(place, "vic", "list", "releases") and can(place, "ana", "create", "releases"), "the roles", show=dict)
    for person, verb, what, expected in (
        ("vic", "create", "releases", False),
        ("vic", "watch", "projects", True),
        ("ana", "delete", "releasesets", True),
        ("ana", "create", "environments", False),
        ("ana", "retry", "releases", False),
        ("ana", "abort", "releasesets", False),
        ("ana", "update", "releases/status", False),
        ("pam", "create", "environments", True),
        ("pam", "create", "releases", False),
        ("pam", "override-window", "environments", False),
        ("pam", "override-commits", "environments", False),
    ):
        assert can(place, person, verb, what) is expected, (person, verb, what)


def test_who_lacks_a_verb_is_refused(place: Place) -> None:
    """The policies are in force, for the chart's roles."""
    place.project()
    place.apply("Release", "web", release(place, "v1")["spec"])
    place.until(lambda: can(place, "ana", "patch", "releases"), "edit to include ecs-release-edit", show=dict)
    ana = Person(place.bed, "ana")
    with pytest.raises(KubectlError, match="may not retry"):
        ana.kubectl("-n", place.name, "annotate", "release", "web", f"{GROUP}/retry=1")
    grant(place.bed.cluster, "ecs-release-retry-abort", "ana", namespace=place.name)
    retry = {"metadata": {"annotations": {f"{GROUP}/retry": "1"}}}
    path = path_of("Release", place.name, "web")
    place.until(lambda: not is_refused(lambda: ana.ask("PATCH", path, retry, MERGE)), "the role", show=dict)
    forged = ana.ask("PATCH", path, {"metadata": {"annotations": {APPLIED_BY: "admin"}}}, MERGE)
    assert user(forged) == "ana"
    assert is_refused(lambda: Person(place.bed, "").ask("PATCH", f"{path}/status", {"status": {"phase": "Ready"}}, MERGE))


@dataclass(frozen=True)
class Guest:
    """An installation that serves some namespaces only, with an account of its own: what that is given and used is proven apart."""

    bed: Bed
    namespaces: tuple[str, ...]

    def upgrade(self, **values: Any) -> None:
        """Install it, or upgrade it, with more values."""
        upgrade(self.bed.cluster, GUEST | {"watchNamespaces": list(self.namespaces)} | values, "some")

    def start(self) -> None:
        """Run the operator of the bed with its rights."""
        assert isinstance(self.bed.operator, Operator)
        kubeconfig = self.bed.cluster.service_account_kubeconfig(NAMESPACE, IN_SOME)
        self.bed.operator.start({"ECS_RELEASE_WATCH_NAMESPACES": ",".join(self.namespaces), "KUBECONFIG": str(kubeconfig)})


@contextmanager
def serving(bed: Bed, *namespaces: str) -> Iterator[Guest]:
    """Have an installation that serves some namespaces only stand in for the bed's own for a while. It is still to be started."""
    guest = Guest(bed, namespaces)
    bed.operator.stop()
    try:
        guest.upgrade()
        yield guest
    finally:
        bed.operator.stop()
        helm("uninstall", "some", f"--namespace={NAMESPACE}", f"--kubeconfig={bed.cluster.kubeconfig}")
        bed.operator.start()
        bed.operator.wait_until_ready()


def test_it_serves_some_namespaces_only(installed: Bed) -> None:
    """With Roles there it deploys there, and looks at nothing that it may not: nowhere is it refused."""
    assert isinstance(installed.operator, Operator)
    watched, other = Place(installed), Place(installed)
    for place in (watched, other):
        place.bed.cluster.kubectl("label", "namespace", place.name, f"in={place.name}")
        place.service("v1")
        place.push("v2")
    with serving(installed, watched.name) as guest:
        other.environment()
        watched.environment(allowedNamespaces={"selector": {"matchLabels": {"in": watched.name}}})
        for place in (watched, other):
            place.project()
            place.apply("Release", "web", release(place, "v2")["spec"])
        for place, may in ((watched, True), (other, False)):
            place.until(lambda p=place, m=may: can(p, OPERATOR, "create", "releases") is m, "the roles", show=dict)  # type: ignore[misc]
        before = len(installed.operator.log.read_text())
        guest.start()
        watched.wait("Succeeded")
        watched.until(watched.events, "the Events")
        assert watched.updates()
        said = watched.get_environment()["status"]
        assert [condition(said, kind)["status"] for kind in ("Ready", "AppliedByAuthenticated")] == ["True", "True"]
        assert watched.bed.cluster.get("project", "shop", "-n", watched.name)["status"]["services"] == 1

        guest.upgrade(rbac={"readNamespaces": False})
        watched.environment(displayName="Looked at again", allowedNamespaces={"selector": {"matchLabels": {"in": watched.name}}})
        said = condition(watched.wait("TargetNotAllowed"), "Ready")["message"]
        assert "allows namespaces by label" in said and "may not be read" in said
        watched.environment()
        watched.wait("Succeeded")

        for untouched in (other.get(), other.get_environment()):
            assert untouched["status"] == {"observedGeneration": -1}
        assert not other.mutations() and not other.events()
        log = installed.operator.log.read_text()[before:]
        assert not [line for line in log.splitlines() if "forbidden" in line.lower() or "refuses" in line]


def test_a_namespace_that_goes_is_left_out_and_taken_in_again(installed: Bed) -> None:
    """With its Role, so that the API server refuses what is asked there. The other namespaces go on, through a restart, too."""
    operator = installed.operator
    assert isinstance(operator, Operator)
    stays, goes = Place(installed), Place(installed)
    with serving(installed, stays.name, goes.name) as guest:
        for place in (stays, goes):
            place.environment()
            place.service("v1")
            place.push("v2")
            place.project()
            place.apply("Release", "web", release(place, "v1")["spec"])
            place.until(lambda p=place: can(p, OPERATOR, "create", "releases"), "the roles", show=dict)  # type: ignore[misc]
        before = len(operator.log.read_text())

        def said(text: str) -> int:
            return sum(text in line for line in operator.log.read_text()[before:].splitlines())

        guest.start()
        for place in (stays, goes):
            place.wait("Succeeded")
        installed.cluster.kubectl("delete", "namespace", goes.name)
        stays.until(lambda: said(f"namespace {goes.name} is left out"), "it to be left out", show=dict)
        stays.until(lambda: operator.metric("ecs_release_releases", environment=goes.name) == 0, "its Release to be gone", show=dict)
        assert operator.metric("ecs_release_namespace_left_out", namespace=goes.name) == 1
        stays.apply("Release", "web", release(stays, "v2")["spec"])
        stays.until(stays.updates, "the other namespace to be served")
        stays.wait("Succeeded")

        operator.stop()
        guest.start()
        stays.until(lambda: said(f"namespace {goes.name} is left out") == 2, "it to be left out", show=dict)
        operator.wait_until_ready()
        installed.cluster.kubectl("create", "namespace", goes.name)
        guest.upgrade()
        stays.until(lambda: said(f"namespace {goes.name} may be looked into again"), "it to be taken in", show=dict)
        goes.project()
        goes.apply("Release", "web", release(goes, "v2")["spec"])
        goes.wait("Succeeded")
        assert goes.updates() and not said("the watch broke")


def release(place: Place, source: str) -> dict[str, Any]:
    spec = {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": place.name}, "source": {"releaseHash": source}}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Release", "metadata": {"name": "web", "namespace": place.name}, "spec": spec}


def can(place: Place, person: str, verb: str, what: str) -> bool:
    """Ask the API server whether somebody may; of Environments everywhere, of all else in the place's namespace."""
    resource, _, subresource = what.partition("/")
    attributes = {"group": GROUP, "resource": resource, "verb": verb} | ({"subresource": subresource} if subresource else {})
    attributes |= {} if resource == "environments" else {"namespace": place.name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": person, "resourceAttributes": attributes},
    }
    answer = Person(place.bed, "").ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
