"""One bed a worker, one place a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.bed import Bed, Place, running_bed
from tests.e2e.people import grant, in_force, secure


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """The worker's bed."""
    with running_bed() as running:
        yield running


@pytest.fixture
def place(bed: Bed) -> Iterator[Place]:
    """A place of the test's own."""
    with bed.cleared():
        yield Place(bed)


@pytest.fixture
def shop(place: Place) -> Place:
    """A place with an Environment, a Project and the service `web` on v1, no Release yet."""
    place.service("v1")
    place.environment()
    place.project()
    return place


@pytest.fixture(scope="session")
def secured() -> Iterator[Bed]:
    """A bed of its own, where our policies are in force: elsewhere they would be in the way."""
    with running_bed(prepare=secure) as bed:
        yield bed


@pytest.fixture(scope="session")
def desk(secured: Bed) -> Place:
    """A place where ana may retry, abort and continue, and all policies are in force: tests that only write objects share it."""
    return _ready(secured)


@pytest.fixture
def office(secured: Bed) -> Iterator[Place]:
    """The same of the test's own."""
    with secured.cleared():
        yield _ready(secured)


def _ready(secured: Bed) -> Place:
    place = Place(secured)
    grant(secured.cluster, "ecs-release-retry-abort", "ana", namespace=place.name)
    grant(secured.cluster, "ecs-release-continue", "ana", namespace=place.name)
    place.until(lambda: in_force(place), "the policies to be in force", show=dict)
    return place
