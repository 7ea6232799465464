"""The bed of the demo and of the playground: a control plane, a simulated AWS with two accounts, the operator, and examples/shop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.aws_simulator.client import REGION, Simulator, image_name
from tests.control_plane.control_plane import control_plane
from tests.operator_process import Operator

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "shop"
STAGING, PRODUCTION = "111122223333", "444455556666"
ACCOUNTS = {"staging": STAGING, "production": PRODUCTION}
FIRST, GOOD, BAD, FIX = "1a2b3c4", "5d6e7f8", "bad0bad", "c0ffee1"
SERVICES = {
    "web": {"app": "shop/web", "proxy": "shop/web-proxy"},
    "checkout": {"app": "shop/checkout"},
    "search": {"app": "shop/search"},
    "reports": {"app": "shop/reports"},
}
CRASHING = ("shop/checkout", "shop/reports")
"""Repositories whose BAD image crashes."""
LOG_ROUTER = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable"

# Fast enough to watch; everything else is as it is by default.
SETTINGS = {
    "ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS": "0.5",
    "ECS_RELEASE_ROLLBACK_SECONDS": "5",
    "ECS_RELEASE_VISIBLE_SECONDS": "5",
    "ECS_RELEASE_LOG_FORMAT": "text",
}


@dataclass
class DemoBed:
    """Everything that runs. `cluster` has `kubectl` and `apply`."""

    cluster: object
    aws: Simulator
    operator: Operator


@contextmanager
def demo_bed(folder: Path | None = None, *, time_scale: float = 20, settings: Mapping[str, str] | None = None) -> Iterator[DemoBed]:
    """Run everything, with the CRDs and AWS's services in place; the examples are not applied yet. `settings` are more of the operator's."""
    log = folder / "operator.log" if folder else None
    with control_plane(folder / "control-plane" if folder else None) as cluster, Simulator(time_scale=time_scale) as aws:
        cluster.install_crds(ROOT / "crds")
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        seed(aws)
        with Operator(cluster.kubeconfig, aws.environment(), {**SETTINGS, **(settings or {})}, log) as operator:
            operator.wait_until_ready()
            yield DemoBed(cluster, aws, operator)


def seed(aws: Simulator) -> None:
    """Push the images, and create the services that the platform team has made with Terraform."""
    for account in ACCOUNTS.values():
        aws.control("external-id", role=f"arn:aws:iam::{account}:role/releases", id="shop-releases")
    for containers in SERVICES.values():
        for repository in containers.values():
            for release_hash in (FIRST, GOOD, FIX) if repository in CRASHING else (FIRST, GOOD, BAD, FIX):
                aws.push_image(repository, [f"ref.{release_hash}"], account=STAGING)
    # The tag tells the simulator how the image behaves; the release hash is all that people see.
    for repository in CRASHING:
        aws.push_image(repository, ["crash", f"ref.{BAD}"], account=STAGING)
    for environment, account in ACCOUNTS.items():
        for service, containers in SERVICES.items():
            images = {
                name: image_name(repository, f"ref.{FIRST}", account=STAGING, region=REGION) for name, repository in containers.items()
            }
            aws.create_service(
                f"{environment}-{service}", images | {"log-router": LOG_ROUTER}, cluster=environment, account=account, wait=False
            )
    for environment, account in ACCOUNTS.items():
        for service in SERVICES:
            aws.wait_steady(f"{environment}-{service}", cluster=environment, account=account)
