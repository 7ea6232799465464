"""A board on a real API server, behind a login that the tests play: objects, viewers with rights of their own, and the board as a process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from ecs_release.api.names import GROUP, PLURALS
from tests.aws_simulator.client import Simulator
from tests.board_process import BoardProcess
from tests.chart.helm import BOARD, render
from tests.control_plane.control_plane import Cluster
from tests.proof import usage
from tests.unit.cli.kubectl.objects import environment, release
from tests.waiting import PATIENCE_S, until

RELEASES, ENVIRONMENTS = "releases.ecs-release.dev", "environments.ecs-release.dev"
ACCOUNT = "ecs-release-operator-board"
_OF_ACCOUNTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_RIGHTS_S = 60.0


class BoardBed:
    """The board and its cluster."""

    def __init__(self, cluster: Cluster, process: BoardProcess) -> None:
        self.cluster = cluster
        self.process = process
        self.environments: set[str] = set()

    def put(self, namespace: str, body: dict[str, Any]) -> None:
        """Write a Release, ReleaseSet or Project with its status, as the operator would."""
        meta = body["metadata"]
        kept = {name: meta[name] for name in ("labels", "annotations") if meta.get(name)}
        spec = {k: v for k, v in body["spec"].items() if v is not None}
        self.cluster.apply(
            {
                "apiVersion": body["apiVersion"],
                "kind": body["kind"],
                "metadata": {"name": meta["name"], "namespace": namespace, **kept},
                "spec": spec,
            }
        )
        status = json.dumps({"status": body["status"]})
        plural = f"{PLURALS[body['kind']]}.{GROUP}"
        self.cluster.kubectl("patch", plural, meta["name"], "-n", namespace, "--subresource=status", "--type=merge", "-p", status)

    def observe(self, name: str) -> None:
        """Write an Environment that was observed just now."""
        body = environment(name)
        self.environments.add(name)
        self.cluster.apply({"apiVersion": body["apiVersion"], "kind": "Environment", "metadata": {"name": name}, "spec": body["spec"]})
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        status = json.dumps({"status": {"lastSweepTime": now}})
        self.cluster.kubectl("patch", ENVIRONMENTS, name, "--subresource=status", "--type=merge", "-p", status)

    def allow(self, namespace: str, user: str) -> None:
        """Let somebody get the Releases of a namespace."""
        self.cluster.kubectl("create", "role", f"{user}-sees", "-n", namespace, "--verb=get", f"--resource={RELEASES}")
        self.cluster.kubectl("create", "rolebinding", f"{user}-sees", "-n", namespace, f"--role={user}-sees", f"--user={user}")

    def forbid(self, namespace: str, user: str) -> None:
        """Take that right away."""
        self.cluster.kubectl("delete", "rolebinding", f"{user}-sees", "-n", namespace)


class Visitor:
    """Somebody behind the login."""

    def __init__(self, bed: BoardBed, session: aiohttp.ClientSession, user: str) -> None:
        self.bed, self.session, self.headers = bed, session, {"X-Forwarded-User": user}
        self.streamed = ""

    async def get(self, path: str = "/") -> str:
        async with self.session.get(self.bed.process.address + path, headers=self.headers) as answer:
            return await answer.text()

    async def sees(self) -> list[str]:
        """The services that JSON has."""
        return [f"{s['namespace']}/{s['service']}" for s in json.loads(await self.get("/?format=json"))["services"]]

    async def until_sees(self, expected: list[str], timeout_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(timeout_s):
            while await self.sees() != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[asyncio.Task[None]]:
        """Keep what the stream sends; the task ends with the stream."""

        async def read() -> None:
            position = (await self.get()).partition('data-position="')[2].partition('"')[0]
            timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
            url = f"{self.bed.process.address}/events?at={position}"
            async with self.session.get(url, headers=self.headers, timeout=timeout) as answer:
                async for chunk in answer.content.iter_any():
                    self.streamed += chunk.decode()

        task = asyncio.create_task(read())
        try:
            await until(lambda: "event: state" in self.streamed)
            yield task
        finally:
            task.cancel()


@contextmanager
def board_bed(
    cluster: Cluster,
    settings: Mapping[str, str] | None = None,
    aws: Simulator | None = None,
    through: Callable[[Path], Path] = lambda kubeconfig: kubeconfig,
) -> Iterator[BoardBed]:
    """Run the board with the account and the rights that the chart gives it.

    `settings` are more of its own; `aws` has its ledger; `through` returns a KUBECONFIG that leads by way of something else.
    """
    kubeconfig = account(cluster, BOARD, ACCOUNT)
    of_aws = aws.environment() if aws is not None else {}
    with BoardProcess(through(kubeconfig), {"ECS_RELEASE_BOARD_LOGIN": "headers", **of_aws, **(settings or {})}) as process:
        bed = BoardBed(cluster, process)
        yield bed
    # They are of no namespace, and other tests have Environments of these names.
    for name in sorted(bed.environments):
        cluster.kubectl("delete", ENVIRONMENTS, name)
    usage.write_board(cluster, aws, kubeconfig)


def account(cluster: Cluster, values: Mapping[str, Any], name: str) -> Path:
    """Make the board's account, with the rights that the chart gives it, and return its KUBECONFIG."""
    cluster.kubectl("create", "namespace", "ecs-release", check=False)
    # Roles of several namespaces have the same name.
    its = [o for o in yaml.safe_load_all(render(values)) if o and o["kind"] in _OF_ACCOUNTS and o["metadata"]["name"] == name]
    cluster.apply(*its)
    # Until RBAC has taken it in, a request is refused as one without a right is.
    until_s = time.monotonic() + _RIGHTS_S
    for scope in [["-n", o["metadata"]["namespace"]] for o in its if o["kind"] == "RoleBinding"] or [["-A"]]:
        while not cluster.can(f"system:serviceaccount:ecs-release:{name}", "watch", RELEASES, *scope):
            assert time.monotonic() < until_s, "the board has not got its rights"
    return cluster.service_account_kubeconfig("ecs-release", name)


def running(service: str, letter: str, **more: Any) -> dict[str, Any]:
    """A Release that wants and runs a digest, and is Ready unless `more` says otherwise."""
    return release(service, wanted=letter, **more)


def of_commit(service: str, commit: str, letter: str, **more: Any) -> dict[str, Any]:
    """A Release whose images of digest `letter` are of a commit."""
    text = json.dumps(running(service, letter, **more)).replace(f'"{letter * 7}"', f'"{commit}"')
    return dict(json.loads(text.replace(f"ref.{letter * 7}", f"ref.{commit}")))
