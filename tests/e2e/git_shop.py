"""A place whose commits a git host has, an operator that asks a commits service, and a proxy between the two that may lie."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.aws_simulator.client import ACCOUNT, REGION
from tests.e2e.bed import Bed, Place, condition, running_bed
from tests.git_host.repositories import BareRepository
from tests.git_host.server import GitHost, running_host
from tests.git_host.service import CommitsService, binding
from tests.operator_process import FAST
from tests.proxies import ForwardingProxy

HOLD = {"backwards": "Hold", "unknown": "Hold"}
REFUSE = {"notMerged": "Refuse", "unknown": "Hold"}
THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded", "status": 400}
TABLE = "ecs-release"
LEDGER = {
    "ECS_RELEASE_LEDGER_TABLE": TABLE,
    "ECS_RELEASE_LEDGER_REGION": REGION,
    "ECS_RELEASE_LEDGER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/ledger",
    "ECS_RELEASE_LEDGER_CREATE": "true",
}
LIES = (
    b"no JSON",
    b'{"onBranch": "yes", "tip": 5, "asOf": null}',
    b'{"unknown": {"reason": "Invented", "message": []}}',
    b'{"padding": "' + b"x" * 2**21 + b'"}',
)


class LyingProxy(ForwardingProxy):
    """Between the operator and the commits service: it hands answers on, unless it is to lie."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._lies: Iterator[bytes] | None = None
        self.told = 0

    @contextmanager
    def lying(self) -> Iterator[None]:
        self._lies, self.told = itertools.cycle(LIES), 0
        try:
            yield
        finally:
            self._lies = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self._lies is None:
            return await self.forward(request)
        self.told += 1
        return web.Response(body=next(self._lies), content_type="application/json")


@dataclass
class Graph:
    """A bed whose operator asks a commits service through a proxy, and the git host that this reads."""

    bed: Bed
    host: GitHost
    service: CommitsService
    proxy: LyingProxy

    def neighbour(self, commit: str) -> Place:
        """Another team's place, whose Environment asks nothing; the service `web` runs a commit."""
        other = Place(self.bed)
        other.service(commit)
        other.environment()
        other.project()
        return other


@contextmanager
def running_graph(folder: Path) -> Iterator[Graph]:
    """Run all of them."""
    with ExitStack() as stack:
        host = stack.enter_context(running_host(folder))
        bound = [binding(host, "shop/*", namespaces=("t*",))]
        service = stack.enter_context(CommitsService(folder / "service", bound, {"answerSeconds": 10}))
        proxy = stack.enter_context(LyingProxy(service.address).running())
        address = {
            "ECS_RELEASE_COMMITS_ADDRESS": f"http://127.0.0.1:{proxy.port}", "ECS_RELEASE_COMMITS_TOKEN_FILE": str(service.token_file),
        }  # fmt: skip
        yield Graph(stack.enter_context(running_bed({**FAST, **LEDGER, **address})), host, service, proxy)


@dataclass
class Shop:
    """A place with a repository: `line` are the commits of its branch, and `line[0]` is what the service `web` runs."""

    place: Place
    repository: BareRepository
    line: list[str]
    url: str

    def rules(self, **rules: str) -> None:
        self.place.environment(commits={"branch": "main", **rules}, rollout={"settleSeconds": 0})

    def goes_out(self, commit: str, **spec: Any) -> dict[str, Any]:
        """Release a commit, whose attempt goes on until it is known what it brings: what is not known by its end stays absent."""
        place = self.place
        place.aws.fault("UpdateService", match=place.name, times=None, **THROTTLED)
        place.release(commit, **spec)
        place.until(
            lambda: place.status().get("history", [{}])[0].get("commitRange", {}).get("after") == commit,
            f"what {commit[:7]} brings to be known",
        )
        place.aws.clear_faults(place.name)
        return place.wait("Succeeded")

    def git(self, url: str) -> None:
        self.place.kubectl("patch", "project", "shop", "--type=merge", "--patch", json.dumps({"spec": {"git": {"url": url}}}))

    def build(self, number: int, source: dict[str, Any], kind: str = "release", name: str = "web") -> None:
        """Set the source as the build of a commit does, by a field manager of its own."""
        patch = json.dumps({"spec": {"source": source}})
        self.place.kubectl("patch", kind, name, "--type=merge", f"--field-manager=build-{number}", "--patch", patch)

    def message(self, name: str = "web") -> str:
        return str(condition(self.place.status(name), "Ready").get("message", ""))


@contextmanager
def opened_shop(graph: Graph) -> Iterator[Shop]:
    """Make a place, and a repository of four commits."""
    with graph.bed.cleared():
        place = Place(graph.bed)
        path = f"shop/{place.name}"
        repository = graph.host.repository(path)
        line = repository.line(4)
        place.service(line[0])
        for commit in line[1:]:
            place.push(commit)
        place.project()
        found = Shop(place, repository, line, graph.host.url(path))
        found.git(found.url)
        yield found


def runs(place: Place, digest: str, service: str = "web") -> bool:
    return place.running(service)["app"] == {digest}
