"""Whatever specs, statuses and metadata say: requests go to objects that are there, and name nothing else."""

from __future__ import annotations

import asyncio
import copy
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ecs_release.api.names import RELEASE
from ecs_release.app import SystemClock
from ecs_release.cluster.adapter import KubernetesCluster
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.engine import Engine
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders import ecs
from tests.builders.hostile_objects import SAMPLES, hostile_objects
from tests.builders.kubeconfig import write_kubeconfig
from tests.builders.recording_server import RecordingServer, path_of, recording_server
from tests.waiting import until

_NAMES_IN_AWS = re.compile(r"[a-zA-Z0-9_.:/@{}-]{0,300}")
_QUERY = {"fieldManager": "ecs-release.dev/operator", "force": "true"}


@dataclass
class RecordingAws:
    """Services that run an image, repositories that have every image, and whatever text the operator has sent to either."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        def same(*arguments: Any) -> Any:
            self._record(name, arguments)
            return self

        async def answer(*arguments: Any, **named: Any) -> Any:
            self.asked[name] += 1
            if name != "send":
                # Notifications hold texts of people, as JSON.
                self._record(name, (arguments, named))
            if name == "caller":
                return "arn:aws:sts::111122223333:assumed-role/r/operator"
            if name == "describe_services":
                deployment = ecs.deployment(1)
                services = {s: ecs.service(deployment, tasks=(ecs.task(1),), name=s) for s in arguments[1]}
                return ServicesAnswer(services, SystemClock().now())
            if name == "image":
                return RegistryImage(ecs.NEW, (named.get("tag", ""),))
            if name == "describe_task_definition":
                return ecs.task_definition(1)
            if name in ("list_tasks", "newest_task_definitions", "receive"):
                await asyncio.sleep(0.1)
                return []
            raise Retryable(f"{name} does not answer")

        return same if name in ("ecs", "registry", "event_queue", "sink") else answer

    def _record(self, call: str, said: Any) -> None:
        if isinstance(said, str):
            self.sent.append((call, said))
        elif isinstance(said, dict):
            for one in said.items():
                self._record(call, one)
        elif isinstance(said, list | tuple | set | frozenset):
            for one in said:
                self._record(call, one)
        elif hasattr(said, "__slots__") and not isinstance(said, type):
            for name in said.__slots__:
                self._record(call, getattr(said, name, None))


async def test_requests_name_only_what_is_there(tmp_path: Path) -> None:
    aws = RecordingAws()
    async with recording_server() as remote:
        bodies = _objects(remote)
        server = await ApiServer.connect(str(write_kubeconfig(tmp_path / "config", remote.url, {"token": "one"})), "test")
        recorder = EventRecorder(server, "test")
        engine = Engine(KubernetesCluster(server, recorder), aws, SystemClock(), EngineSettings(retry_interval_s=3600))  # type: ignore[arg-type]
        leading = asyncio.Event()
        running = [asyncio.create_task(engine.run(leading)), asyncio.create_task(recorder.run())]
        try:
            for body in bodies:
                engine.changed(body["kind"], copy.deepcopy(body))
                await asyncio.sleep(0)
            leading.set()
            waiting = list(bodies)
            await until(lambda: _are_looked_at(remote, waiting) and all(_is_looked_at(remote, body) for body in bodies), 600)
            await until(lambda: aws.asked.keys() >= {"describe_services", "describe_task_definition", "image"}, 600)
            assert not any(task.done() for task in running), "nothing of this ends the engine"
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await server.close()
        odd = [request for request in remote.requests if not _is_expected(remote, *request)]
        assert odd == []
        assert [(call, text[:100]) for call, text in aws.sent if not _NAMES_IN_AWS.fullmatch(text)] == []


def _objects(remote: RecordingServer) -> list[dict[str, Any]]:
    """Return the hostile objects, each in a namespace of its own with what it is about: a Project, or a Release of it."""
    environment = _sample("Environment", "storage-prod")
    del environment["spec"]["suspend"]
    environment["spec"] |= {
        "allowedNamespaces": {"selector": {}},
        "target": {"cluster": "storage-prod", "serviceName": "{namespace}_{service}"},
    }
    found = [environment]
    for number, (_, body) in enumerate(hostile_objects()):
        namespace, name = f"n{number}", body["metadata"]["name"]
        project, release = _sample("Project", "storage", namespace), _sample(RELEASE, "bag-register", namespace)
        for service in project["spec"]["serviceSets"][0]["services"]:
            service.pop("targets", None)
        if body["kind"] != "Environment":
            body["metadata"]["namespace"] = namespace
        if body["kind"] in ("Project", "Environment"):
            release["spec"]["projectRef" if body["kind"] == "Project" else "environmentRef"] = {"name": name}
        found += [
            body,
            *([release] if body["kind"] in ("Project", "Environment") else ()),
            *([project] if body["kind"] != "Project" else ()),
        ]
    for body in found:
        remote.add(copy.deepcopy(body))
    return found


def _sample(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    made = copy.deepcopy(SAMPLES[kind])
    meta = {"name": name, "uid": f"uid-{namespace}-{name}", "resourceVersion": "1", "generation": 1}
    return made | {"metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z"} | ({"namespace": namespace} if namespace else {})}


_OTHERS = (
    ("GET", r"/api/v1/namespaces/n[0-9]+", frozenset()),
    ("POST", r"/apis/events\.k8s\.io/v1/namespaces/(n[0-9]+|default)/events", frozenset()),
    ("GET", r"/apis/admissionregistration\.k8s\.io/v1/[a-z]+/ecs-release-applied-by(-is-true)?", frozenset()),
    ("GET", r"/apis/ecs-release\.dev/v1alpha1/[a-z]+", frozenset({"limit"})),
    ("GET", r"/apis/ecs-release\.dev/v1alpha1/namespaces/n[0-9]+/releases", frozenset({"limit", "labelSelector"})),
    ("POST", r"/apis/ecs-release\.dev/v1alpha1/namespaces/n[0-9]+/releases", frozenset({"fieldManager"})),
)
"""Method, path and parameters of requests that are for no object by its name."""


def _is_expected(remote: RecordingServer, method: str, path: str, query: str) -> bool:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if path in remote.objects:
        return method == "GET" and not query
    if path.endswith("/status") and path.removesuffix("/status") in remote.objects:
        return method == "PATCH" and asked == _QUERY
    return any(method == its_method and re.fullmatch(its_path, path) and asked.keys() == keys for its_method, its_path, keys in _OTHERS)


def _are_looked_at(remote: RecordingServer, waiting: list[dict[str, Any]]) -> bool:
    """Return whether a pass has looked at each; those that it has are waited for no more: to ask for all of them again takes long."""
    while waiting and _is_looked_at(remote, waiting[-1]):
        waiting.pop()
    return not waiting


def _is_looked_at(remote: RecordingServer, body: dict[str, Any]) -> bool:
    """Return whether a pass has looked at an object. One without a status says by now how it stands."""
    path = path_of(body)
    return path in remote.read and _says_something(body, remote.objects[path])


def _says_something(before: dict[str, Any], now: dict[str, Any]) -> bool:
    conditions = (now.get("status") or {}).get("conditions") or ()
    return "status" in before or any(c["type"] == "Ready" and c["reason"] for c in conditions)
