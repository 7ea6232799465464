"""What the first clone of a large repository delays of other Releases, whose commits are asked about, too."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from ecs_release.api.names import API_VERSION, RELEASE
from tests.aws_simulator.client import image_name
from tests.benchmarks.release import LATENCY_S
from tests.benchmarks.results import Result
from tests.e2e.bed import GROUP, VERSION, Place, running_bed
from tests.git_host.server import Behaviour, GitHost
from tests.git_host.service import CommitsService, binding
from tests.operator_process import FAST

_N, _BEFORE = 20, 2
_BOUND = 1.2
_BYTES_A_SECOND = 2**18
"""So slow that the clone lasts longer than the Releases take; hosts are elsewhere, too, and their work is not this machine's."""
_SETTINGS = {**FAST, "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "86400", "ECS_RELEASE_LOG_LEVEL": "info"}


def measure(host: GitHost, large: str, ends: tuple[str, str], folder: Path) -> list[Result]:
    """Measure with one Release at a time, half of them while the repository `large` of the host is cloned for a Release of another team.

    `ends` are two commits of it. Each of the Releases asks for a pair of commits that is new to the commits service.
    """
    line = host.repository("bench/small").line(_BEFORE + 2 * _N + 1)
    with CommitsService(folder, [binding(host, "bench/*", namespaces=("t*",))]) as service:
        address = {"ECS_RELEASE_COMMITS_ADDRESS": service.address, "ECS_RELEASE_COMMITS_TOKEN_FILE": str(service.token_file)}
        with running_bed({**_SETTINGS, **address}) as bed:
            place, other = Place(bed), Place(bed)
            names = [f"s{n}" for n in range(len(line) - 1)]
            _make(place, host.url("bench/small"), {name: (line[n], line[n + 1]) for n, name in enumerate(names)})
            _make(other, host.url(large), {"web": ends})
            time.sleep(2)
            bed.aws.configure(faults={"latency_s": LATENCY_S})
            taken = [_release(place, name, line[n + 1]) for n, name in enumerate(names[: _BEFORE + _N])][_BEFORE:]
            host.behave(large, Behaviour(bytes_a_second=_BYTES_A_SECOND))
            _apply(other, "web", ends[1])
            other.until(lambda: any(r.method == "POST" for r in host.requests(large)), "the clone to begin")
            during = [_release(place, name, line[_BEFORE + _N + 1 + n]) for n, name in enumerate(names[_BEFORE + _N :])]
            if other.updates():
                raise RuntimeError("the clone ended before the other Releases did: let the host send more slowly")
            host.behave(large, None)
            other.until(other.updates, "the Release that waits for the clone")
    name = "from apply to UpdateService, median, while another team's repository of 100,000 commits is cloned first, against quiet"
    return [Result(name, statistics.median(during), "s", statistics.median(taken), _BOUND, _N)]


def _make(place: Place, url: str, services: dict[str, tuple[str, str]]) -> None:
    """Make services, each with the commit that it runs and one that there is an image of."""
    for name, (runs, wanted) in services.items():
        place.push(runs, service=name)
        place.push(wanted, service=name)
        place.service(runs, name, push=False, containers={"app": image_name(place.repository(name), f"ref.{runs}")}, wait=False)
    for name in services:
        place.aws.wait_steady(name, cluster=place.name)
    place.environment(commits={"branch": "main", "backwards": "Hold", "unknown": "Hold"})
    place.project(*services)
    place.bed.api.patch_namespaced_custom_object(GROUP, VERSION, place.name, "projects", "shop", {"spec": {"git": {"url": url}}})


def _release(place: Place, name: str, commit: str) -> float:
    """Apply one Release, and return the seconds until UpdateService came to AWS."""
    begun = time.time()
    _apply(place, name, commit)
    update: dict[str, Any] = place.until(
        lambda: next((c for c in place.updates() if c["parameters"]["service"] == name), None), "UpdateService", name
    )
    place.wait("Succeeded", name)
    return float(update["time"]) - begun


def _apply(place: Place, name: str, commit: str) -> None:
    spec = {
        "projectRef": {"name": "shop"}, "service": name, "environmentRef": {"name": place.name}, "source": {"releaseHash": commit},
    }  # fmt: skip
    body = {"apiVersion": API_VERSION, "kind": RELEASE, "metadata": {"name": name, "namespace": place.name}, "spec": spec}
    place.bed.api.create_namespaced_custom_object(GROUP, VERSION, place.name, "releases", body)
