"""Publishing: a release hash stays where it is, `latest` moves, and what was done already is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.aws.registry.publishing import Publisher, Step
from ecs_release.aws.registry.tags import ImmutableTag
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Ambiguous, Blocked

NOW = datetime(2026, 5, 4, tzinfo=UTC)
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@dataclass
class Registry:
    """One repository: OLD was pushed before NEW."""

    tags: dict[str, str] = field(default_factory=dict)
    immutable: bool = False
    lost: str = ""
    moves: list[tuple[str, str]] = field(default_factory=list)
    first: tuple[str, str] | None = None

    async def image(self, repository: str, *, tag: str = "", digest: str = "") -> RegistryImage | None:
        found = digest or self.tags.get(tag, "")
        pushed = {OLD: NOW, NEW: NOW + timedelta(hours=1)}
        return RegistryImage(found, pushed_at=pushed[found]) if found in pushed else None

    async def tag_digest(self, repository: str, tag: str) -> str:
        return self.tags.get(tag, "")

    async def move_tag(self, repository: str, tag: str, digest: str) -> None:
        if self.first is not None:
            self.tags.update([self.first])
        self.moves.append((tag, digest))
        if self.immutable and self.tags.get(tag, digest) != digest:
            raise ImmutableTag("immutable")
        if self.lost != "before":
            self.tags[tag] = digest
        if self.lost:
            raise Ambiguous("no answer")


def publisher(registry: Registry) -> Publisher:
    return Publisher(cast("BotoRegistry", registry))


async def test_a_release_hash_is_given_once() -> None:
    registry = Registry()
    first = await publisher(registry).release_tag("web", "ref.1", NEW)
    again = await publisher(registry).release_tag("web", "ref.1", NEW)
    assert (first.step, again.step, registry.moves) == (Step.ADDED, Step.UNCHANGED, [("ref.1", NEW)])


@pytest.mark.parametrize("immutable", [False, True])
async def test_a_release_hash_never_moves(immutable: bool) -> None:
    registry = Registry({"ref.1": OLD}, immutable)
    with pytest.raises(Blocked) as caught:
        await publisher(registry).release_tag("web", "ref.1", NEW)
    assert OLD in caught.value.message and NEW in caught.value.message and registry.moves == []


async def test_another_build_that_was_faster_is_told_by_name() -> None:
    registry = Registry(immutable=True, first=("ref.1", OLD))
    with pytest.raises(Blocked) as caught:
        await publisher(registry).release_tag("web", "ref.1", NEW)
    assert OLD in caught.value.message and registry.tags == {"ref.1": OLD}


@pytest.mark.parametrize(
    ("before", "to", "immutable", "step", "noted"),
    [
        ("", NEW, False, Step.ADDED, ""),
        (OLD, NEW, False, Step.MOVED, ""),
        (NEW, NEW, False, Step.UNCHANGED, ""),
        (NEW, OLD, False, Step.MOVED, "pushed later"),
        (OLD, NEW, True, Step.IMMUTABLE, "is immutable"),
        ("", NEW, True, Step.ADDED, ""),
    ],
)
async def test_latest_moves(before: str, to: str, immutable: bool, step: Step, noted: str) -> None:
    registry = Registry({"latest": before} if before else {}, immutable)
    done = await publisher(registry).moving_tag("web", "latest", to)
    assert (done.step, done.before) == (step, before) and noted in done.note and bool(done.note) is bool(noted)


async def test_an_answer_that_was_lost_is_looked_up() -> None:
    registry = Registry(lost="after")
    assert (await publisher(registry).release_tag("web", "ref.1", NEW)).step is Step.ADDED
    with pytest.raises(Ambiguous):
        await publisher(Registry(lost="before")).release_tag("web", "ref.1", NEW)


async def test_an_image_that_is_not_there() -> None:
    found = publisher(Registry({"built": NEW}))
    assert await found.digest("web", "built", "") == NEW and await found.digest("web", "other", OLD) == OLD
    with pytest.raises(Blocked, match="there is no image web:other: push it first"):
        await found.digest("web", "other", "")
