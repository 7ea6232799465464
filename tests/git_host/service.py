"""The commits service as a process of its own, as it runs in production, and its client."""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ecs_release.commits.adapter import HttpCommits
from ecs_release.domain.ports.commits import CommitRange, FullHash, Membership, Relation, Repository, Unknown
from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess
from tests.environment import plain
from tests.git_host.server import GitHost
from tests.waiting import PATIENCE_S

T = TypeVar("T")

TOKEN = "a token of the test's own"
# What would take minutes takes seconds here.
FAST = {"intervalSeconds": 0.5, "answerSeconds": 45, "fetchSeconds": 60, "quickSeconds": 30, "lowSpeedSeconds": 30, "lowSpeedBytes": 100}


class CommitsService:
    """The service, started with a configuration of the test's own."""

    def __init__(
        self, folder: Path, bindings: list[dict[str, Any]], limits: Mapping[str, Any] | None = None, cache: Mapping[str, Any] | None = None
    ) -> None:
        """`limits` and `cache` are as in the configuration, beside what makes it fast."""
        folder.mkdir(parents=True, exist_ok=True)
        self.token_file = folder / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        self.cache = folder / "cache"
        self.port, self.metrics_port = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self.config = folder / "config.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "host": "127.0.0.1", "port": self.port, "metricsPort": self.metrics_port, "tokenFile": str(self.token_file),
                    "cache": {"folder": str(self.cache), **(cache or {})}, "limits": {**FAST, **(limits or {})}, "bindings": bindings,
                }
            )
        )  # fmt: skip
        self._process: ChildProcess | None = None

    def __enter__(self) -> CommitsService:
        """Start it, and wait until it answers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
        release_port(self.port)
        release_port(self.metrics_port)

    @property
    def process(self) -> ChildProcess:
        """The process itself."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "ecs_release.commits_service.main", "--config", str(self.config), "--log-format", "text"]
        self._process = ChildProcess("commits service", command, self.log, plain())
        self._process.wait_until(self._healthy, PATIENCE_S)

    def stop(self) -> int | None:
        """Ask it to end; returns its exit code."""
        return self.process.stop(20)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def metrics(self) -> str:
        """Scrape its metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def post(self, question: str, body: bytes, token: str = TOKEN) -> tuple[int, str]:
        """Send anything; returns the status and the body."""
        request = urllib.request.Request(f"{self.address}/v1/{question}", data=body, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ask(self, namespace: str, url: str, branch: str = "main") -> Asked:
        """Return the questions about a repository, by the operator's own client."""
        return Asked(HttpCommits(self.address, self.token_file), Repository(namespace, url, branch))


class Asked:
    """Questions about one repository, each by a connection of its own."""

    def __init__(self, client: HttpCommits, repository: Repository) -> None:
        """The client is closed after each question."""
        self._client = client
        self._repository = repository

    def relation(self, a: str, b: str) -> Relation | Unknown:
        """Ask how A stands to B."""
        return self._run(self._client.relation(self._repository, a, b))

    def membership(self, a: str, max_age_s: float = 0) -> Membership | Unknown:
        """Ask whether A is on the branch now."""
        return self._run(self._client.membership(self._repository, a, max_age_s))

    def between(self, a: str, b: str) -> CommitRange | Unknown:
        """Ask what B has and A has not."""
        return self._run(self._client.between(self._repository, a, b))

    def full_hash(self, abbreviated: str, max_age_s: float = 0) -> FullHash | Unknown:
        """Ask what a hash is short for."""
        return self._run(self._client.full_hash(self._repository, abbreviated, max_age_s))

    def _run(self, question: Coroutine[Any, Any, T]) -> T:
        async def asked() -> T:
            try:
                return await question
            finally:
                await self._client.close()

        return asyncio.run(asked())


def binding(host: GitHost, *repositories: str, namespaces: tuple[str, ...] = ("shop",), **more: Any) -> dict[str, Any]:
    """Bind repositories of a host to namespaces."""
    return {"hosts": [host.host], "repositories": list(repositories), "namespaces": list(namespaces), "caFile": str(host.ca_file), **more}


def credential(folder: Path, name: str, username: str, password: str) -> dict[str, str]:
    """Write a password into a file; returns the credential of a binding."""
    path = folder / name
    path.write_text(f"{password}\n")
    return {"username": username, "passwordFile": str(path)}
