"""One simulated AWS a worker, and adapters that use it by AWS_ENDPOINT_URL alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from tests.aws_simulator.client import Simulator


@pytest.fixture(scope="package")
def sim() -> Iterator[Simulator]:
    with Simulator(time_scale=200) as running:
        yield running


@pytest.fixture
def aws(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[BotoAws]:
    """An adapter with the default chain's credentials."""
    for name, value in sim.environment().items():
        monkeypatch.setenv(name, value)
    made = BotoAws(SystemClock(), version="0", session_name="test", threads=8, share=1.0)
    yield made
    made.close()
    sim.control("clear-faults")
