"""A rate that a sweep uses up: what an event tells of, and a rollout, pass the backlog; the sweep goes on behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import Bed, Place
from tests.e2e.test_events import queue

SERVICES = [f"s{number:02}" for number in range(20)]
SLOW = {
    # 20 service reads a second, of which this leaves one, and no burst to speak of: a sweep of 20 clusters takes 20 s and is due every 5.
    "ECS_RELEASE_AWS_RATE_SHARE": "0.05",
    "ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS": "3",
    # As by default: what takes seconds elsewhere would use up other rates.
    "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "3600",
    "ECS_RELEASE_RESYNC_SECONDS": "3600",
}
AT_MOST = 8
"""Reads of others before the one that is pressing: those that already wait for their turn, and what falls due until AWS has told."""


@pytest.fixture(scope="module")
def busy(bed: Bed) -> Iterator[Place]:
    """A place of 20 clusters with a service each, and an operator that can read one a second: both tests share it."""
    with bed.cleared():
        place = Place(bed)
        services(place)
        place.environment(
            observation={"intervalSeconds": 5, "graceSeconds": 300, "eventQueueURL": queue(place)},
            target={
                "cluster": place.name,
                "serviceName": "{service}",
                "allowed": [{"namespaces": [place.name], "clusters": [f"{place.name}-*"], "serviceNames": ["*"]}],
            },
        )
        for service in SERVICES:
            place.release("v1", service)
        for service in SERVICES:
            place.wait("Succeeded", service, deadline_s=60)
        with slowed(place):
            yield place
        place.aws.client("events").remove_targets(Rule=place.name, Ids=["queue"])
        place.aws.client("events").delete_rule(Name=place.name)


@contextmanager
def slowed(place: Place) -> Iterator[None]:
    """Run the operator on its low rate, from when its first sweep is over."""
    place.bed.operator.stop()
    mark = place.aws.mark()
    place.bed.operator.start(SLOW)
    try:
        place.bed.operator.wait_until_ready()
        everything = {cluster(place, service) for service in SERVICES}
        place.until(lambda: everything <= set(reads(place, mark)), "the first sweep to end", SERVICES[0], 120)
        yield
    finally:
        place.bed.restart_operator()


def cluster(place: Place, service: str) -> str:
    return f"{place.name}-{service}"


def services(place: Place) -> None:
    """Make the services, each in a cluster of its own, and the Project of them."""
    members = []
    for service in SERVICES:
        place.push("v1", service=service)
        where = {"cluster": cluster(place, service), "account": place.account, "region": place.region}
        place.aws.create_service(service, {"app": image(place, service, "v1")}, desired=1, family=f"{place.name}-{service}", **where)
        members.append(
            {
                "name": service,
                "containers": [{"name": "app", "repository": place.repository(service)}],
                "targets": [{"environment": place.name, "cluster": where["cluster"], "serviceName": service}],
            }
        )
    place.apply("Project", "shop", {"serviceSets": [{"name": "all", "services": members}]})


def image(place: Place, service: str, tag: str) -> str:
    return image_name(place.repository(service), f"ref.{tag}", account=place.account, region=place.region)


def reads(place: Place, mark: int) -> list[str]:
    """List the clusters whose services were read since a mark, in order."""
    calls = place.aws.calls(action="DescribeServices", since=mark)
    return [c["parameters"]["cluster"] for c in calls if c["parameters"].get("cluster", "").startswith(f"{place.name}-")]


def latest(place: Place) -> str:
    """Name the service whose turn has just been: the sweep comes to it last."""
    mark = place.aws.mark()
    place.until(lambda: reads(place, mark), "a read", SERVICES[0], 20)
    return reads(place, mark)[-1].removeprefix(f"{place.name}-")


def test_what_an_event_tells_of_passes_the_backlog(busy: Place) -> None:
    service = latest(busy)
    busy.push("v9", service=service)
    mark = busy.aws.mark()
    where = {"cluster": cluster(busy, service), "account": busy.account, "region": busy.region}
    busy.aws.deploy(service, {"app": image(busy, service, "v9")}, **where)
    busy.wait("Drifted", service, deadline_s=60)
    seen = reads(busy, mark)
    before = seen.index(cluster(busy, service))
    print(f"read after {before} others, shown after {len(seen)} reads")
    assert before <= AT_MOST
    assert len(seen) < len(SERVICES), "shown before the sweep would have come round"


def test_a_rollout_goes_first_and_the_sweep_behind_it(busy: Place) -> None:
    service = latest(busy)
    busy.push("v2", service=service)
    mark = busy.aws.mark()
    busy.release("v2", service)
    status = busy.wait("Succeeded", service, deadline_s=120, observedGeneration=2)
    assert status["history"][0]["images"][0]["toHash"] == "v2"
    seen = reads(busy, mark)
    turns = [at for at, name in enumerate(seen) if name == cluster(busy, service)]
    gaps = [later - earlier - 1 for earlier, later in zip([-1, *turns], turns, strict=False)]
    print(f"{len(turns)} reads of {len(seen)}, after {gaps} others each")
    assert len(turns) >= 3 and max(gaps) <= AT_MOST
    assert len(set(seen)) > 3, "others are read meanwhile"
