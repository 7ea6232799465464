"""What one tenant costs the others: how an event's cost grows with its Releases, and how long a neighbour waits while it does its worst."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name, task_definition
from tests.benchmarks.results import Result
from tests.benchmarks.watched import Watched, watched
from tests.builders.simulated_time import run_simulated
from tests.builders.tenant_fleet import EVENTS, TenantFleet, instructions
from tests.control_plane.control_plane import Cluster, control_plane
from tests.e2e.bed import GROUP, ROOT, VERSION, condition
from tests.operator_process import Operator

SIZES = (10, 100, 1000, 5000)
RELEASES = int(os.environ.get("BENCH_TENANT_RELEASES", "1500"))
_GROWTH = 1.5
_ROUNDS = 50
_DEADLINE_S = 120.0
_SERVICES = 50
NEIGHBOUR, TENANT, STRANGER = "neighbour", "tenant", "stranger"
_SETTINGS = {"ECS_RELEASE_LOG_LEVEL": "info", "ECS_RELEASE_LOG_FORMAT": "text", "ECS_RELEASE_LEADER_ELECT": "false"}


def measure() -> list[Result]:
    """Measure growth in this process, and the neighbour's decisions with a control plane."""
    return [*growth(), *decisions()]


def growth() -> list[Result]:
    """Count the interpreter's instructions for each event, with ever more Releases of one tenant."""
    found = {size: run_simulated(_costs(size)) for size in SIZES}
    return [
        Result(f"{name}: instructions with {size} Releases of one tenant, against {SIZES[0]}", found[size][name], "", found[SIZES[0]][name], _GROWTH)
        for name in EVENTS
        for size in SIZES[1:]
    ]  # fmt: skip


async def _costs(size: int) -> dict[str, int]:
    fleet = TenantFleet(size)
    await fleet.ready()
    found = {}
    for name, event in EVENTS.items():
        await event(fleet)
        found[name] = await instructions(lambda event=event: event(fleet))  # type: ignore[misc]
    return found


@dataclass
class Bed:
    """An Environment that admits two namespaces by label, and one Release of the neighbour there."""

    cluster: Cluster
    api: Any

    def create(self, plural: str, namespace: str, name: str, spec: dict[str, Any]) -> None:
        """Create a Project or a Release."""
        kind = {"projects": "Project", "releases": "Release"}[plural]
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
        self.api.create_namespaced_custom_object(GROUP, VERSION, namespace, plural, body)

    def release(self, namespace: str, number: int, environment: str = "shared") -> None:
        """Create one of a tenant's Releases."""
        spec = {
            "projectRef": {"name": "shop"}, "service": f"s{number % _SERVICES}", "environmentRef": {"name": environment},
            "source": {"releaseHash": "v1"},
        }  # fmt: skip
        self.create("releases", namespace, f"r{number}", spec)

    def patch(self, namespace: str, name: str, body: dict[str, Any]) -> None:
        """Change a Release."""
        self.api.patch_namespaced_custom_object(GROUP, VERSION, namespace, "releases", name, body)

    def clear(self, namespace: str) -> None:
        """Delete a tenant's Releases."""
        self.api.delete_collection_namespaced_custom_object(GROUP, VERSION, namespace, "releases")


Churn = Callable[[Bed, int], None]


@dataclass(frozen=True)
class Worst:
    """Something that a tenant may do: how its Releases are made, and what is done again and again meanwhile."""

    what: str
    make: Churn
    churn: Churn


def _suspended(bed: Bed, number: int) -> None:
    bed.patch(TENANT, f"r{number % RELEASES}", {"spec": {"suspend": number % 2 == 0}})


def _labelled(bed: Bed, number: int) -> None:
    bed.patch(STRANGER, f"r{number % RELEASES}", {"spec": {"suspend": number % 2 == 0}})


WORST = (
    Worst(f"{RELEASES} Releases of one Project, changed without end", lambda bed, n: bed.release(TENANT, n), _suspended),
    Worst(f"{RELEASES} Releases that are not admitted, changed without end", lambda bed, n: bed.release(STRANGER, n), _labelled),
    Worst(
        f"{RELEASES} Releases into Environments that do not exist, changed without end",
        lambda bed, n: bed.release(STRANGER, n, f"none-{n}"),
        _labelled,
    ),
)


def decisions() -> list[Result]:
    """Measure how long the neighbour waits for a decision, with nobody else and while a tenant does its worst: at most twice as long."""
    with _bed() as bed, watched(bed.api, "releases", NEIGHBOUR) as seen:
        quiet = _p90(_times(bed, seen))
        found = [Result("a neighbour's decision, p90, nobody else there", quiet, "s", n=2 * _ROUNDS)]
        for worst in WORST:
            print(f"  {worst.what}", flush=True)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda n, worst=worst: worst.make(bed, n), range(RELEASES)))  # type: ignore[misc]
            with _churning(bed, worst.churn):
                times = _times(bed, seen)
            floor = max(quiet, 0.25)
            found.append(Result(f"a neighbour's decision, p90: {worst.what}", _p90(times), "s", floor, 2, n=len(times)))
            for namespace in (TENANT, STRANGER):
                bed.clear(namespace)
        return found


def _p90(times: list[float]) -> float:
    return statistics.quantiles(times, n=10)[-1]


def _times(bed: Bed, seen: Watched) -> list[float]:
    """Suspend the neighbour's Release and let it go on: from the patch until the decision is in status."""
    times = []
    for number in range(2 * _ROUNDS):
        on = number % 2 == 0
        begun = time.monotonic()
        bed.patch(NEIGHBOUR, "web", {"spec": {"suspend": on}})
        times.append(seen.until("web", lambda body, on=on: _decided(body, on=on), _DEADLINE_S) - begun)  # type: ignore[misc]
    return times


def _decided(body: dict[str, Any], *, on: bool) -> bool:
    status = body.get("status") or {}
    is_new = status.get("observedGeneration") == body["metadata"]["generation"]
    return is_new and (condition(status, "Ready").get("reason") == "Suspended") is on


@contextmanager
def _churning(bed: Bed, churn: Churn) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            churn(bed, number)
            number += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _bed() -> Iterator[Bed]:
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    with control_plane() as cluster, Simulator(time_scale=60) as aws:
        cluster.install_crds(ROOT / "crds")
        configuration = kubernetes_client.Configuration()
        kubernetes_config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
        configuration.connection_pool_maxsize = 32
        bed = Bed(cluster, kubernetes_client.CustomObjectsApi(kubernetes_client.ApiClient(configuration)))
        _make(bed, aws)
        with Operator(cluster.kubeconfig, aws.environment(), _SETTINGS) as operator:
            operator.wait_until_ready()
            with watched(bed.api, "releases", NEIGHBOUR) as seen:
                bed.create("releases", NEIGHBOUR, "web", {
                    "projectRef": {"name": "shop"}, "service": "s0", "environmentRef": {"name": "shared"}, "source": {"releaseHash": "v1"},
                })  # fmt: skip
                seen.until("web", lambda body: condition(body.get("status") or {}, "Ready").get("status") == "True", _DEADLINE_S)
            yield bed


def _make(bed: Bed, aws: Simulator) -> None:
    services = [f"s{n}" for n in range(_SERVICES)]
    aws.control("images", account=ACCOUNT, region=REGION, repositories=[f"shop/{s}" for s in services], tags=["ref.v1"])
    for namespace in (NEIGHBOUR, TENANT, STRANGER):
        images = {f"{namespace}-{s}": {"app": image_name(f"shop/{s}", "ref.v1")} for s in services}
        aws.control(
            "services", account=ACCOUNT, region=REGION, cluster="main", images=images, events=0, desired=1,
            content=task_definition({"app": ""}),
        )  # fmt: skip
        labels = {} if namespace == STRANGER else {"team": "yes"}
        bed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        listed = [{"name": s, "containers": [{"name": "app", "repository": f"shop/{s}"}]} for s in services]
        bed.create("projects", namespace, "shop", {"serviceSets": [{"name": "all", "services": listed}]})
    spec = {
        "allowedNamespaces": {"selector": {"matchLabels": {"team": "yes"}}},
        "aws": {"accountID": ACCOUNT, "region": REGION, "roleARN": f"arn:aws:iam::{ACCOUNT}:role/releases"},
        "target": {"cluster": "main", "serviceName": "{namespace}-{service}"},
        "observation": {"intervalSeconds": 60},
    }
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Environment", "metadata": {"name": "shared"}, "spec": spec}
    bed.api.create_cluster_custom_object(GROUP, VERSION, "environments", body)
