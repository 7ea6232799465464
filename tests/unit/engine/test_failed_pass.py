"""A pass that fails says so in the status, and leaves the rest of it as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.names import RELEASE
from ecs_release.domain.model.conditions import progressing, stalled
from ecs_release.domain.model.errors import Conflict, Problem
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.engine import Engine
from ecs_release.engine.failed_pass import FailureReporter, with_situation
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.fake_outside import Nothing
from tests.builders.objects import environment_object, project_object, release_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = ObjectKey(RELEASE, "shop", "web")
READY = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
DEPLOYED = {"type": "Deployed", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def test_only_the_conditions_of_kstatus_are_others() -> None:
    before = {"history": [{"attemptID": "a"}], "conditions": [READY, DEPLOYED, "odd"], "phase": "Ready"}

    after = with_situation(RELEASE, release_object(status=before), stalled(Reason.INVALID_SPEC, "why"), NOW)

    assert after["history"] == before["history"]
    assert after["phase"] == "Failed"
    found = {c["type"]: (c["status"], c["reason"]) for c in after["conditions"]}
    assert found == {
        "Ready": ("False", "InvalidSpec"), "Reconciling": ("False", "InvalidSpec"), "Stalled": ("True", "InvalidSpec"),
        "Deployed": ("True", "Succeeded"),
    }  # fmt: skip
    assert [c["lastTransitionTime"] for c in after["conditions"] if c["type"] == "Ready"] == ["2026-05-04T12:00:00Z"]


def test_a_status_that_stays_keeps_its_time() -> None:
    once = with_situation(RELEASE, release_object(), stalled(Reason.INVALID_SPEC, "why"), NOW)

    again = with_situation(RELEASE, release_object(status=once), stalled(Reason.INVALID_SPEC, "why"), NOW.replace(hour=13))

    assert again == once


class OneObject(Nothing):
    """A cluster that has one object, and counts how often its status is written."""

    def __init__(self, body: dict[str, Any], fault: Exception | None = None) -> None:
        super().__init__()
        self.body, self.fault, self.written = body, fault, 0

    async def get(self, key: Any) -> Any:
        return self.body if key.name == self.body["metadata"]["name"] else None

    async def write_status(self, _: Any, status: Mapping[str, Any], **__: Any) -> Mapping[str, Any]:
        if self.fault:
            raise self.fault
        self.written += 1
        self.body = {**self.body, "status": dict(status)}
        return self.body


async def test_the_same_is_not_written_twice() -> None:
    body = release_object(meta={"resourceVersion": "1"})
    cluster = OneObject(body)
    reporter = FailureReporter(cluster, SimulatedClock())  # type: ignore[arg-type]

    for _ in range(3):
        await reporter.report(KEY, progressing(Reason.PROGRESSING_WITH_RETRY, "why"))

    assert cluster.written == 1


@pytest.mark.parametrize("fault", [Problem("KubernetesError", "no"), Conflict("newer"), TypeError("a defect")])
async def test_what_cannot_be_said_raises_nothing(fault: Exception) -> None:
    cluster = OneObject(release_object(meta={"resourceVersion": "1"}), fault)

    await FailureReporter(cluster, SimulatedClock()).report(KEY, stalled(Reason.INVALID_SPEC, "why"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"environmentRef": {"name": ["prod"]}}, "at spec.environmentRef.name"),
        ({"environmentRef": {"name": "?watch=true&x=1"}}, "at spec.environmentRef.name"),
        ({"projectRef": {"name": "../../victim/projects/shop"}}, "at spec.projectRef.name"),
        ({"service": {"a": "map"}}, "at spec.service"),
    ],
)
def test_an_object_that_cannot_be_read_says_so_and_ends_nothing(spec: dict[str, Any], said: str) -> None:
    outside = OneObject(release_object(meta={"resourceVersion": "1"}, **spec))

    async def main() -> bool:
        engine, leading = Engine(outside, outside, SimulatedClock(), EngineSettings()), asyncio.Event()  # type: ignore[arg-type]
        engine.changed("Environment", environment_object())
        engine.changed("Project", project_object())
        engine.changed(RELEASE, outside.body)
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        await asyncio.sleep(30)
        ended = running.done()
        running.cancel()
        await asyncio.wait([running])
        return ended

    assert not run_simulated(main())
    ready = next(c for c in outside.body["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert said in ready["message"]


def test_a_defect_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = OneObject(release_object(meta={"resourceVersion": "1"}))
    results: list[str] = []

    class Counting:
        def happened(self, *_: Any) -> None:
            pass

        def reconciled(self, kind: str, result: str, seconds: float) -> None:
            results.append(result)

    async def main() -> None:
        engine, leading = Engine(outside, outside, SimulatedClock(), EngineSettings(), Counting()), asyncio.Event()  # type: ignore[arg-type]
        monkeypatch.setattr(engine._reconciler, "_pass", fail)
        engine.changed(RELEASE, outside.body)
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        await asyncio.sleep(5)
        running.cancel()
        await asyncio.wait([running])

    async def fail(*_: Any) -> Any:
        raise KeyError("unforeseen")

    run_simulated(main())
    ready = next(c for c in outside.body["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "ProgressingWithRetry")
    assert "a pass failed, and is made again: KeyError: 'unforeseen'" in ready["message"]
    assert "error" in results
