"""The children of a set: anybody who may write Releases may give them its label."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.sets.gatherer import SetGatherer
from tests.builders.objects import release_object, release_set_object

SERVICES = [f"s{n}" for n in range(50)]
NAMES = [child_name("all", service) for service in SERVICES]


@dataclass
class Labelled:
    """A cluster with the children of set `all`, and some more Releases with its label. `at_once` is how many were read at the same time."""

    others: int
    reads: list[str] = field(default_factory=list)
    at_once: int = 0
    under_way: int = 0
    listed: int = 0

    async def list_labelled(self, *_: str, most: int) -> list[Mapping[str, Any]] | None:
        names = [*(f"other-{n}" for n in range(self.others)), *NAMES]
        self.listed = min(most, len(names))
        return [release_object(name) for name in names] if len(names) <= most else None

    async def get(self, key: ObjectKey) -> Mapping[str, Any]:
        self.reads.append(key.name)
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return release_object(key.name)


@pytest.mark.parametrize(("others", "reads"), [(0, 0), (100, 0), (2000, 50)])
async def test_only_children_are_parsed_and_few_are_read_at_once(others: int, reads: int) -> None:
    cluster = Labelled(others)
    references: Any = SimpleNamespace(store=SimpleNamespace(releases={ObjectKey(RELEASE, "shop", name): None for name in NAMES}))
    gatherer = SetGatherer(references, cluster, None, EngineSettings(), None, None)  # type: ignore[arg-type]
    found = await gatherer._children(ReleaseSet.model_validate(release_set_object("all")), SERVICES)
    assert sorted(found) == sorted(NAMES)
    assert (len(cluster.reads), cluster.at_once <= 8, cluster.listed <= 200) == (reads, True, True)
