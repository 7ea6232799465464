"""An engine that knows a neighbour's Release, and as many of one tenant as is asked for: what an event costs, in instructions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import API_VERSION, ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.engine import Engine
from ecs_release.engine.observation.event_router import EventRouter
from ecs_release.engine.observation.family_index import FamilyIndex
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import deployment, service
from tests.builders.fake_outside import Nothing
from tests.builders.objects import ACCOUNT, REGION, environment_object, metadata, release_object
from tests.builders.simulated_time import SimulatedClock

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"
TENANT, NEIGHBOUR, STRANGER = "tenant", "neighbour", "stranger"
SERVICES = 50
"""Of a Project; a tenant has as many Projects as that takes."""


@dataclass
class Outside(Nothing):
    """A cluster in which each namespace but the stranger's has the label that the Environment wants."""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        return {} if namespace == STRANGER else {"team": "yes"}


@dataclass
class TenantFleet:
    """Environment prod admits by label. The tenant's Releases go to a service each, or all to one (`one_service`)."""

    releases: int
    namespace: str = TENANT
    one_service: bool = False
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        outside = Outside()
        self.engine = Engine(outside, outside, SimulatedClock(), EngineSettings())  # type: ignore[arg-type]
        spec = {"allowedNamespaces": {"selector": {"matchLabels": {"team": "yes"}}}, "observation": {"eventQueueURL": QUEUE}}
        target = {"cluster": "prod", "serviceName": "{namespace}-{project}-{service}"}
        self.engine.changed(ENVIRONMENT, environment_object(**spec, target=target))
        for number in range(0, max(self.releases, SERVICES), SERVICES):
            self.engine.changed(PROJECT, project(self.namespace, f"p{number // SERVICES}"))
        self.engine.changed(PROJECT, project(NEIGHBOUR, "p0"))
        for number in range(self.releases):
            self.engine.changed(RELEASE, self.release(number))
        for number in range(0, self.releases, SERVICES):
            self.engine.changed(RELEASE_SET, release_set(self.namespace, f"set-{number}", f"p{number // SERVICES}"))
        self.engine.changed(RELEASE_SET, release_set(NEIGHBOUR, "set-0", "p0"))
        self.engine.changed(RELEASE, neighbour())

    def release(self, number: int, phase: str = "Ready") -> dict[str, Any]:
        at = 0 if self.one_service else number
        created = datetime(2026, 1, 1) + timedelta(seconds=number)
        return release_object(
            f"r{number}", namespace=self.namespace, service=f"s{at % SERVICES}", projectRef={"name": f"p{at // SERVICES}"},
            meta={"creationTimestamp": f"{created.isoformat()}Z", "uid": f"{self.namespace}-{number}"}, status={"phase": phase},
        )  # fmt: skip

    async def ready(self) -> None:
        """Act, as the active replica does once all is known."""
        list(self.engine._scope.begin())
        self.engine.synced.set()
        references = self.engine._reconciler._gatherer.references
        await references.read_unknown({self.namespace, NEIGHBOUR})

    # What happens.

    async def neighbour_changes(self) -> None:
        self.engine.changed(RELEASE, neighbour("Waiting"))

    async def tenant_changes(self) -> None:
        self.engine.changed(RELEASE, self.release(0, "Waiting"))

    async def neighbour_is_made_again(self) -> None:
        self.engine.deleted(RELEASE, NEIGHBOUR, "web", "neighbour")
        self.engine.changed(RELEASE, neighbour())

    async def tenant_makes_one_again(self) -> None:
        self.engine.deleted(RELEASE, self.namespace, "r0", f"{self.namespace}-0")
        self.engine.changed(RELEASE, self.release(0))

    async def neighbour_is_placed(self) -> None:
        """Find the target and the claims, as each pass does."""
        references, store = self.engine._reconciler._gatherer.references, self.engine.store
        place, owner = store.environments["prod"], store.project(NEIGHBOUR, "p0")
        assert isinstance(place, Environment) and isinstance(owner, Project)
        target = await references.target(place, owner, "s0", NEIGHBOUR)
        assert await references.contenders(target.key, ObjectKey(RELEASE, NEIGHBOUR, "web"))

    async def tenant_is_placed(self) -> None:
        references, store = self.engine._reconciler._gatherer.references, self.engine.store
        place, owner = store.environments["prod"], store.project(self.namespace, "p0")
        assert isinstance(place, Environment) and isinstance(owner, Project)
        with suppress(Blocked):
            target = await references.target(place, owner, "s0", self.namespace)
            await references.contenders(target.key, ObjectKey(RELEASE, self.namespace, "r1"))

    async def releases_are_counted(self) -> None:
        assert self.engine._count("prod") is not None

    async def project_of_the_neighbour_changes(self) -> None:
        changed = project(NEIGHBOUR, "p0")
        changed["metadata"]["generation"] = self.engine.store._generations[ObjectKey(PROJECT, NEIGHBOUR, "p0")][1] + 1
        self.engine.changed(PROJECT, changed)

    async def image_is_pushed(self) -> None:
        pool = self.engine._observers
        router = EventRouter(self.engine.store, self.engine.claims, pool.get, lambda _: None, lambda *_: None)
        router._reread_repository("prod", f"{NEIGHBOUR}/p0-s0")

    async def next_is_taken(self) -> None:
        queue = self.engine.queue
        queue.add(ObjectKey(RELEASE, NEIGHBOUR, "web"))
        key = queue._take(32)
        assert key is not None
        del queue._working[key]
        queue.add(key)


EVENTS: dict[str, Callable[[TenantFleet], Awaitable[None]]] = {
    "a neighbour's Release changes": TenantFleet.neighbour_changes,
    "a Release of the tenant changes": TenantFleet.tenant_changes,
    "a neighbour's Release is deleted and made again": TenantFleet.neighbour_is_made_again,
    "a Release of the tenant is deleted and made again": TenantFleet.tenant_makes_one_again,
    "target and claims of a neighbour's Release": TenantFleet.neighbour_is_placed,
    "target and claims of a Release of the tenant": TenantFleet.tenant_is_placed,
    "the counts of the Environment": TenantFleet.releases_are_counted,
    "a neighbour's Project changes": TenantFleet.project_of_the_neighbour_changes,
    "an image of a neighbour is pushed": TenantFleet.image_is_pushed,
    "the next key is taken from the queue": TenantFleet.next_is_taken,
}


def project(namespace: str, name: str) -> dict[str, Any]:
    services = [
        {"name": f"s{n}", "containers": [{"name": "app", "repository": f"{namespace}/{name}-s{n}"}]} for n in range(SERVICES)
    ]  # fmt: skip
    spec = {"serviceSets": [{"name": "front", "services": services}]}
    return {"apiVersion": API_VERSION, "kind": PROJECT, "metadata": metadata(name, namespace, uid=f"{namespace}-{name}"), "spec": spec}


def release_set(namespace: str, name: str, its_project: str) -> dict[str, Any]:
    spec = {"projectRef": {"name": its_project}, "serviceSet": "front", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "v1"}}
    return {"apiVersion": API_VERSION, "kind": RELEASE_SET, "metadata": metadata(name, namespace, uid=f"{namespace}-{name}"), "spec": spec}


def neighbour(phase: str = "Ready") -> dict[str, Any]:
    return release_object(
        "web", namespace=NEIGHBOUR, service="s0", projectRef={"name": "p0"}, meta={"uid": "neighbour"}, status={"phase": phase}
    )  # fmt: skip


def family_index(services: int) -> FamilyIndex:
    """An index of services that each run a family of their own."""
    index = FamilyIndex()
    for number in range(services):
        key = ServiceKey(ACCOUNT, REGION, "prod", f"s{number}")
        index.put(key, service(deployment(1), task_definition=f"arn:aws:ecs:::task-definition/f{number}:1"))
    return index


async def instructions(action: Callable[[], Awaitable[None]]) -> int:
    """Count the interpreter's instructions that an action takes: unlike time, they are the same on each machine and under any load."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await action()
    finally:
        sys.settrace(before)
    await asyncio.sleep(0)
    return count
