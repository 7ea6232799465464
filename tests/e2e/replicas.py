"""Several operators beside one another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.aws_simulator.client import Simulator
from tests.control_plane.control_plane import control_plane
from tests.e2e.bed import ROOT, Bed, chart_rights, custom_objects
from tests.operator_process import FAST, Operator
from tests.proof import usage
from tests.waiting import PATIENCE_S

# The namespace is the pod's own where there is one.
ELECTED = FAST | {"ECS_RELEASE_LEADER_ELECT": "true", "ECS_RELEASE_LEASE_NAMESPACE": "ecs-release"}
# Shorter than by default, for many hand-overs, and so long that a busy machine renews in time; that by default is tested, too.
SHORT = {
    "ECS_RELEASE_LEASE_DURATION_SECONDS": "8",
    "ECS_RELEASE_LEASE_RENEW_DEADLINE_SECONDS": "6",
    "ECS_RELEASE_LEASE_RETRY_SECONDS": "0.5",
}
HELD = "this process is the active one"


class Replicas:
    """Operators beside one another: AWS and the API server can tell them apart."""

    def __init__(self, bed: Bed, stack: ExitStack) -> None:
        self._bed = bed
        self._kubeconfig = chart_rights(bed.cluster)
        self._stack = stack
        self._all: dict[str, Operator] = {}

    def start(self, name: str, settings: Mapping[str, str] | None = None) -> Operator:
        aws = self._bed.aws.environment() | {"AWS_SDK_UA_APP_ID": name}
        replica = Operator(self._kubeconfig, aws, ELECTED | dict(settings or {}))
        self._stack.enter_context(replica)
        self._all[name] = self._bed.operator = replica
        replica.wait_until_ready()
        return replica

    def keep(self, name: str) -> None:
        """Start one again that could not renew its Lease in time, as Kubernetes does: where nobody answers for seconds, none can."""
        replica = self._all[name]
        if replica.process.exit_code is not None:
            assert replica.process.exit_code == 1 and "is lost: it was not renewed within" in replica.tail(), replica.tail()
            replica.start(SHORT)

    def leader(self) -> str:
        """Wait until exactly one of those that run says that it holds the Lease."""

        def found() -> list[str]:
            return [n for n, o in self._all.items() if o.process.exit_code is None and HELD in o.log.read_text()]

        until(lambda: len(found()) == 1, "one leader")
        return found()[0]

    def calls(self, name: str, since: int = 0, **filters: Any) -> list[dict[str, Any]]:
        """List the calls to AWS that one of them made, without those that fetch its credentials."""
        found = self._bed.aws.calls(since=since, **filters)
        return [c for c in found if f"app/{name}" in c["user_agent"].split() and c["service"] != "sts"]


def until(there: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := there()):
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.05)
    return found


@contextmanager
def empty_bed() -> Iterator[Bed]:
    """A bed on which no operator runs."""
    with control_plane(audit=True) as cluster, Simulator(time_scale=60) as aws:
        cluster.install_crds(ROOT / "crds")
        none = Operator(cluster.kubeconfig, {})
        yield Bed(cluster, aws, none, custom_objects(cluster))
        none._folder.cleanup()
        usage.write(cluster, aws, chart_rights(cluster))
