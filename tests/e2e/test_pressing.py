"""A rate that sweeps use up: what an event tells of, and a rollout, pass the backlog; the sweeps go on behind them.

A read waits in two places: in its Environment's observer, which has four reads of a sweep under way at most, and then in the line of the
account's bucket, with those of all other Environments there. Both have to let through what is pressing, hence one Environment with more
services than it reads at once, and several others that fill the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytest

from tests.aws_simulator.client import image_name, task_definition
from tests.e2e.bed import GROUP, VERSION, Bed, Place
from tests.e2e.queues import event_queue

SERVICES = [f"s{number}" for number in range(8)]
"""Of the Environment that both tests look at."""
OTHERS = {f"o{environment}-{number}": f"other{environment}" for environment in range(5) for number in range(4)}
"""The services of the other Environments."""
ALL = {**dict.fromkeys(SERVICES, ""), **OTHERS}
SLOW = {
    # 20 service reads a second, of which this leaves 3: 28 reads are due every 5 s, and take 9. The bucket gives each Environment the same
    # part of them, so that a sweep of the eight takes 16 s.
    "ECS_RELEASE_AWS_RATE_SHARE": "0.15",
    "ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS": "1",
    # As by default: what takes seconds elsewhere would use up other rates.
    "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "3600",
    "ECS_RELEASE_RESYNC_SECONDS": "3600",
}
AT_MOST = 16
"""Reads of others before a pressing one: three are of the second between two looks, the rest is what a busy machine adds (3 a second).

With equal priorities in the line they are 24 to 26, those that wait there; with no order in the observer 24 to 46: never fewer. A machine
that stalls can only add to them, so that of several the best (of a rollout the median) tells how they are ordered.
"""
TRIES = 3


@pytest.fixture(scope="module")
def busy(bed: Bed) -> Iterator[Place]:
    """A place of 28 clusters with a service each, and an operator whose rate is used up: both tests share it."""
    with bed.cleared():
        place = Place(bed)
        make_services(place)
        make_objects(place, event_queue(place))
        for service in ALL:
            place.wait("Succeeded", service)
        with slowed(place):
            yield place
        place.aws.client("events").remove_targets(Rule=place.name, Ids=["queue"])
        place.aws.client("events").delete_rule(Name=place.name)


@contextmanager
def slowed(place: Place) -> Iterator[None]:
    """Run the operator on its low rate, from when all its services have been seen and the next sweep waits for its turns."""
    place.bed.operator.stop()
    mark = place.aws.mark()
    place.bed.operator.start(SLOW)
    try:
        place.bed.operator.wait_until_ready()
        place.until(lambda: all(reads(place, mark).count(cluster(place, s)) > 1 for s in ALL), "the first sweep to end", SERVICES[0])
        yield
    finally:
        place.bed.restart_operator()


def cluster(place: Place, service: str) -> str:
    return f"{place.name}-{service}"


def environment(place: Place, service: str) -> str:
    return f"{place.name}-{ALL[service]}" if ALL[service] else place.name


def image(place: Place, service: str, tag: str) -> str:
    return image_name(place.repository(service), f"ref.{tag}", account=place.account, region=place.region)


def make_services(place: Place) -> None:
    """Make the images and the services, each in a cluster of its own. A rollout of v2 takes some seconds."""
    where = {"account": place.account, "region": place.region}
    repositories = [place.repository(service) for service in ALL]
    digests = place.aws.control("images", **where, repositories=repositories, tags=["ref.v1", "ref.v2", "ref.v9"])
    for service in ALL:
        place.aws.behave(digests[f"{place.repository(service)}:ref.v2"], "slow")
        images, content = {service: {"app": image(place, service, "v1")}}, task_definition({"app": ""})
        place.aws.control("services", **where, cluster=cluster(place, service), images=images, events=0, desired=1, content=content)
    for service in ALL:
        place.aws.wait_steady(service, **where, cluster=cluster(place, service))


def make_objects(place: Place, queue_url: str) -> None:
    """Apply the Environments, a Project of all services, and their Releases. One Environment names the queue."""
    allowed = [{"namespaces": [place.name], "clusters": [f"{place.name}-*"], "serviceNames": ["*"]}]
    for name in sorted({environment(place, service) for service in ALL}):
        place.environment(
            name,
            observation={"intervalSeconds": 5, "graceSeconds": 300} | ({"eventQueueURL": queue_url} if name == place.name else {}),
            target={"cluster": place.name, "serviceName": "{service}", "allowed": allowed},
        )
    members = [
        {
            "name": service,
            "containers": [{"name": "app", "repository": place.repository(service)}],
            "targets": [{"environment": environment(place, service), "cluster": cluster(place, service), "serviceName": service}],
        }
        for service in ALL
    ]
    place.apply("Project", "shop", {"serviceSets": [{"name": "all", "services": members}]})
    place.bed.cluster.apply(*(release(place, service) for service in ALL))


def release(place: Place, service: str, tag: str = "v1") -> dict[str, Any]:
    spec = {"projectRef": {"name": "shop"}, "service": service, "environmentRef": {"name": environment(place, service)}}
    meta = {"name": service, "namespace": place.name}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Release", "metadata": meta, "spec": spec | {"source": {"releaseHash": tag}}}


def reads(place: Place, mark: int) -> list[str]:
    """List the clusters whose services were read since a mark, in order."""
    named = (c["parameters"].get("cluster", "") for c in place.aws.calls(action="DescribeServices", since=mark))
    return [name for name in named if name.startswith(f"{place.name}-")]


def latest(place: Place) -> str:
    """Name the service whose turn has just been: the sweep comes to it last."""
    ours, mark = {cluster(place, service): service for service in SERVICES}, place.aws.mark()
    found = place.until(lambda: [name for name in reads(place, mark) if name in ours], "a read", SERVICES[0])
    return ours[found[-1]]


def come_round(place: Place, mark: int) -> int:
    """Wait until the sweep that a mark fell into has come to all eight services. Returns how many reads of all Environments that took."""
    ours = {cluster(place, service) for service in SERVICES}
    place.until(lambda: ours <= set(reads(place, mark)), "the sweep to come round", SERVICES[0])
    seen = reads(place, mark)
    return max(seen.index(name) for name in ours) + 1


def test_what_an_event_tells_of_passes_the_backlog(busy: Place) -> None:
    tries = []
    for _ in range(TRIES):
        service = latest(busy)
        mark = busy.aws.mark()
        where = {"cluster": cluster(busy, service), "account": busy.account, "region": busy.region}
        busy.aws.deploy(service, {"app": image(busy, service, "v9")}, **where)
        busy.wait("Drifted", service)
        shown = len(reads(busy, mark))
        before, sweep = reads(busy, mark).index(cluster(busy, service)), come_round(busy, mark)
        tries.append(f"read after {before} others and shown after {shown} reads, the sweep came round after {sweep}")
        busy.aws.deploy(service, {"app": image(busy, service, "v1")}, **where)
        busy.wait("Succeeded", service)
        if before <= AT_MOST and 2 * shown <= sweep:
            return
    pytest.fail("\n".join(tries))


def test_a_rollout_goes_first_and_the_sweep_behind_it(busy: Place) -> None:
    service = latest(busy)
    mark = busy.aws.mark()
    busy.bed.cluster.apply(release(busy, service, "v2"))
    status = busy.wait("Succeeded", service, observedGeneration=2)
    assert status["history"][0]["images"][0]["toHash"] == "v2"
    seen, sweep = reads(busy, mark), come_round(busy, mark)
    turns = [at for at, name in enumerate(seen) if name == cluster(busy, service)]
    gaps = [later - earlier - 1 for earlier, later in zip([-1, *turns], turns, strict=False)]
    print(f"{len(turns)} reads of {len(seen)}, after {gaps} others each, the sweep came round after {sweep}")
    assert median(gaps) <= AT_MOST
    assert len(turns) >= 3
    assert sweep > len(ALL), "there was a backlog to pass"
