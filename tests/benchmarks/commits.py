"""Pairs of commits in the commits service: known ones, new ones against plain git with a commit-graph file; and whom a first clone delays."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.benchmarks import first_clone
from tests.benchmarks.results import Result
from tests.git_host.repositories import git, git_program
from tests.git_host.server import running_host, until
from tests.git_host.service import TOKEN, CommitsService, binding

COMMITS = 100_000
PROJECTS, REPOSITORIES = 200, 40
"""Each Project is in a namespace of its own, and asks about one of the repositories, of which one is the large one."""
_SMALL = 50
_FAR, _NEAR, _KNOWN = 40, 40, 2000
_CACHE_BYTES = 256 * 2**20
Pair = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class _Question:
    """How two commits relate, for a namespace."""

    namespace: str
    url: str
    pair: Pair


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
        limits, cache = {"cloneSeconds": 600, "answerSeconds": 600}, {"maxBytes": _CACHE_BYTES}
        small = {f"bench/small-{n}": host.repository(f"bench/small-{n}").line(_SMALL) for n in range(1, REPOSITORIES)}
        with CommitsService(Path(name) / "service", [binding(host, "bench/*", namespaces=("shop-*",))], limits, cache) as service:
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
            size = _size(service)
            paths = ["bench/large", *small]
            asked = [
                _Question(f"shop-{n}", host.url(path), chance.choice(far) if path == "bench/large" else _two(chance, small[path]))
                for n in range(PROJECTS)
                for path in [paths[n % REPOSITORIES]]
            ]
            for question in asked:
                until("an answer", lambda q=question: "ahead" in asking.answer(q), 900)
            of_all = _times(asking.answer, [chance.choice(asked) for _ in range(_KNOWN)])
            asking.close()
            size_of_all = _size(service)
        delayed = first_clone.measure(host, "bench/large", (hashes[0], hashes[-1]), Path(name) / "first")
    return [
        Result("a pair of commits that is known, by HTTP on one connection", 1000 * statistics.median(known), "ms", None, 2, _KNOWN),
        Result(
            f"the same, of {PROJECTS} Projects in {REPOSITORIES} repositories", 1000 * statistics.median(of_all), "ms", None, 2, _KNOWN
        ),
        *results,
        Result("the first clone of 100,000 commits, and its first answer", cloned, "s"),
        Result("the size of that clone", size / 2**20, "MiB"),
        Result(f"the size of {REPOSITORIES} clones, that one among them", size_of_all / 2**20, "MiB", None, _CACHE_BYTES / 2**20),
        *delayed,
    ]  # fmt: skip


def _size(service: CommitsService) -> int:
    return sum(p.stat().st_size for p in service.cache.rglob("*") if p.is_file())


def _two(chance: random.Random, hashes: Sequence[str]) -> Pair:
    a, b = chance.sample(hashes, 2)
    return a, b


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


def _times(ask: Callable[[T], object], questions: Sequence[T]) -> list[float]:
    taken = []
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        taken.append(time.perf_counter() - begun)
    return taken


class _Asking:
    """Questions on one connection, as a client that is at work has it."""

    def __init__(self, service: CommitsService, url: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=900)
        self._url = url

    def relation(self, pair: Pair) -> str:
        return self.answer(_Question("shop-0", self._url, pair))

    def answer(self, question: _Question) -> str:
        a, b = question.pair
        body = json.dumps({"namespace": question.namespace, "url": question.url, "branch": "main", "a": a, "b": b})
        self._connection.request("POST", "/v1/relation", body, {"Authorization": f"Bearer {TOKEN}"})
        return self._connection.getresponse().read().decode()

    def close(self) -> None:
        self._connection.close()
