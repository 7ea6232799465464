"""What one event, and one pass, costs does not depend on how many Releases somebody else has, nor on how many its own tenant has."""

from __future__ import annotations

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE, RELEASE_SET
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.runtime.work_queue import Share
from tests.builders.objects import release_object
from tests.builders.simulated_time import run_simulated
from tests.builders.tenant_fleet import EVENTS, NEIGHBOUR, STRANGER, TENANT, TenantFleet, family_index, instructions

SIZES = (10, 100, 1000, 5000)
_CONSTANT = 1.5
"""A heap, say, is a little deeper."""


async def _costs(fleet: TenantFleet) -> dict[str, int]:
    await fleet.ready()
    found = {}
    for name, event in EVENTS.items():
        await event(fleet)  # What is computed once only is no matter of size.
        found[name] = await instructions(lambda event=event: event(fleet))  # type: ignore[misc]
    return found


@pytest.mark.parametrize(
    ("namespace", "one_service"),
    [(TENANT, False), (TENANT, True), (STRANGER, False)],
    ids=["a service each", "all of one service", "not admitted"],
)
def test_an_event_costs_the_same_however_many_releases_a_tenant_has(namespace: str, one_service: bool) -> None:
    async def costs(size: int) -> dict[str, int]:
        return await _costs(TenantFleet(size, namespace, one_service))

    found = {size: run_simulated(costs(size)) for size in SIZES}
    grown = {name: [found[size][name] for size in SIZES] for name in EVENTS if found[SIZES[-1]][name] > _CONSTANT * found[SIZES[1]][name]}
    assert grown == {}


def test_releases_wait_for_the_turn_of_their_environment_and_in_it_of_their_namespace() -> None:
    async def main() -> None:
        fleet, stranger = TenantFleet(1), TenantFleet(1, STRANGER)
        await fleet.ready()
        await stranger.ready()

        def share(of: TenantFleet, *key: str) -> Share:
            return of.engine._share_of(ObjectKey(*key))

        assert share(fleet, RELEASE, TENANT, "r0") == Share("prod", TENANT)
        assert share(fleet, RELEASE, NEIGHBOUR, "web") == Share("prod", NEIGHBOUR)
        assert share(stranger, RELEASE, STRANGER, "r0") == Share("Refused", STRANGER), "it does not wait in the turn of those that may act"
        assert share(fleet, RELEASE_SET, TENANT, "set-0") == Share(RELEASE_SET, TENANT)
        assert share(fleet, ENVIRONMENT, "", "prod") == Share(ENVIRONMENT, "")
        fleet.engine.changed(RELEASE, release_object("lost", environmentRef={"name": "none"}))
        assert share(fleet, RELEASE, "shop", "lost") == Share("Refused", "shop"), "names that anybody may invent have no turn of their own"

    run_simulated(main())


def test_services_of_a_family_are_found_without_looking_at_all() -> None:
    async def cost(size: int) -> int:
        index = family_index(size)

        async def find() -> None:
            assert len(index.services("f1")) == 1

        return await instructions(find)

    assert len({run_simulated(cost(size)) for size in SIZES}) == 1
