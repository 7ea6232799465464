"""A ReleaseSet of 46 services in one wave, against the slowest service and against what AWS's rates allow."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ecs_release.aws.sessions.pacing import RATES, REGISTRY_MODIFY, SERVICE_MODIFY, TASK_DEFINITION_MODIFY
from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.benchmarks.results import Result
from tests.e2e.bed import Place, condition, running_bed
from tests.operator_process import FAST

SERVICES = 46
SHARE = 0.5
"""The default: the other half of AWS's rates is for everybody else."""
BOUND = 1.3
_DEADLINE_S = 400.0
_CONTAINERS = itertools.cycle([1, 2, 1, 3, 1, 4])
"""Half of the services have 2 to 4 containers."""


def measure() -> list[Result]:
    """Measure both methods. AWS throttles as it says that it does."""
    settings = {
        **FAST,
        "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "86400",
        "ECS_RELEASE_LOG_LEVEL": "info",
        "ECS_RELEASE_AWS_RATE_SHARE": str(SHARE),
        "ECS_RELEASE_TAG_INTERVAL_SECONDS": "600",
        "ECS_RELEASE_BASE_SWEEP_SECONDS": "900",
        "ECS_RELEASE_RESYNC_SECONDS": "3600",
    }
    return [*_measure(settings, "TaskDefinition"), *_measure(settings, "EnvironmentTag")]


def _measure(settings: dict[str, str], method: str) -> list[Result]:
    with running_bed(settings=settings) as bed:
        place = Place(bed)
        services = {f"s{n:02}": [f"c{i}" for i in range(next(_CONTAINERS))] for n in range(SERVICES)}
        tag = f"env.{place.name}"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: _make(place, name, services[name], tag if method == "EnvironmentTag" else "ref.v1", tag), services))
        place.environment(
            rollout={"settleSeconds": 0, "method": method}, artifacts={"environmentTag": "env.{environment}"},
            observation={"intervalSeconds": 60, "graceSeconds": 60},
        )  # fmt: skip
        listed = [
            {"name": s, "containers": [{"name": c, "repository": _repository(place, s, c)} for c in containers]}
            for s, containers in services.items()
        ]
        place.apply("Project", "shop", {"serviceSets": [{"name": "all", "services": listed}]})
        time.sleep(3)
        place.aws.configure(throttling={"enabled": True})
        begun = time.time()
        place.release_set("v2", strategy={"maxParallel": SERVICES})
        place.wait_set("Succeeded", deadline_s=_DEADLINE_S)
        taken = time.time() - begun
        slowest = max(_seconds(c) for c in place.children().values())
        throttled = len([c for c in place.aws.calls(since=place.begun) if "Throttl" in c["error"]])
    moves = sum(len(c) for c in services.values())
    floor = _floor(method, moves)
    name = f"a set of {SERVICES} services ({moves} containers), method {method}, until all are Ready"
    print(
        f"{name}: {taken:.1f} s; slowest service {slowest:.1f} s, floor by AWS's rates {floor:.1f} s, {throttled} calls throttled",
        flush=True,
    )
    return [Result(name, taken, "s", max(floor, slowest), BOUND)]


def _floor(method: str, moves: int) -> float:
    """Return the seconds that AWS's rates allow no less than, at our share: what is beyond the burst comes one by one."""

    def seconds(row: str, calls: int) -> float:
        rate = RATES[row]
        return max(0.0, calls - rate.burst * SHARE) / (rate.per_s * SHARE)

    if method == "EnvironmentTag":
        return max(seconds(REGISTRY_MODIFY, moves), seconds(SERVICE_MODIFY, SERVICES))
    return max(seconds(TASK_DEFINITION_MODIFY, SERVICES), seconds(SERVICE_MODIFY, SERVICES))


def _seconds(release: dict[str, Any]) -> float:
    """Return how long one service took by itself: from UpdateService to Ready."""
    rollout = release["status"]["rollout"]
    assert condition(release["status"], "Ready")["status"] == "True"
    begun = datetime.fromisoformat(rollout["intent"]["acceptedTime"])
    return (datetime.fromisoformat(rollout["completionTime"]) - begun).total_seconds()


def _repository(place: Place, service: str, container: str) -> str:
    return f"{place.name}/{service}-{container}"


def _make(place: Place, service: str, containers: list[str], tag: str, environment_tag: str) -> None:
    images = {}
    for container in containers:
        repository = _repository(place, service, container)
        place.aws.push_image(repository, ["ref.v1", environment_tag], account=ACCOUNT, region=REGION)
        place.aws.push_image(repository, ["ref.v2"], account=ACCOUNT, region=REGION)
        images[container] = image_name(repository, tag, account=ACCOUNT, region=REGION)
    place.aws.create_service(service, images, cluster=place.name, family=f"{place.name}-{service}")
