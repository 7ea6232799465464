"""Who shares an environment's tag: those who may act, as far as that is known after their labels were read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.release.environment_tag_reader import TagReader
from tests.builders.objects import environment, project, release, release_object

PLACE = environment(artifacts={"environmentTag": "env.{environment}"}, rollout={"method": "EnvironmentTag"})
OTHER = ObjectKey(RELEASE, "theirs", "web")


async def sharers(before: Admission, after: Admission) -> list[tuple[str, bool]]:
    """Return who shares the tag, and whether it is known that they may act, with one other Release and what its labels tell."""
    admission, asked = {OTHER: before}, list[str]()

    async def read_unknown(namespaces: set[str]) -> None:
        if before is Admission.UNKNOWN:
            admission[OTHER] = after

    async def get(key: ObjectKey) -> dict[str, Any]:
        asked.append(str(key))
        return release_object(key.name, namespace=key.namespace)

    its = SimpleNamespace(key=OTHER, environment=PLACE.metadata.name, project="shop", service="web")
    store = SimpleNamespace(
        services_using=lambda _: [("shop", "web")], of_service=lambda *_: [its], environments={PLACE.metadata.name: PLACE},
        project=lambda *_: project(),
    )  # fmt: skip
    references: Any = SimpleNamespace(
        store=store, claims=SimpleNamespace(admission=admission.get), read_unknown=read_unknown, cluster=SimpleNamespace(get=get)
    )
    facts: Any = SimpleNamespace(name="shop/web", release=release())
    found = await TagReader(references, None, 60.0).sharers(facts, resolve_target(PLACE, project(), "web"))  # type: ignore[arg-type]
    assert asked == [s.release for s in found], "nothing is read of those that do not count"
    return [(s.release, s.is_known) for s in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Admission.ADMITTED, Admission.ADMITTED, [("theirs/web", True)]),
        (Admission.REFUSED, Admission.REFUSED, []),
        (Admission.UNKNOWN, Admission.ADMITTED, [("theirs/web", True)]),
        (Admission.UNKNOWN, Admission.REFUSED, []),
        (Admission.UNKNOWN, Admission.UNKNOWN, [("theirs/web", False)]),
    ],
)
async def test_only_those_that_may_act_share_a_tag(before: Admission, after: Admission, expected: list[tuple[str, bool]]) -> None:
    assert await sharers(before, after) == expected
