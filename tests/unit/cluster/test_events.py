"""Events of many namespaces: none keeps those of another waiting, or has them dropped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.cluster import events
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.model.api_paths import ApiPath
from ecs_release.domain.ports.protocols import EventNote, ObjectKey
from tests.builders.simulated_time import run_simulated


class Server:
    """Takes every Event, and notes of which namespace it is, and when."""

    def __init__(self) -> None:
        self.posted: list[tuple[float, str]] = []

    async def request(self, method: str, path: ApiPath, *, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.posted.append((asyncio.get_running_loop().time(), body["metadata"]["namespace"]))
        return {}

    def of(self, namespace: str) -> list[float]:
        return [at for at, of in self.posted if of == namespace]


def happen(recorder: EventRecorder, namespace: str, count: int) -> None:
    for number in range(count):
        recorder.record(ObjectKey(RELEASE, namespace, f"r{number}"), "uid", EventNote("Normal", "Ready", "Reconcile", "fine"))


def test_a_namespace_with_many_events_holds_up_no_other() -> None:
    async def main() -> None:
        server = Server()
        recorder = EventRecorder(server, "pod-1")  # type: ignore[arg-type]
        task = asyncio.create_task(recorder.run())
        happen(recorder, "noisy", 5000)
        await asyncio.sleep(10)
        begun = asyncio.get_running_loop().time()
        happen(recorder, "quiet", 3)
        await asyncio.sleep(2)
        assert len(server.of("quiet")) == 3
        assert max(server.of("quiet")) - begun < 1
        task.cancel()
        await asyncio.wait([task])
        assert len(server.of("noisy")) + recorder.dropped == 5000

    run_simulated(main())


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_those_of_the_namespace_with_the_most_are_dropped(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_WAITING", most)

    async def main() -> None:
        server = Server()
        recorder = EventRecorder(server, "pod-1")  # type: ignore[arg-type]
        for namespace in "abc":
            happen(recorder, namespace, 5)
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(5)
        happen(recorder, "late", 1)
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.wait([task])
        assert len(server.posted) == most + 1
        assert len(server.posted) + recorder.dropped == 16
        counts = [len(server.of(namespace)) for namespace in "abc"]
        assert max(counts) - min(counts) <= 1
        assert server.of("late")

    run_simulated(main())
