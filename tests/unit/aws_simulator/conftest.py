"""A simulated AWS for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws_simulator.client import Simulator


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with Simulator(time_scale=200) as simulator:
        yield simulator


@pytest.fixture
def sim(shared: Simulator) -> Simulator:
    """The module's simulator, empty."""
    shared.reset()
    return shared
