"""The operator as a process: it begins before its CRDs are there, answers probes, and ends in time."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from tests.apiserver.conftest import CRDS
from tests.builders.objects import release_object
from tests.control_plane.control_plane import ControlPlane
from tests.control_plane.ports import free_port
from tests.operator_process import FAST, Operator
from tests.waiting import PATIENCE_S

NO_AWS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as got:
            return int(got.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def eventually(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def test_it_waits_for_its_crds_answers_probes_and_ends_in_time(own_control_plane: ControlPlane) -> None:
    """On a control plane of its own: `own_control_plane` only tells that such a one can be had."""
    port = free_port()
    settings = FAST | {"ECS_RELEASE_PROBE_HOST": "127.0.0.1", "ECS_RELEASE_PROBE_PORT": str(port)}
    with ControlPlane() as cluster, Operator(cluster.kubeconfig, NO_AWS, settings) as operator:
        eventually(lambda: "apply the CRDs" in operator.log.read_text())
        assert answer(f"http://127.0.0.1:{port}/healthz") == 200
        assert answer(f"http://127.0.0.1:{port}/readyz") == 503

        cluster.install_crds(CRDS)
        eventually(lambda: answer(f"http://127.0.0.1:{port}/readyz") == 200)
        cluster.apply(release_object(namespace="default"))
        eventually(lambda: cluster.get("releases.ecs-release.dev", "web")["status"].get("conditions"))

        assert operator.stop() == 0
