"""Where nothing happens nothing is written: not to Releases, once a minute to an Environment, and no more by a new process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import watch

from tests.e2e.bed import GROUP, VERSION, Place

SERVICES = ("api", "web", "worker")
RESTS_S = 65
"""More than a minute: the bound of lastSweepTime shows. Sweeps are every five seconds, passes every ten."""


@contextmanager
def written(place: Place, seconds: float) -> Iterator[list[dict[str, Any]]]:
    """Watch the Releases of a place and its Environment: the API server sends one event for each write, and none is missed."""
    found: list[dict[str, Any]] = []
    api = place.bed.api
    releases = (api.list_namespaced_custom_object, GROUP, VERSION, place.name, "releases")
    environments = (api.list_cluster_custom_object, GROUP, VERSION, "environments")

    def follow(list_them: Any, arguments: tuple[str, ...], version: str) -> None:
        stream = watch.Watch().stream(list_them, *arguments, resource_version=version, timeout_seconds=int(seconds))
        found.extend(event["object"] for event in stream)

    begun = [(one[0], one[1:], one[0](*one[1:])["metadata"]["resourceVersion"]) for one in (releases, environments)]
    threads = [threading.Thread(target=follow, args=one, daemon=True) for one in begun]
    for thread in threads:
        thread.start()
    yield found
    for thread in threads:
        thread.join(seconds + 30)
        assert not thread.is_alive()


def settled(place: Place) -> bool:
    """Return whether no Release was written for a while: counts and the like may come after the verdict."""
    before = {name: place.get(name)["metadata"]["resourceVersion"] for name in SERVICES}
    time.sleep(6)
    return before == {name: place.get(name)["metadata"]["resourceVersion"] for name in SERVICES}


def test_nothing_is_written_at_rest_nor_by_a_process_that_begins(place: Place) -> None:
    place.services(*SERVICES)
    place.environment()
    for name in SERVICES:
        place.push("v2", service=name)
        place.release("v2", name)
    for name in SERVICES:
        place.wait("Succeeded", name)
    place.until(lambda: settled(place), "the Releases to come to rest", SERVICES[0])
    swept = place.get_environment()["status"]["lastSweepTime"]
    mark = place.aws.mark()

    with written(place, RESTS_S) as found:
        pass
    writes = [o for o in found if o["kind"] == "Release"]
    assert [(o["metadata"]["name"], o["status"]) for o in writes] == []
    times = {o["status"]["lastSweepTime"] for o in found if o["kind"] == "Environment" and o["metadata"]["name"] == place.name} - {swept}
    assert 1 <= len(times) <= 2
    reads = [c for c in place.aws.calls(action="DescribeServices", since=mark) if c["parameters"].get("cluster") == place.name]
    assert RESTS_S / 5 - 2 <= len(reads) <= 1.05 * (RESTS_S / 5 + 2), "it did look, and one call for all three"

    mark = place.aws.mark()
    with written(place, 25) as found:
        place.bed.restart_operator()
    looked = [c for c in place.aws.calls(action="DescribeServices", since=mark) if c["parameters"].get("cluster") == place.name]
    assert len(looked) >= 2, "the new process has seen them"
    assert [o["metadata"]["name"] for o in found if o["kind"] == "Release"] == []
    assert place.updates()[3:] == []
