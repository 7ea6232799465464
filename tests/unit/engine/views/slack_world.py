"""A ReleaseSet and a Release of its own in an Environment that is shown in Slack, and what outlives a process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import API_VERSION, LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.store.store import Store
from ecs_release.engine.views.sinks import SLACK
from ecs_release.engine.views.views import Views
from tests.builders.objects import environment_object, project_object, release_object, release_set_object
from tests.builders.simulated_time import SimulatedClock, run_simulated
from tests.builders.views import FakeViewSink, StatusCluster

START = datetime(2026, 1, 1, tzinfo=UTC)
SET = ObjectKey(RELEASE_SET, "shop", "front-prod")
OWNER = {"apiVersion": API_VERSION, "kind": RELEASE_SET, "name": "front-prod", "uid": "uid-front-prod", "controller": True}


def at(seconds: float) -> str:
    return to_time(START + timedelta(seconds=seconds))


class World:
    """A ReleaseSet of web and api, and Release lone, in an Environment that is shown in a channel. `start` begins a new process."""

    def __init__(self, hours: dict[str, Any] | None = None) -> None:
        self.sink, self.cluster, self.clock = FakeViewSink(), StatusCluster(), SimulatedClock()
        rule = {"from": {"name": "staging"}, "overdueAfterSeconds": 7200, **({"workingHours": hours} if hours else {})}
        body = environment_object(notify={"slack": {"credentials": "main", "channel": "C1"}}, promotion=rule)
        self.cluster.put(body | {"status": {"slackSinceTime": at(0)}})
        self.cluster.put(project_object())
        self.cluster.put(release_set_object("front-prod", status={}))
        for name in ("web", "api"):
            meta = {"labels": {LABEL_RELEASE_SET: "front-prod"}, "ownerReferences": [OWNER]}
            self.cluster.put(release_object(name, meta=meta, status={}))
        self.cluster.put(release_object("lone", status={}))
        self.store, self.views = Store(), None  # type: ignore[assignment]
        self.start()

    def start(self) -> None:
        if self.views is not None:
            self.views.stop()
        self.store = Store()
        for key, body in self.cluster.objects.items():
            self.store.changed(key.kind, body)
        self.views: Views = Views(
            self.store, self.cluster, self.clock, "default", (SLACK,), {("slack", "main"): self.sink}, lambda _: None,  # type: ignore[arg-type]
        )  # fmt: skip
        self.store.on_status = self.views.status_changed
        environment = self.store.environments["prod"]
        assert isinstance(environment, Environment)
        self.views.keep([environment])

    def says(self, name: str, promotion: dict[str, Any] | None) -> None:
        """Write what the pass over a Release says of its promotion."""
        self.writes(ObjectKey(RELEASE, "shop", name), promotion=promotion)

    def writes(self, key: ObjectKey, **said: Any) -> None:
        """Write fields of a status, as a pass does."""
        body = self.cluster.objects[key]
        status = {k: v for k, v in {**body.get("status", {}), **said}.items() if v}
        self.store.changed(key.kind, self.cluster.put({**body, "status": status}))

    @property
    def lines(self) -> list[str]:
        return [f"{'> ' if t.below else ''}{t.content['blocks'][0]['text']['text']}" for t in self.sink.things.values()]

    def views_of(self, key: ObjectKey) -> list[dict[str, Any]]:
        return list(self.cluster.objects[key]["status"].get("views") or ())


def run(test: Any, **more: Any) -> None:
    async def main() -> None:
        world = World(**more)
        await test(world)
        world.views.stop()
        await asyncio.sleep(0)

    run_simulated(main())
