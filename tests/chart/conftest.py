"""A control plane with the chart on it, as helm renders it, and the operator with the rights that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.chart.generate import CHART
from tests.chart.helm import helm, objects, render
from tests.control_plane.control_plane import Cluster
from tests.e2e.bed import Bed, running_bed
from tests.e2e.people import needs_policies
from tests.operator_process import FAST
from tests.proof.usage import IN_SOME

NAMESPACE, NAME = "platform", "ecs-release-operator"
VALUES: dict[str, Any] = {
    "settings": {"installation": "chart"},
    "serviceAccount": {"name": "acting"},
    "policies": {"operators": [f"{NAMESPACE}:acting{IN_SOME}"]},
}
GUEST: dict[str, Any] = {
    "settings": VALUES["settings"],
    "serviceAccount": {"name": f"acting{IN_SOME}"},
    **{part: {"install": False} for part in ("crds", "policies")},
    "userRoles": {"create": False},
}
"""Values of a second installation, which stands in for the first one for a while."""
_PORTS = ("ECS_RELEASE_PROBE_PORT", "ECS_RELEASE_METRICS_PORT")


def install(cluster: Cluster) -> Path:
    """Install the chart as people do. Returns the KUBECONFIG of its service account."""
    needs_policies(cluster)
    upgrade(cluster, VALUES)
    return cluster.service_account_kubeconfig(NAMESPACE, "acting")


def upgrade(cluster: Cluster, values: Mapping[str, Any], name: str = NAME) -> str:
    """Install the chart, or upgrade it; the CRDs that the bed has applied become its own. Nothing waits for pods: there are no nodes."""
    return helm(
        "upgrade", "--install", name, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace", "--take-ownership",
        f"--kubeconfig={cluster.kubeconfig}", values=values,
    )  # fmt: skip


def settings() -> dict[str, str]:
    """Return the operator's settings: the chart's, but for ports, with times that tests can wait for."""
    deployment = objects(render(VALUES, name=NAME, namespace=NAMESPACE))["Deployment", NAME]
    env = {e["name"]: e["value"] for e in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    ours = {name: value for name, value in env.items() if name.startswith("ECS_RELEASE_") and name not in _PORTS}
    # The namespace is the pod's own there, and there is no pod.
    return FAST | ours | {"ECS_RELEASE_LEADER_ELECT": "true", "ECS_RELEASE_LEASE_NAMESPACE": NAMESPACE}


@pytest.fixture(scope="package")
def installed() -> Iterator[Bed]:
    """A bed of this folder's own: the chart is on it, and the operator has that service account's token."""
    with running_bed(settings(), prepare=install) as bed:
        yield bed
