"""People with rights of their own in a cluster, and what a request of theirs is answered."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.control_plane.cluster import Cluster
from tests.e2e.api import APPLY, JSON, MERGE, Refused, ask
from tests.e2e.bed import GROUP, ROOT, VERSION, Bed, Place

RBAC = {"apiGroup": "rbac.authorization.k8s.io"}
API = f"{GROUP}/{VERSION}"
APPLIED_BY = f"{GROUP}/applied-by"
FORGED = {"metadata": {"annotations": {APPLIED_BY: "admin"}}}
_names = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """Somebody whom the API server has authenticated: by impersonation. Without a name: an administrator, whom the KUBECONFIG names."""

    bed: Bed
    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as them."""
        return self.bed.cluster.kubectl(*([f"--as={self.name}"] if self.name else []), *arguments, stdin=stdin)

    def ask(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> dict[str, Any]:
        """Send a request as it is. Raises Refused."""
        return ask(self.bed.api, method, path, body, content_type, self.name)

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Apply on the server's side, by force."""
        return self.ask("PATCH", f"{path}?fieldManager={self.name or 'admin'}&force=true", body, APPLY)

    def put(self, path: str, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Write an object back as it is, with a change; again where somebody else was quicker."""
        for attempt in range(20):
            body = self.ask("GET", path)
            change(body)
            try:
                return self.ask("PUT", path, body)
            except Refused as refused:
                if "please apply your changes to the latest version" not in str(refused) or attempt == 19:
                    raise
        raise AssertionError("unreachable")


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """Return the path of an object, or of all of a kind; Environments are in no namespace."""
    where = "" if kind == "Environment" else f"/namespaces/{namespace}"
    return f"/apis/{GROUP}/{VERSION}{where}/{kind.lower()}s" + (f"/{name}" if name else "")


def grant(cluster: Cluster, role: str, *people: str, namespace: str = "", kind: str = "ClusterRole") -> None:
    """Give people a role, in a namespace or everywhere."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": f"{role}-{'-'.join(people)}"} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {**RBAC, "kind": kind, "name": role},
        "subjects": [{**RBAC, "kind": "User", "name": person} for person in people],
    }
    cluster.apply(binding)


def needs_policies(cluster: Cluster) -> None:
    """Skip where the cluster is somebody's, whom our policies would be in the way, or older than MutatingAdmissionPolicy."""
    if type(cluster) is Cluster:
        pytest.skip("puts policies in force that are in the way of other tests: needs a cluster of its own")
    if "mutatingadmissionpolicies" not in cluster.kubectl("get", "--raw", "/apis/admissionregistration.k8s.io/v1"):
        pytest.skip("needs MutatingAdmissionPolicy v1, Kubernetes 1.36")


def secure(cluster: Cluster) -> Path:
    """Put the policies in force, and give people and the operator their roles."""
    needs_policies(cluster)
    for folder in ("rbac", "policies"):
        cluster.kubectl("apply", "-f", str(ROOT / "examples" / folder))
    kinds = ("releases", "releasesets", "projects", "environments")
    resources = [*kinds, *(f"{kind}/status" for kind in kinds)]
    # More than anybody should have: so it is the policies that refuse, and not RBAC.
    rule = {"apiGroups": [GROUP], "resources": resources, "verbs": ["get", "list", "create", "update", "patch", "delete"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "team"}, "rules": [rule]}
    cluster.apply(role)
    grant(cluster, "team", "ana", "ben", "mallory", "dave")
    grant(cluster, "ecs-release-override-window", "ana")
    grant(cluster, "ecs-release-override-commits", "ana")
    return cluster.service_account_kubeconfig("ecs-release", "ecs-release-operator")


def in_force(place: Place) -> bool:
    """Return whether forgeries are put right, and refused is what people have no right to."""
    ana, ben = (Person(place.bed, name) for name in ("ana", "ben"))
    path, retry, going_on = f"{path_of('Release', place.name)}?dryRun=All", {f"{GROUP}/retry": "1"}, {f"{GROUP}/continue": "1"}
    try:
        stamped = user(ben.ask("POST", path, body(place, annotations={APPLIED_BY: "admin"}))) == "ben"
        overrides = {f"{GROUP}/override-window": "1", f"{GROUP}/override-commits": "1"}
        ana.ask("POST", path, body(place, annotations={**retry, **going_on, **overrides}))
    except Refused:
        # A role is not known yet.
        return False
    probe = path_of("Release", place.name, "probe")
    with suppress(Refused):
        ben.ask("POST", path_of("Release", place.name), body(place, name="probe", service="probe"))
    return (
        stamped
        and is_refused(lambda: ben.ask("POST", path, body(place, annotations=retry)))
        and is_refused(lambda: ben.ask("POST", path, body(place, annotations=going_on)))
        and is_refused(lambda: ben.ask("POST", path, body(place, annotations={f"{GROUP}/override-window": "1"})))
        and is_refused(lambda: ben.ask("POST", path, body(place, annotations={f"{GROUP}/override-commits": "1"})))
        and is_refused(lambda: ben.ask("PATCH", f"{probe}/status?dryRun=All", {"status": {"phase": "Ready"}}, MERGE))
    )


def is_refused(request: Callable[[], object]) -> bool:
    """Return whether the API server refuses a request."""
    try:
        request()
    except Refused:
        return True
    return False


def body(place: Place, kind: str = "Release", name: str = "", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Make an object; of a service and an Environment that are not there unless the test makes them."""
    what = {"service": "web"} if kind == "Release" else {"serviceSet": "all"}
    wanted = {"projectRef": {"name": "shop"}, "environmentRef": {"name": place.name}, "source": {"releaseHash": "v1"}, **what, **spec}
    meta = {"name": name or f"o{next(_names)}", "namespace": place.name} | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": wanted}


def user(found: dict[str, Any]) -> str | None:
    """Whom an object says."""
    return (found["metadata"].get("annotations") or {}).get(APPLIED_BY)


def made(place: Place, who: str, kind: str = "Release", **more: Any) -> tuple[str, dict[str, Any]]:
    """Have somebody make an object. Returns its path, and the object."""
    wanted = body(place, kind, **more)
    created = Person(place.bed, who).ask("POST", path_of(kind, place.name), wanted)
    return path_of(kind, place.name, created["metadata"]["name"]), wanted
