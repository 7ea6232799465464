"""ECR as tests of the engine need it: images by repository, and what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ecs_release.domain.artifacts.registry_images import Repository, RequiredImage
from ecs_release.domain.ecs.service import Access, RegistryImage
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import ImagesAnswer

ACCESS = Access("111122223333", "eu-west-1", "role")


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def repository(name: str = "shop/web", registry: str = "111122223333") -> Repository:
    return Repository(ACCESS, registry, "eu-west-1", name)


def artifact(number: int, name: str = "shop/web", registry: str = "111122223333", *, former: bool = False) -> RequiredImage:
    return RequiredImage("app", repository(name, registry), digest(number), former)


@dataclass
class FakeRegistry:
    """One registry. What is not listed is not there; `fault` is raised instead of an answer, `takes_s` is how long that takes.

    `odd` has images that cannot be read, and why; `odd_lists` has those of which a list that cannot be read may be.
    """

    there: dict[str, RegistryImage] = field(default_factory=dict)
    lists: dict[str, RegistryImage] = field(default_factory=dict)
    odd: dict[str, Problem] = field(default_factory=dict)
    odd_lists: dict[str, Problem] = field(default_factory=dict)
    fault: Problem | None = None
    takes_s: float = 0.0
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    lists_asked: int = 0
    lists_fault: Problem | None = None
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    move_fault: Problem | None = None

    def push(self, *numbers: int, tags: tuple[str, ...] = ("ref.v1",)) -> None:
        self.there |= {digest(n): RegistryImage(digest(n), tags) for n in numbers}

    async def image(self, name: str, *, tag: str = "", digest: str = "") -> RegistryImage | None:
        if self.fault is not None:
            raise self.fault
        return next((i for i in self.there.values() if i.digest == digest or (tag and tag in i.tags)), None)

    async def images(self, name: str, digests: Collection[str]) -> ImagesAnswer:
        self.asked.append((name, frozenset(digests)))
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        unread = {d: self.odd[d] for d in digests if d in self.odd}
        return ImagesAnswer({d: self.there[d] for d in digests if d in self.there and d not in unread}, unread)

    async def manifest_lists_naming(self, name: str, images: Collection[RegistryImage]) -> ImagesAnswer:
        self.lists_asked += 1
        if self.lists_fault is not None:
            raise self.lists_fault
        unread = {i.digest: self.odd_lists[i.digest] for i in images if i.digest in self.odd_lists}
        return ImagesAnswer({i.digest: self.lists[i.digest] for i in images if i.digest in self.lists and i.digest not in unread}, unread)

    async def check_movable(self, name: str, tag: str) -> None: ...

    async def move_tag(self, name: str, tag: str, its_digest: str) -> None:
        self.moved.append((name, tag, its_digest))
        if self.move_fault is not None:
            raise self.move_fault
        for known, image in self.there.items():
            tags = tuple(t for t in image.tags if t != tag) + ((tag,) if known == its_digest else ())
            self.there[known] = RegistryImage(known, tags)


@dataclass
class FakeRegistries:
    """Registries by account."""

    registries: dict[str, FakeRegistry] = field(default_factory=dict)

    def registry(self, access: Any, registry_id: str, region: str) -> Any:
        return self.registries.setdefault(registry_id, FakeRegistry())
