"""Releases into 200 Environments whose sinks of notifications do not answer, against the same releases without sinks."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecs_release.api.names import GROUP, VERSION
from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.benchmarks.results import Result
from tests.e2e.bed import Place, condition, running_bed
from tests.operator_process import FAST

ENVIRONMENTS, ACCOUNTS = 200, 20
"""Several accounts, so that AWS's rates are not what is measured."""
BOUND = 1.1
_HANGS_S = 25.0
"""Longer than the operator waits for an answer."""
_DEADLINE_S = 600.0


def measure() -> list[Result]:
    """Release four times: without sinks, twice with sinks that hang, and without sinks again, so that what the machine does else is even."""
    settings = {
        **FAST,
        "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "86400",
        "ECS_RELEASE_LOG_LEVEL": "info",
        "ECS_RELEASE_RESYNC_SECONDS": "3600",
    }
    with running_bed(settings=settings) as bed:
        place = Place(bed)
        names = [f"s{n:03}" for n in range(ENVIRONMENTS)]
        for tag in ("v1", "v2", "v3", "v4", "v5"):
            place.push(tag)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: place.aws.client("ecs", _account(n), REGION).create_cluster(clusterName=place.name), range(ACCOUNTS)))
            list(pool.map(lambda name: _make(place, name), names))
        repository = place.repository()
        services = [{"name": name, "containers": [{"name": "app", "repository": repository}]} for name in names]
        sets = [{"name": f"set{n}", "services": services[n : n + 50]} for n in range(0, ENVIRONMENTS, 50)]
        place.apply("Project", "shop", {"serviceSets": sets})
        for name in names:
            place.bed.api.create_cluster_custom_object(GROUP, VERSION, "environments", _environment(place, name))
            place.bed.api.create_namespaced_custom_object(GROUP, VERSION, place.name, "releases", _release(place, name))
        _until_all(place, "v1")
        bed.aws.fault("Publish", kind="delay", seconds=_HANGS_S, times=None)
        without = [_taken(place, names, "v2")]
        _notify(place, names, hang=True)
        hanging = [_taken(place, names, tag) for tag in ("v3", "v4")]
        sent = len(bed.aws.calls(action="Publish"))
        _notify(place, names, hang=False)
        without.append(_taken(place, names, "v5"))
    assert sent >= ENVIRONMENTS, f"only {sent} calls have hung"
    what = f"{ENVIRONMENTS} Environments, a release each at once, every sink hangs, against without sinks"
    return [Result(what, sum(hanging) / 2, "s", sum(without) / 2, BOUND, 2)]


def _account(number: int) -> str:
    return ACCOUNT if number == 0 else str(200_000_000_000 + number)


def _of(name: str) -> str:
    return _account(int(name[1:]) % ACCOUNTS)


def _make(place: Place, name: str) -> None:
    image = image_name(place.repository(), "ref.v1", account=ACCOUNT, region=REGION)
    place.aws.create_service(name, {"app": image}, cluster=place.name, account=_of(name), region=REGION, wait=False)


def _environment(place: Place, name: str) -> dict[str, Any]:
    account = _of(name)
    spec = {
        "allowedNamespaces": {"names": [place.name]},
        "aws": {"accountID": account, "region": REGION, "roleARN": f"arn:aws:iam::{account}:role/{place.name}"},
        "target": {"cluster": place.name, "serviceName": "{service}"},
        "artifacts": {"registryID": ACCOUNT},
        "observation": {"intervalSeconds": 60, "graceSeconds": 60},
    }
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Environment", "metadata": {"name": f"{place.name}-{name}"}, "spec": spec}


def _notify(place: Place, names: list[str], *, hang: bool) -> None:
    """Give each Environment a topic that does not answer, or take it away."""
    for name in names:
        topic = {"snsTopicARN": f"arn:aws:sns:{REGION}:{_of(name)}:{name}"}
        body = {"spec": {"notify": topic if hang else None}}
        place.bed.api.patch_cluster_custom_object(GROUP, VERSION, "environments", f"{place.name}-{name}", body)
    time.sleep(3)


def _release(place: Place, name: str) -> dict[str, Any]:
    spec = {
        "projectRef": {"name": "shop"}, "service": name, "environmentRef": {"name": f"{place.name}-{name}"}, "source": {"releaseHash": "v1"},
    }  # fmt: skip
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Release", "metadata": {"name": name, "namespace": place.name}, "spec": spec}


def _taken(place: Place, names: list[str], tag: str) -> float:
    """Release everywhere at once. Returns the seconds until all have succeeded."""
    body, api = {"spec": {"source": {"releaseHash": tag}}}, place.bed.api
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: api.patch_namespaced_custom_object(GROUP, VERSION, place.name, "releases", name, body), names))
    _until_all(place, tag)
    return time.monotonic() - begun


def _until_all(place: Place, tag: str) -> None:
    """Wait until all Releases have succeeded with a tag."""

    def done() -> bool:
        found = place.bed.api.list_namespaced_custom_object(GROUP, VERSION, place.name, "releases")["items"]
        return len(found) == ENVIRONMENTS and all(_is_done(body.get("status") or {}, tag) for body in found)

    place.until(done, f"all to be on {tag}", "s000", deadline_s=_DEADLINE_S)


def _is_done(status: dict[str, Any], tag: str) -> bool:
    return condition(status, "Ready").get("status") == "True" and (status.get("summary") or {}).get("runningHash") == tag
