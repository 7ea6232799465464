"""An Environment's status: what is said of its sweeps and its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ecs_release.api.environment import EnvironmentStatus
from ecs_release.api.names import ENVIRONMENT, PROJECT
from ecs_release.domain.environments.sharding import shards_of
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Denied, Retryable
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.environments.promotion_summary import PromotionSummary
from ecs_release.engine.environments.status_writer import StatusWriter
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.release_counter import ReleaseCounter
from ecs_release.engine.store.store import Store
from tests.builders.fake_observation import ACCESS, FakeServices, service_key
from tests.builders.objects import environment_object, project_object
from tests.builders.recorder import NO_RELEASES
from tests.builders.simulated_time import SimulatedClock, run_simulated
from tests.builders.views import no_views


@dataclass
class OneEnvironment:
    """The API server's part of it."""

    status: dict[str, Any] = field(default_factory=dict)
    writes: int = 0

    async def get(self, _: ObjectKey) -> Mapping[str, Any]:
        spec = {"aws": {"accountID": "111122223333", "region": "eu-west-1"}, "target": {"cluster": "main", "serviceName": "{service}"}}
        return {"metadata": {"name": "prod", "uid": "1", "generation": 1, "resourceVersion": "1"}, "spec": spec, "status": self.status}

    async def write_status(self, _: ObjectKey, status: Mapping[str, Any], **__: Any) -> None:
        self.status, self.writes = dict(status), self.writes + 1

    async def has_policy(self, *_: str) -> bool:
        return True

    def said(self) -> tuple[str, str]:
        found = find(EnvironmentStatus.model_validate(self.status).conditions, "Observed")
        assert found is not None
        return found.status, found.reason


def test_sweeps_that_stall_show_without_anybody_asking() -> None:
    """DescribeServices hangs: no sweep wakes the Environment, it comes by itself. It says so once, and once that it is over."""
    aws, cluster = FakeServices(), OneEnvironment()

    async def main() -> None:
        clock = SimulatedClock()
        due = asyncio.Event()
        observer = Observer("prod", aws, clock, EngineSettings(), changed=lambda _: None, swept=lambda _: due.set())  # type: ignore[arg-type]
        observer.set_targets(ACCESS, {service_key(n): ACCESS for n in range(3)})
        store = Store()
        notifier = Notifier(store, cluster, aws, clock, "default", lambda _: None)  # type: ignore[arg-type]
        recorder = Recorder(None, NO_RELEASES, clock, lambda _key, _s: None, lambda: None)
        writer = StatusWriter(
            store, cluster, clock, EngineSettings(), lambda _: observer, lambda _: None, notifier, recorder,  # type: ignore[arg-type]
            lambda _: None, PromotionSummary(store, ReleaseCounter()), no_views(store, cluster, clock),
        )  # fmt: skip

        async def passes() -> None:
            """The queue's part: a pass when a sweep is told of, or when the last pass asked for the next."""
            again: float | None = None
            while True:
                try:
                    await asyncio.wait_for(due.wait(), again)
                except TimeoutError:
                    pass
                due.clear()
                again = await writer.environment(ObjectKey("Environment", "", "prod"))

        tasks = [asyncio.create_task(observer.run()), asyncio.create_task(passes())]
        await asyncio.sleep(300)
        assert cluster.said() == ("True", "Valid")
        hangs = asyncio.Event()

        async def hang(*_: Any, **__: Any) -> Any:
            await hangs.wait()
            raise Retryable("timeout")

        answers, aws.describe_services, aws.caller = aws.describe_services, hang, hang  # type: ignore[method-assign]
        await asyncio.sleep(120)
        assert cluster.said() == ("True", "Valid")
        await asyncio.sleep(130)
        assert cluster.said() == ("False", "ObservationFailed")
        writes = cluster.writes
        await asyncio.sleep(3600)
        assert cluster.writes == writes, "lastSweepTime stands, the condition too: nothing to write"
        aws.describe_services = answers  # type: ignore[method-assign]
        hangs.set()
        await asyncio.sleep(130)
        assert cluster.said() == ("True", "Valid")
        assert dict(writer.conditions()["prod"])["Observed"] == "True"
        for task in tasks:
            task.cancel()

    run_simulated(main())


def with_queue(name: str, account: str, url: str) -> dict[str, Any]:
    return environment_object(name, aws={"accountID": account, "region": "eu-west-1"}, observation={"eventQueueURL": url})


URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"
SHARDS = shards_of({"prod": ["111122223333"]})


@pytest.mark.parametrize(
    ("others", "problem", "status", "reason", "names"),
    [
        ({}, None, "True", "Valid", ""),
        ({"same": ("111122223333", URL), "elsewhere": ("444455556666", f"{URL}-2")}, None, "True", "Valid", ""),
        ({"stage": ("444455556666", URL), "dev": ("777788889999", URL)}, None, "False", "QueueShared", "dev, stage"),
        ({"stage": ("444455556666", URL)}, Denied("no"), "False", "AccessDenied", ""),
    ],
    ids=["alone", "of one shard", "of others", "not readable at all"],
)
def test_a_queue_that_another_shard_reads_is_said(
    others: dict[str, tuple[str, str]], problem: Denied | None, status: str, reason: str, names: str
) -> None:
    """SQS gives a message to one reader: the other shard's operator deletes what was meant for this one."""
    store, body = Store(), with_queue("mine", "111122223333", URL)
    for name, (account, url) in others.items():
        store.changed(ENVIRONMENT, with_queue(name, account, url))
    store.changed(ENVIRONMENT, body)
    written: dict[str, Any] = {}

    class OneEnvironment:
        async def get(self, _: ObjectKey) -> Any:
            return {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}

        async def write_status(self, _: ObjectKey, said: Mapping[str, Any], **__: Any) -> None:
            written.update(said)

        async def has_policy(self, *_: str) -> bool:
            return True

    async def main() -> None:
        clock, cluster, settings = SimulatedClock(), OneEnvironment(), EngineSettings(shard="prod", shards=SHARDS)
        notifier = Notifier(store, cluster, None, clock, "default", lambda _: None)  # type: ignore[arg-type]
        recorder = Recorder(None, NO_RELEASES, clock, lambda _key, _s: None, lambda: None)
        statuses = StatusWriter(
            store, cluster, clock, settings, lambda _: None, lambda _: problem, notifier, recorder,  # type: ignore[arg-type]
            lambda _: None, PromotionSummary(store, ReleaseCounter()), no_views(store, cluster, clock),
        )  # fmt: skip
        await statuses.environment(ObjectKey(ENVIRONMENT, "", "mine"))

    run_simulated(main())
    found = find(EnvironmentStatus.model_validate(written).conditions, "EventsReceived")
    assert found is not None
    assert (found.status, found.reason) == (status, reason)
    assert names in found.message


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (
            ENVIRONMENT,
            environment_object(windows=[{"name": "w", "kind": "Deny", "startTime": "0000-01-01T00:00:00Z"}]),
            "windows.0.startTime",
        ),
        (
            ENVIRONMENT,
            environment_object(windows=[{"name": "w", "kind": "Deny", "endTime": "9999-12-31T23:59:59-23:59"}]),
            "windows.0.endTime",
        ),
        (PROJECT, project_object() | {"spec": {}}, "serviceSets"),
    ],
    ids=["the year 0", "the end of 9999", "a Project"],
)
@pytest.mark.parametrize(
    "status", [{}, {"observedGeneration": "x"}, {"releases": {"total": 3}, "services": 3}], ids=["none", "odd", "some"]
)
def test_what_cannot_be_read_says_so_once(kind: str, body: dict[str, Any], field: str, status: dict[str, Any]) -> None:
    """Older API servers, and rules that came later, have let in what this version does not read."""
    written: list[dict[str, Any]] = []
    key = ObjectKey(kind, body["metadata"].get("namespace", ""), body["metadata"]["name"])

    class OneObject:
        async def get(self, _: ObjectKey) -> Any:
            meta = {**body["metadata"], "generation": 4, "resourceVersion": "1"}
            return {**body, "metadata": meta, "status": written[-1] if written else status}

        async def write_status(self, _: ObjectKey, said: Mapping[str, Any], **__: Any) -> None:
            written.append(dict(said))

    async def main() -> None:
        clock, cluster, store = SimulatedClock(), OneObject(), Store()
        store.changed(kind, body)
        notifier = Notifier(store, cluster, None, clock, "default", lambda _: None)  # type: ignore[arg-type]
        recorder = Recorder(None, NO_RELEASES, clock, lambda _key, _s: None, lambda: None)
        writer = StatusWriter(
            store, cluster, clock, EngineSettings(), lambda _: None, lambda _: None, notifier, recorder,  # type: ignore[arg-type]
            lambda _: None, PromotionSummary(store, ReleaseCounter()), no_views(store, cluster, clock),
        )  # fmt: skip
        for _ in range(2):
            assert await (writer.environment(key) if kind == ENVIRONMENT else writer.project(key)) is None

    run_simulated(main())
    (said,) = written
    assert said["observedGeneration"] == 4 and set(said) == {"observedGeneration", "conditions"}
    conditions = {c["type"]: c for c in said["conditions"]}
    assert {name: c["status"] for name, c in conditions.items()} == {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
    assert conditions["Stalled"]["reason"] == "InvalidSpec"
    assert "cannot be read by this version" in conditions["Stalled"]["message"] and conditions["Stalled"]["message"].endswith(field)
