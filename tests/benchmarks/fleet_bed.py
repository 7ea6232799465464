"""A fleet: thousands of Releases into ten Environments, and the services that they go to, running since long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from tests.aws_simulator.client import REGION, Simulator, image_name, task_definition
from tests.control_plane.control_plane import Cluster, control_plane
from tests.e2e.bed import GROUP, ROOT, VERSION
from tests.operator_process import Operator

ENVIRONMENTS = 10
PROJECTS = 10
EVENTS = 100
"""Events that ECS answers with each service: the most there are, and what most of the time goes into."""
INTERVAL_S = 60
REGISTRY = "444455556666"
NAMESPACE = "fleet"
# Alone, and counted: renewals of a Lease would be writes that no Release has caused.
SETTINGS = {"ECS_RELEASE_LOG_LEVEL": "info", "ECS_RELEASE_LOG_FORMAT": "text", "ECS_RELEASE_LEADER_ELECT": "false"}
"""Everything else is as it is by default, AWS's rates included."""


@dataclass
class Fleet:
    """What runs, and the operator, which is started by whoever measures."""

    cluster: Cluster
    aws: Simulator
    api: Any
    operator: Operator
    releases: int

    @property
    def services(self) -> int:
        """How many services a Project has, and an Environment of each."""
        return self.releases // ENVIRONMENTS // PROJECTS

    def service_name(self, project: int, service: int) -> str:
        """Name a service."""
        return f"p{project}-s{service}"

    def names(self) -> list[str]:
        """List the services of one Environment."""
        return [self.service_name(p, s) for p in range(PROJECTS) for s in range(self.services)]

    def account(self, environment: int) -> str:
        """Name an Environment's account."""
        return f"1111222233{environment:02}"

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Read all Releases, page by page: metadata and status by name."""
        found: dict[str, dict[str, Any]] = {}
        token = ""
        while True:
            page = self.api.list_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "releases", limit=500, _continue=token)
            found |= {r["metadata"]["name"]: {**r.get("status", {}), "version": r["metadata"]["resourceVersion"]} for r in page["items"]}
            token = page["metadata"].get("continue")
            if not token:
                return found

    def patch(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change a Release; returns what it is then."""
        return dict(self.api.patch_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "releases", name, body))


@contextmanager
def fleet(releases: int, settings: Mapping[str, str] = SETTINGS, folder: Path | None = None) -> Iterator[Fleet]:
    """Make a fleet; `releases` is a multiple of a hundred."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    with control_plane(folder) as cluster, Simulator(time_scale=60) as aws:
        cluster.install_crds(ROOT / "crds")
        operator = Operator(cluster.kubeconfig, aws.environment(), settings)
        made = Fleet(cluster, aws, connect(cluster), operator, releases)
        _make_aws(made)
        _make_objects(made)
        try:
            yield made
        finally:
            operator.stop()


def connect(cluster: Cluster) -> Any:
    """Connect by as many connections as there are threads: a handshake for each request is not what is measured."""
    configuration = kubernetes_client.Configuration()
    kubernetes_config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    configuration.connection_pool_maxsize = 32
    return kubernetes_client.CustomObjectsApi(kubernetes_client.ApiClient(configuration))


def _make_aws(made: Fleet) -> None:
    made.aws.control(
        "images", account=REGISTRY, region=REGION, repositories=[f"fleet/{n}" for n in made.names()], tags=["ref.v1", "ref.v2"]
    )
    for number in range(ENVIRONMENTS):
        images = {n: {"app": image_name(f"fleet/{n}", "ref.v1", account=REGISTRY)} for n in made.names()}
        made.aws.control(
            "services", account=made.account(number), region=REGION, cluster="main", images=images, events=EVENTS, desired=2,
            content=task_definition({"app": ""}),
        )  # fmt: skip


def _make_objects(made: Fleet) -> None:
    made.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    api = made.api
    for number in range(ENVIRONMENTS):
        account = made.account(number)
        spec = {
            "allowedNamespaces": {"names": [NAMESPACE]},
            "aws": {"accountID": account, "region": REGION, "roleARN": f"arn:aws:iam::{account}:role/releases"},
            "artifacts": {"registryID": REGISTRY},
            "target": {"cluster": "main", "serviceName": "{service}"},
            "observation": {"intervalSeconds": INTERVAL_S},
        }
        api.create_cluster_custom_object(GROUP, VERSION, "environments", _object("Environment", f"e{number}", spec))
    for project in range(PROJECTS):
        names = [made.service_name(project, s) for s in range(made.services)]
        services = [{"name": n, "containers": [{"name": "app", "repository": f"fleet/{n}"}]} for n in names]
        body = _object("Project", f"p{project}", {"serviceSets": [{"name": "all", "services": services}]}, NAMESPACE)
        api.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "projects", body)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: _make_release(made, *at), [(e, n) for e in range(ENVIRONMENTS) for n in made.names()]))


def _make_release(made: Fleet, environment: int, service: str) -> None:
    spec = {
        "projectRef": {"name": service.partition("-")[0]},
        "service": service,
        "environmentRef": {"name": f"e{environment}"},
        "source": {"releaseHash": "v1"},
        "change": {"description": "Weekly release", "requestedBy": "team@example.com", "url": "https://example.com/pull/1"},
    }
    body = _object("Release", f"e{environment}-{service}", spec, NAMESPACE)
    made.api.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "releases", body)


def _object(kind: str, name: str, spec: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata, "spec": spec}


def until(there: Any, what: str, deadline_s: float, every_s: float = 0.5) -> float:
    """Wait until something is so; returns the seconds that it took. Raises TimeoutError."""
    begun = time.monotonic()
    while not there():
        if time.monotonic() - begun > deadline_s:
            raise TimeoutError(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(every_s)
    return time.monotonic() - begun
