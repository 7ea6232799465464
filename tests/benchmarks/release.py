"""From applying a Release to UpdateService, against the AWS calls that it must make."""

from __future__ import annotations

import statistics
import time
from typing import Any

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name, task_definition
from tests.benchmarks.results import Result
from tests.e2e.bed import Place, running_bed
from tests.operator_process import FAST

LATENCY_S = 0.05
"""About what a call to ECS takes from the same region."""
_N = 12


def measure() -> list[Result]:
    """Measure with one Release at a time."""
    settings = {**FAST, "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "86400", "ECS_RELEASE_LOG_LEVEL": "info"}
    with running_bed(settings=settings) as bed:
        place = Place(bed)
        names = [f"s{n}" for n in range(_N + 2)]
        place.push("v1", service="web")
        for name in names:
            place.push("v2", service=name)
            place.service("v1", name, push=False, containers={"app": image_name(place.repository("web"), "ref.v1")}, wait=False)
        for name in names:
            place.aws.wait_steady(name, cluster=place.name)
        place.environment()
        place.project(*names)
        time.sleep(2)
        bed.aws.configure(faults={"latency_s": LATENCY_S})
        taken = [_release(place, name) for name in names][2:]
        needed, least = _calls(bed.aws, place, names[:_N])
    value = statistics.median(taken)
    return [
        Result("from apply to UpdateService, against the 5 calls that any deployment makes", value, "s", least, 1.5, _N),
        Result("the same, against these and the 3 that prove that it is due", value, "s", needed, 1.5, _N),
    ]


def _release(place: Place, name: str) -> float:
    """Apply one Release, and return the seconds until UpdateService came to AWS."""
    begun = time.time()
    body = {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "Release",
        "metadata": {"name": name, "namespace": place.name},
        "spec": {"projectRef": {"name": "shop"}, "service": name, "environmentRef": {"name": place.name}, "source": {"releaseHash": "v2"}},
    }
    place.bed.api.create_namespaced_custom_object("ecs-release.dev", "v1alpha1", place.name, "releases", body)
    update: dict[str, Any] = place.until(
        lambda: next((c for c in place.updates() if c["parameters"]["service"] == name), None), "UpdateService", name
    )
    place.wait("Succeeded", name)
    return float(update["time"]) - begun


def _calls(aws: Simulator, place: Place, names: list[str]) -> tuple[float, float]:
    """Make the same calls one after the other: medians of all that the laws demand, and of those without which nothing can be deployed."""
    ecs, ecr = aws.client("ecs"), aws.client("ecr")
    all_of_them, least = [], []
    for name in names:
        times: list[float] = []

        def timed(call: Any, times: list[float] = times, **arguments: Any) -> Any:
            begun = time.monotonic()
            answer = call(**arguments)
            times.append(time.monotonic() - begun)
            return answer

        timed(ecr.describe_images, registryId=ACCOUNT, repositoryName=place.repository(name), imageIds=[{"imageTag": "ref.v2"}])
        service = timed(ecs.describe_services, cluster=place.name, services=[name])["services"][0]
        timed(ecs.describe_task_definition, taskDefinition=service["taskDefinition"], include=["TAGS"])
        content = task_definition({"app": image_name(place.repository(name), "ref.v2", region=REGION)})
        revision = timed(ecs.register_task_definition, family=f"{place.name}-{name}", **content)["taskDefinition"]["taskDefinitionArn"]
        timed(ecs.update_service, cluster=place.name, service=name, taskDefinition=revision)
        least.append(sum(times))
        # What runs must be known, to adopt it (law 7), and whether this was tried before, to hold a failure.
        tasks = timed(ecs.list_tasks, cluster=place.name, serviceName=name)["taskArns"]
        timed(ecs.describe_tasks, cluster=place.name, tasks=tasks)
        timed(ecs.list_task_definitions, familyPrefix=f"{place.name}-{name}", sort="DESC", maxResults=6)
        all_of_them.append(sum(times))
    return statistics.median(all_of_them), statistics.median(least)
