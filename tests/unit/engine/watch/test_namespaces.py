"""An operator that watches some namespaces only: what is elsewhere it does not know, and does not ask for."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.domain.model.errors import Denied
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.engine import Engine
from ecs_release.engine.metrics_state import EngineState
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import ReleaseFacts
from tests.builders.fake_outside import Nothing
from tests.builders.objects import environment_object, release_object
from tests.builders.simulated_time import SimulatedClock, run_simulated


class Closed(Nothing):
    """A cluster whose namespace `shop` is empty, and that lets nobody look into another."""

    async def get(self, key: object) -> None:
        assert isinstance(key, ObjectKey)
        if key.namespace != "shop":
            raise Denied("forbidden")


def engine(namespaces: tuple[str, ...], left_out: tuple[str, ...] = ()) -> tuple[Engine, Namespaces]:
    outside, watched = Closed(), Namespaces(namespaces)
    watched.left_out = frozenset(left_out)
    settings = EngineSettings(namespaces=namespaces)
    return Engine(outside, outside, SimulatedClock(), settings, namespaces=watched), watched  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("namespaces", "left_out", "namespace", "exists"),
    [
        (("shop",), (), "other", True),
        (("shop",), (), "shop", False),
        (("shop", "other"), ("other",), "other", True),
        (("shop",), ("shop",), "shop", True),
        ((), (), "shop", False),
    ],
)
def test_a_record_of_a_release_elsewhere_is_not_closed(
    namespaces: tuple[str, ...], left_out: tuple[str, ...], namespace: str, exists: bool
) -> None:
    """Its operator has the same installation's name, perhaps, from when it watched all; or it may not be looked into any more."""
    closes, _ = engine(namespaces, left_out)
    assert run_simulated(closes._exists(ObjectKey(RELEASE, namespace, "web"))) is exists


def test_what_is_left_out_is_forgotten_and_not_taken_for_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    forgets, namespaces = engine(("shop", "other"))
    closed: list[ReleaseFacts] = []
    monkeypatch.setattr(forgets.recorder, "release_deleted", closed.append)
    list(forgets._scope.begin())
    here, there = release_object(), release_object(namespace="other", meta={"uid": "uid-2"})

    async def main() -> None:
        forgets.changed(ENVIRONMENT, environment_object(allowedNamespaces={"names": ["shop", "other"]}))
        for body in (here, there):
            forgets.changed(RELEASE, body)
        namespaces.left_out = frozenset(["other"])
        forgets.namespaces_changed()
        assert [key.namespace for key in forgets.store.releases] == ["shop"] and "prod" in forgets.store.environments
        forgets.changed(RELEASE, there)
        assert len(forgets.store.releases) == 1, "the watch has not ended yet, and tells more"
        assert not closed
        forgets.deleted(RELEASE, "shop", "web", here["metadata"]["uid"])
        assert [facts.key.namespace for facts in closed] == ["shop"]

    run_simulated(main())


@pytest.mark.parametrize(("allowed", "told"), [("shop", True), ("other", False)])
def test_what_was_said_of_an_environment_that_is_ours_no_longer_is_not_told_on(allowed: str, told: bool) -> None:
    """Its metrics, and the alerts on them, would never end."""
    tells, _ = engine(("shop",))
    list(tells._scope.begin())
    tells.store.changed(ENVIRONMENT, environment_object(allowedNamespaces={"names": [allowed]}))
    said = (("Authenticated", "False"),)
    tells._status_writer._conditions = {"prod": said}
    state = run_simulated(_state_of(tells))
    assert [e.conditions for e in state.environments] == [said if told else ()]


async def _state_of(tells: Engine) -> EngineState:
    return tells.state()


def test_one_that_was_made_again_unseen_leaves_what_it_had_open() -> None:
    """A watch that broke lists only what is there now."""
    gone = list[str]()
    outside = Closed()
    engine = Engine(outside, outside, SimulatedClock(), EngineSettings())  # type: ignore[arg-type]
    list(engine._scope.begin())
    engine.recorder.release_deleted = lambda facts: gone.append(facts.uid)  # type: ignore[method-assign]
    run_simulated(_told_of(engine, release_object(), release_object(meta={"uid": "another"})))
    assert gone == ["uid-web"]


async def _told_of(engine: Engine, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        engine.changed(RELEASE, body)
