"""One bed a worker, one place a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.bed import Bed, Place, running_bed


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """The worker's bed."""
    with running_bed() as running:
        yield running


@pytest.fixture
def place(bed: Bed) -> Place:
    """A place of the test's own."""
    return Place(bed)


@pytest.fixture
def shop(place: Place) -> Place:
    """A place with an Environment, a Project and the service `web` on v1, no Release yet."""
    place.service("v1")
    place.environment()
    place.project()
    return place
