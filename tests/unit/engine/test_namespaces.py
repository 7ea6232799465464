"""An operator that watches some namespaces only: what is elsewhere it does not know, and does not ask for."""

from __future__ import annotations

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.domain.errors import Denied
from ecs_release.domain.ports import ObjectKey
from ecs_release.engine.engine import Engine
from ecs_release.engine.settings import EngineSettings
from ecs_release.engine.state import EngineState
from tests.unit.engine.test_ending import Nothing
from tests.unit.engine.test_scope import environment
from tests.unit.simulated_time import SimulatedClock, run_simulated


class Closed(Nothing):
    """A cluster whose namespace `shop` is empty, and that lets nobody look into another."""

    async def get(self, key: object) -> None:
        assert isinstance(key, ObjectKey)
        if key.namespace != "shop":
            raise Denied("forbidden")


@pytest.mark.parametrize(
    ("namespaces", "namespace", "exists"), [(("shop",), "other", True), (("shop",), "shop", False), ((), "shop", False)]
)
def test_a_record_of_a_release_elsewhere_is_not_closed(namespaces: tuple[str, ...], namespace: str, exists: bool) -> None:
    """Its operator has the same installation's name, perhaps, from when it watched all."""
    outside = Closed()
    engine = Engine(outside, outside, SimulatedClock(), EngineSettings(namespaces=namespaces))  # type: ignore[arg-type]
    assert run_simulated(engine._exists(ObjectKey(RELEASE, namespace, "web"))) is exists


@pytest.mark.parametrize(("allowed", "told"), [("shop", True), ("other", False)])
def test_what_was_said_of_an_environment_that_is_ours_no_longer_is_not_told_on(allowed: str, told: bool) -> None:
    """Its metrics, and the alerts on them, would never end."""
    outside = Closed()
    engine = Engine(outside, outside, SimulatedClock(), EngineSettings(namespaces=("shop",)))  # type: ignore[arg-type]
    list(engine._scope.begin())
    engine.store.changed(ENVIRONMENT, environment("prod", "111122223333", allowedNamespaces={"names": [allowed]}))
    said = (("Authenticated", "False"),)
    engine._statuses._said = {"prod": said}
    state = run_simulated(_state_of(engine))
    assert [e.conditions for e in state.environments] == [said if told else ()]


async def _state_of(engine: Engine) -> EngineState:
    return engine.state()
