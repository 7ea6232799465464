"""Where a service pulls from: an image that is not there yet is waited for, and what to do is said."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.model.image_names import EcrHost, parse_image
from ecs_release.engine.artifacts.source_resolver import Resolver
from tests.builders.ecs import NEW, REGISTRY_HOST
from tests.builders.objects import target

ELSEWHERE = "444455556666.dkr.ecr.us-east-1.amazonaws.com"


class Registries:
    """Registries by account, all of them with the same images."""

    def __init__(self, *there: str) -> None:
        self._there = there

    def registry(self, *_: Any) -> Registries:
        return self

    async def image(self, _: str, *, digest: str) -> RegistryImage | None:
        return RegistryImage(digest) if digest in self._there else None


async def check(registries: Registries, host: str) -> None:
    pulled: EcrHost | None = parse_image(f"{host}/shop/web:v1").ecr
    await Resolver(registries).check_replicated(target(), pulled, PinnedImage(container="app", digest=NEW), "shop/web")  # type: ignore[arg-type]


async def test_an_image_that_is_not_where_it_is_pulled_from_is_waited_for() -> None:
    """To replicate it is no advice where that registry is a pull-through cache: it gets an image when somebody pulls that through it."""
    with pytest.raises(Waiting) as caught:
        await check(Registries(), ELSEWHERE)
    assert caught.value.reason == Reason.AWAITING_REPLICATION
    assert ELSEWHERE in caught.value.message
    assert "replicate it there or, if that registry is a pull-through cache, pull the image through it once" in caught.value.message


@pytest.mark.parametrize(("host", "there"), [(ELSEWHERE, (NEW,)), (REGISTRY_HOST, ()), ("public.example.com", ())])
async def test_what_is_there_or_cannot_be_elsewhere_is_not_waited_for(host: str, there: tuple[str, ...]) -> None:
    await check(Registries(*there), host)
