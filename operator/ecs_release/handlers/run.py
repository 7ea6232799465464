"""Runs the watch: it ends when it is told to, or when kopf gives up (then the supervisor starts it again)."""

from __future__ import annotations

import asyncio
import os

import kopf

from ecs_release.handlers.settings import operator_settings
from ecs_release.handlers.watch import Sink, build_registry


async def run_watch(sink: Sink, stop: asyncio.Event, ready: asyncio.Event, liveness: str | None = None) -> None:
    """Watch all kinds in all namespaces until `stop` is set. Sets `ready` when the watches have begun.

    `liveness` is an address such as http://0.0.0.0:8080/healthz. Raises what kopf raises when a watch breaks for good.
    """
    registry = build_registry(sink)
    kopf.on.login(registry=registry, id="login")(_login)
    await kopf.operator(
        registry=registry,
        settings=operator_settings(),
        clusterwide=True,
        standalone=True,
        stop_flag=stop,
        ready_flag=ready,
        liveness_endpoint=liveness,
    )


def _login(**kwargs: object) -> kopf.ConnectionInfo | None:
    """Log in as the rest of the operator does: KUBECONFIG where it is set, else the pod's service account."""
    if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return kopf.login_with_service_account(**kwargs)
    return kopf.login_with_kubeconfig(**kwargs)
