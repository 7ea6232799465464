"""At rest no sink is called: neither by 5,000 Releases that nothing happens to, nor by the passes over them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.store.store import Store
from tests.builders import recorder as recorders
from tests.builders.fake_ledger import FakeLedger
from tests.builders.objects import environment_object, release_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

RELEASES, ENVIRONMENTS = 5000, 50
TEN_MINUTES_S, MINUTE_S = 600, 60


class CountingSink:
    """A sink, and the adapter that makes it."""

    def __init__(self) -> None:
        self.calls = 0

    def sink(self, *_: object) -> CountingSink:
        return self

    async def send(self, notifications: Any) -> int:
        self.calls += 1
        return len(notifications)


@pytest.mark.parametrize("had_a_sink", [True, False], ids=["after a restart", "with new sinks"])
def test_releases_at_rest_call_no_sink_of_notifications(*, had_a_sink: bool) -> None:
    sink, reads = CountingSink(), 0

    async def main() -> None:
        clock, store = SimulatedClock(), Store()
        now = clock.now()
        times = {"startTime": to_time(now - timedelta(hours=2)), "completionTime": to_time(now - timedelta(hours=1))}
        history = [{"attemptID": "a", "cause": "Requested", "outcome": "Succeeded", **times}]
        objects: dict[ObjectKey, Mapping[str, Any]] = {}
        for n in range(ENVIRONMENTS):
            arn = f"arn:aws:sns:eu-west-1:111122223333:t{n}"
            notified = {"notifiedTime": to_time(now - timedelta(minutes=10))} if had_a_sink else {}
            objects[ObjectKey(ENVIRONMENT, "", f"e{n}")] = environment_object(f"e{n}", notify={"snsTopicARN": arn}) | {"status": notified}
        for n in range(RELEASES):
            spec = {"environmentRef": {"name": f"e{n % ENVIRONMENTS}"}, "status": {"history": history}}
            objects[ObjectKey(RELEASE, "shop", f"r{n}")] = release_object(f"r{n}", **spec)

        class Cluster:
            async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
                nonlocal reads
                reads += 1
                return objects.get(key)

        notifier = Notifier(store, Cluster(), sink, clock, "default", lambda _: None)  # type: ignore[arg-type]
        store.on_transition = notifier.on_transition
        for key, body in objects.items():
            store.changed(key.kind, body)
        notifier.keep(e for e in store.environments.values() if isinstance(e, Environment))
        for _ in range(TEN_MINUTES_S // MINUTE_S):
            await asyncio.sleep(MINUTE_S)
            for n in range(ENVIRONMENTS):
                assert notifier.notified_time(f"e{n}") is not None
        # What the watch tells again is no news.
        for key, body in objects.items():
            store.changed(key.kind, body)
        await asyncio.sleep(MINUTE_S)
        notifier.keep(())

    run_simulated(main())
    assert sink.calls == 0
    assert reads == ENVIRONMENTS, "each Environment's status, once: nothing has happened since"


@pytest.mark.slow
def test_releases_at_rest_call_no_ledger() -> None:
    ledger = FakeLedger()

    async def main() -> None:
        async with recorders.Process(ledger) as process:
            names = [f"r{n}" for n in range(RELEASES)]
            for name in names:
                process.says(name, process.attempt(1, "Succeeded"))
            await recorders.settle(process)
            written = ledger.records
            assert len(ledger.entries) == 2 * RELEASES <= written
            for name in names:
                process.one_pass(name)
            await asyncio.sleep(TEN_MINUTES_S)
            assert ledger.records == written

    run_simulated(main())
