"""Teams that share an Environment, whose template leaves the namespace out: none takes a service that another one holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.control_plane.cluster import Cluster
from tests.e2e.bed import GROUP, VERSION, Bed, Place, chart_rights, condition, running_bed
from tests.proxies import HoldingProxy, server_of


@dataclass
class Held:
    """A bed whose operator reaches the API server through a proxy."""

    bed: Bed
    proxy: HoldingProxy


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    with ExitStack() as stack:
        proxies: list[HoldingProxy] = []

        def behind_proxy(cluster: Cluster) -> Path:
            kubeconfig = chart_rights(cluster)
            proxies.append(stack.enter_context(HoldingProxy(server_of(kubeconfig)).running()))
            return proxies[0].kubeconfig(kubeconfig)

        yield Held(stack.enter_context(running_bed(prepare=behind_proxy)), proxies[0])


@pytest.fixture
def teams(held: Held) -> Iterator[tuple[Place, Place]]:
    """Two teams with a Release each of ECS service `web` in one Environment: the older runs v1, the younger asks for v2."""
    with held.bed.cleared():
        older, younger = Place(held.bed), Place(held.bed)
        for place in (older, younger):
            held.bed.cluster.kubectl("label", "namespace", place.name, f"shares={older.name}")
            place.project(containers={"app": older.repository()})
        older.service("v1")
        older.push("v2")
        older.environment(allowedNamespaces={"selector": {"matchLabels": {"shares": older.name}}})
        older.release("v1")
        older.wait("Succeeded")
        # Times of creation are whole seconds, and ties go by name, of which the older place has the smaller one.
        younger.release("v2", environmentRef={"name": older.name})
        younger.wait("TargetConflict")
        yield older, younger


def passes(place: Place) -> float:
    """Count the passes over Releases since the start; the log of the process before may still say that it is ready."""
    with suppress(URLError):
        return place.bed.operator.metric("ecs_release_reconcile_total", kind="Release")
    return 0


def test_nobody_takes_a_service_while_the_labels_of_the_older_one_are_unknown(held: Held, teams: tuple[Place, Place]) -> None:
    older, younger = teams
    labels = f"/api/v1/namespaces/{older.name}"
    held.proxy.hold(labels)
    try:
        held.bed.restart_operator()
        # The older one's passes wait for the labels: what ends is the younger one's.
        younger.until(lambda: labels in held.proxy.waiting and passes(younger) >= 2, "passes over the younger Release")
        assert not older.updates(), "it is not known who holds the service"
        assert condition(younger.status(), "Ready")["reason"] == "TargetConflict", "and no status says more than is known"
    finally:
        held.proxy.let_go(labels)
    older.wait("Succeeded")
    younger.stays("TargetConflict", seconds=2)
    assert not older.updates() and not younger.updates()


def test_a_claimant_whose_labels_cannot_be_read_is_left_out_after_a_while(held: Held, teams: tuple[Place, Place]) -> None:
    """It cannot act itself meanwhile, and finds that another one holds the service."""
    older, younger = teams
    labels = f"/api/v1/namespaces/{older.name}"
    held.proxy.hold(labels)
    try:
        held.bed.restart_operator()
        younger.wait("Succeeded")
    finally:
        held.proxy.let_go(labels)
    older.wait("TargetConflict")
    assert [c["parameters"]["service"] for c in older.updates()] == ["web"]


@pytest.mark.skipif("ECS_RELEASE_TEST_SOAK" not in os.environ, reason="twenty restarts take minutes: make soak")
def test_soak_nobody_takes_a_service_at_any_of_many_restarts(held: Held, teams: tuple[Place, Place]) -> None:
    older, younger = teams
    count = 400
    for number in range(count):
        name = f"other-{number}"
        body = {"projectRef": {"name": "shop"}, "service": "none", "environmentRef": {"name": older.name}, "source": {"releaseHash": "v1"}}
        younger.bed.api.create_namespaced_custom_object(
            GROUP, VERSION, younger.name, "releases",
            {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Release", "metadata": {"name": name}, "spec": body},
        )  # fmt: skip
    for _ in range(20):
        held.bed.restart_operator()
        younger.until(lambda: passes(younger) >= count + 2, "a pass over each Release")
        assert not older.updates() and not younger.updates()
        assert condition(younger.status(), "Ready")["reason"] == "TargetConflict"


def test_a_claimant_whose_namespace_is_gone_or_not_admitted_blocks_nobody(held: Held, teams: tuple[Place, Place]) -> None:
    older, younger = teams
    held.bed.cluster.kubectl("label", "namespace", older.name, "shares-")
    older.wait("TargetNotAllowed")
    status: dict[str, Any] = younger.wait("Succeeded")
    assert status["running"] and [c["parameters"]["service"] for c in older.updates()] == ["web"]
