"""Pairs of commits in the commits service: known ones, and new ones against plain git with a commit-graph file."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.results import Result
from tests.git_host.repositories import git, git_program
from tests.git_host.server import running_host, until
from tests.git_host.service import TOKEN, CommitsService, binding

COMMITS = 100_000
_FAR, _NEAR, _KNOWN = 40, 40, 2000
Pair = tuple[str, str]


def measure() -> list[Result]:
    """Measure on a made-up history of a main line with short branches that are merged into it."""
    with tempfile.TemporaryDirectory() as name, running_host(Path(name)) as host:
        repository = host.repository("bench/large")
        begun = time.monotonic()
        hashes = repository.history([_parents(n) for n in range(COMMITS)], {"main": COMMITS - 1})
        print(f"made {COMMITS:,} commits in {time.monotonic() - begun:.0f} s", flush=True)
        plain = Path(name) / "plain"
        git(plain, "init", "--quiet", "--bare")
        git(plain, "fetch", "--quiet", str(repository.folder), "+refs/heads/main:refs/heads/main")
        git(plain, "commit-graph", "write", "--reachable", "--no-progress")
        limits = {"cloneSeconds": 600, "answerSeconds": 600}
        with CommitsService(Path(name) / "service", [binding(host, "bench/*")], limits=limits) as service:
            asking = _Asking(service, host.url("bench/large"))
            begun = time.monotonic()
            until("the first answer", lambda: "ahead" in asking.relation((hashes[0], hashes[-1])), 900)
            cloned = time.monotonic() - begun
            chance = random.Random(1)
            far = [(chance.choice(hashes), chance.choice(hashes)) for _ in range(_FAR)]
            near = [(hashes[n], hashes[n + 10]) for n in chance.sample(range(COMMITS - 10), _NEAR)]
            results = [
                _compare("a new pair of commits, anywhere in 100,000, against git rev-list", asking, plain, far),
                _compare("a new pair of commits, 10 apart, against git rev-list", asking, plain, near),
            ]
            known = _times(asking.relation, [chance.choice(far) for _ in range(_KNOWN)])
            asking.close()
            size = sum(p.stat().st_size for p in service.cache.rglob("*") if p.is_file())
    return [
        Result("a pair of commits that is known, by HTTP on one connection", 1000 * statistics.median(known), "ms", None, 2, _KNOWN),
        *results,
        Result("the first clone of 100,000 commits, and its first answer", cloned, "s"),
        Result("the size of that clone", size / 2**20, "MiB"),
    ]


def _parents(number: int) -> Sequence[int]:
    """A branch of three commits leaves the main line every ten, and comes back."""
    place = number % 10
    if number == 0:
        return []
    if place in {5, 6, 7}:
        return [number - 1]
    if place == 8:
        return [number - 4] if number >= 4 else [number - 1]
    return [number - 1, number - 2] if place == 9 else [number - 1]


def _compare(name: str, asking: _Asking, plain: Path, pairs: list[Pair]) -> Result:
    """Ask the service and plain git in turn, so that both have the same of what else goes on."""
    ours, floor = [], []
    for pair in pairs:
        ours += _times(asking.relation, [pair])
        floor += _times(lambda its: _plain(plain, its), [pair])
    return Result(name, 1000 * statistics.median(ours), "ms", 1000 * statistics.median(floor), 1.5, len(pairs))


def _plain(folder: Path, pair: Pair) -> None:
    command = [git_program(), f"--git-dir={folder}", "rev-list", "--left-right", "--count", f"{pair[0]}...{pair[1]}"]
    subprocess.run(command, capture_output=True, check=True)


def _times(ask: Callable[[Pair], object], pairs: Sequence[Pair]) -> list[float]:
    taken = []
    for pair in pairs:
        begun = time.perf_counter()
        ask(pair)
        taken.append(time.perf_counter() - begun)
    return taken


class _Asking:
    """Questions on one connection, as a client that is at work has it."""

    def __init__(self, service: CommitsService, url: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=900)
        self._url = url

    def relation(self, pair: Pair) -> str:
        body = json.dumps({"namespace": "shop", "url": self._url, "branch": "main", "a": pair[0], "b": pair[1]})
        self._connection.request("POST", "/v1/relation", body, {"Authorization": f"Bearer {TOKEN}"})
        return self._connection.getresponse().read().decode()

    def close(self) -> None:
        self._connection.close()
