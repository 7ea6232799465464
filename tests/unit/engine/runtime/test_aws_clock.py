"""One clock for all that is compared with AWS's times: the machine's, corrected by the Date of responses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.aws_clock import AwsClock
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW
from tests.builders.fake_observation import ACCESS, FakeServices, service_key
from tests.builders.simulated_time import SimulatedClock, run_simulated


class Machine:
    """A clock that stands still, off by some seconds."""

    def __init__(self, off_s: float) -> None:
        self.off_s = off_s

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.off_s)

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("what", "off_s", "told", "shown_s"),
    [
        ("as AWS's", 0, [(0, 0)], 0),
        ("the fraction of a second is not told", 0.9, [(0, 0)], 0.9),
        ("it may have been written when the request came", 3, [(0, 2)], 3),
        ("ahead", 600, [(0, 0.2)], 1.2),
        ("behind", -600, [(0, 0.2)], 0),
        ("a better response", 600, [(0, 30), (0, 0)], 1),
        ("a worse one changes nothing", 600, [(0, 0), (0, 30)], 1),
        ("the machine's clock was set meanwhile", 0, [(-600, 0), (0, 0)], 0),
    ],
)
def test_the_clock_is_corrected_into_the_span_that_a_response_tells(
    what: str, off_s: float, told: list[tuple[float, float]], shown_s: float
) -> None:
    clock = AwsClock(Machine(off_s))
    for aws_s, elapsed_s in told:
        clock.told(NOW + timedelta(seconds=aws_s), elapsed_s)
    assert clock.now() - NOW == pytest.approx(timedelta(seconds=shown_s), abs=timedelta(microseconds=1))


class TrueTime(FakeServices):
    """ECS, whose responses tell the true time."""

    async def describe_services(self, cluster: str, names: Sequence[str], **_: Any) -> ServicesAnswer:
        answer = await super().describe_services(cluster, names)
        return ServicesAnswer(answer.services, SimulatedClock().now().replace(microsecond=0))


class Ahead(SimulatedClock):
    """Ten minutes ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=10)


def test_the_first_look_is_as_of_aws_time() -> None:
    async def main() -> None:
        clock = AwsClock(Ahead())
        made = Observer(
            "prod", TrueTime(), clock, EngineSettings(), changed=lambda _: None, swept=lambda _: None, told_time=clock.told,
        )  # type: ignore[arg-type]  # fmt: skip
        made.set_targets(ACCESS, {service_key(1): ACCESS})
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        observed = made.observed(service_key(1))
        assert observed is not None and observed.look is not None
        assert timedelta() <= observed.look.as_of - SimulatedClock().now() + timedelta(seconds=1) < timedelta(seconds=3)
        task.cancel()

    run_simulated(main())
