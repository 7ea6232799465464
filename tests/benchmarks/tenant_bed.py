"""An Environment that admits two of three namespaces by label: a neighbour's, with one Release, and a tenant's, who does its worst."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from ecs_release.api.names import API_VERSION, GROUP, PLURALS, PROJECT, RELEASE, VERSION
from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name, task_definition
from tests.benchmarks.fleet_bed import SETTINGS, connect
from tests.benchmarks.watched import watched
from tests.control_plane.control_plane import Cluster, control_plane
from tests.e2e.bed import ROOT, condition
from tests.operator_process import Operator

NEIGHBOUR, TENANT, STRANGER = "neighbour", "tenant", "stranger"
"""The stranger's namespace is not admitted."""
SETS, SERVICES = 10, 500
"""Of a Project: the most that its CRD admits, fifty in a set."""
_DEADLINE_S = 180.0


@dataclass
class Bed:
    """What runs."""

    cluster: Cluster
    api: Any
    operator: Operator

    def create(self, kind: str, namespace: str, name: str, spec: dict[str, Any], **meta: Any) -> dict[str, Any]:
        """Create an object; returns it."""
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace, **meta}, "spec": spec}
        return dict(self.api.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], body))

    def uid(self, kind: str, namespace: str, name: str) -> str:
        """Ask for an object's uid."""
        found = self.api.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name)
        return str(found["metadata"]["uid"])

    def patch(self, kind: str, namespace: str, name: str, body: dict[str, Any]) -> None:
        """Change an object."""
        self.api.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name, body)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; one that is gone is no error."""
        try:
            self.api.delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name)
        except ApiException as error:
            if error.status != 404:
                raise

    def start_operator(self, namespaces: str = "") -> None:
        """Start the operator, again if it runs, for these namespaces or for all."""
        self.operator.stop()
        self.operator.log.write_text("")
        self.operator.start({"ECS_RELEASE_WATCH_NAMESPACES": namespaces})
        self.operator.wait_until_ready(_DEADLINE_S)


def release_spec(service: str, environment: str = "shared", project: str = "shop", **more: Any) -> dict[str, Any]:
    """Make the spec of a Release."""
    return {
        "projectRef": {"name": project}, "service": service, "environmentRef": {"name": environment}, "source": {"releaseHash": "v1"}, **more,
    }  # fmt: skip


def service_name(number: int) -> str:
    """Name a service of the Project; they begin again after the last."""
    return f"s{number % SERVICES}"


def set_name(number: int) -> str:
    """Name the service set that a service is in."""
    return f"set-{number % SERVICES % SETS}"


@contextmanager
def tenant_bed() -> Iterator[Bed]:
    """Run a control plane, a simulated AWS and an operator of all namespaces; the neighbour's Release is Ready."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    with control_plane() as cluster, Simulator(time_scale=60) as aws:
        cluster.install_crds(ROOT / "crds")
        bed = Bed(cluster, connect(cluster), Operator(cluster.kubeconfig, aws.environment(), SETTINGS))
        _make_aws(aws)
        _make_objects(bed)
        try:
            bed.start_operator()
            with watched(bed.api, "releases", NEIGHBOUR) as seen:
                bed.create(RELEASE, NEIGHBOUR, "web", release_spec("s0"))
                seen.until("web", lambda body: condition(body.get("status") or {}, "Ready").get("status") == "True", _DEADLINE_S)
            yield bed
        finally:
            bed.operator.stop()


def _make_aws(aws: Simulator) -> None:
    services = [service_name(n) for n in range(SERVICES)]
    aws.control("images", account=ACCOUNT, region=REGION, repositories=[f"shop/{s}" for s in services], tags=["ref.v1", "ref.v2"])
    for namespace in (NEIGHBOUR, TENANT):
        images = {f"{namespace}-{s}": {"app": image_name(f"shop/{s}", "ref.v1")} for s in services}
        aws.control(
            "services", account=ACCOUNT, region=REGION, cluster="main", images=images, events=0, desired=1,
            content=task_definition({"app": ""}),
        )  # fmt: skip


def _make_objects(bed: Bed) -> None:
    for namespace in (NEIGHBOUR, TENANT, STRANGER):
        labels = {} if namespace == STRANGER else {"team": "yes"}
        bed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        listed: dict[str, list[dict[str, Any]]] = {}
        for number in range(SERVICES):
            name = service_name(number)
            service = {"name": name, "containers": [{"name": "app", "repository": f"shop/{name}"}]}
            listed.setdefault(set_name(number), []).append(service)
        bed.create(PROJECT, namespace, "shop", {"serviceSets": [{"name": n, "services": s} for n, s in listed.items()]})
    spec = {
        "allowedNamespaces": {"selector": {"matchLabels": {"team": "yes"}}},
        "aws": {"accountID": ACCOUNT, "region": REGION, "roleARN": f"arn:aws:iam::{ACCOUNT}:role/releases"},
        "target": {"cluster": "main", "serviceName": "{namespace}-{service}"},
        "observation": {"intervalSeconds": 60},
    }
    body = {"apiVersion": API_VERSION, "kind": "Environment", "metadata": {"name": "shared"}, "spec": spec}
    bed.api.create_cluster_custom_object(GROUP, VERSION, "environments", body)
