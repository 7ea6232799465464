"""What was resolved stands (law 2): when a pass resolves more of it, or completes what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent
from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.source import Source, SourceImage
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Wanted
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Retryable
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.release.gatherer import Gatherer
from tests.builders.ecs import NEW, NOW, OTHER
from tests.builders.facts import changed
from tests.builders.objects import target
from tests.builders.scenarios import attempt_under_way


def gatherer_with(**parts: Any) -> Gatherer:
    others: dict[str, Any] = dict.fromkeys(part.name for part in fields(Gatherer))
    return Gatherer(**others | {"clock": SimpleNamespace(now=lambda: NOW)} | parts)


class OtherImages:
    """A resolver that finds another image in each container."""

    async def resolve(self, source: Any, target: Any, now: Any) -> Pin:
        return Pin(source_hash="s", resolved_time=now, images=[PinnedImage(container=c.name, digest=OTHER) for c in target.containers])

    async def complete(self, pin: Pin, source: Any, target: Any) -> Pin:
        return pin


@pytest.mark.parametrize(
    ("retry", "suspended", "wanted"),
    [(True, False, {"app": NEW, "log": OTHER}), (False, False, {"app": NEW}), (True, True, {"app": NEW})],
)
async def test_only_a_retry_resolves_a_container_that_was_added(retry: bool, suspended: bool, wanted: dict[str, str]) -> None:
    """And nothing else again: a tag may have moved since."""
    given = attempt_under_way()
    listed = [{"name": "app", "repository": "shop/web"}, {"name": "log", "repository": "shop/log"}]
    metadata = given.release.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: "1"} if retry else None})
    release = given.release.model_copy(update={"metadata": metadata})
    given = changed(given, release=release, spec={"suspend": suspended}, target=target(given.place.environment, containers=listed))
    assert given.place.target is not None
    found: Wanted = await gatherer_with(resolver=OtherImages())._wanted(given, given.place.target)
    assert found.pin is not None
    assert {i.container: i.digest for i in found.pin.images or ()} == wanted
    assert found.by_retry is (retry and not suspended), "it stands once its attempt has begun"


PLATFORM = "sha256:" + "d" * 64


@dataclass
class RefusingOnce:
    """A registry that refuses the first time, and then knows a manifest list."""

    asked: int = 0

    def registry(self, *_: Any) -> RefusingOnce:
        return self

    async def image(self, repository: str, *, tag: str, digest: str) -> RegistryImage:
        self.asked += 1
        if self.asked == 1:
            raise Retryable("ecr:BatchGetImage: ServerException")
        return RegistryImage(digest, platform_digests=(PLATFORM,))


async def test_platforms_that_are_unknown_are_looked_up_until_ecr_tells() -> None:
    """A Release without status, whose pin is in the ledger."""
    given = attempt_under_way()
    registry, source = RefusingOnce(), given.release.spec.source
    images = [CurrentImage(container="app", digest=NEW, hash="bbbbbbb")]
    wanted = CurrentPart(source_hash=source_hash(source), pin_id="p1", time=NOW, images=images)
    recalled = changed(given, remembered=LedgerCurrent.model_construct(observed_time=NOW, wanted=wanted), pin=None)
    gatherer = gatherer_with(resolver=Resolver(registry))  # type: ignore[arg-type]
    assert given.place.target is not None
    first = (await gatherer._wanted(recalled, given.place.target)).pin
    assert first is not None and first.images is not None and first.images[0].platforms == "Unknown"
    then = (await gatherer._wanted(changed(given, remembered=None, pin=first), given.place.target)).pin
    assert then is not None and then.images is not None
    assert (then.id, then.images[0].platforms, then.images[0].platform_digests) == ("p1", None, [PLATFORM])
    assert attempts.is_same(then, first)
    again = (await gatherer._wanted(changed(given, remembered=None, pin=then), given.place.target)).pin
    assert again is then and registry.asked == 2


@dataclass
class Tagged:
    """A registry whose images have these tags."""

    tags: tuple[str, ...]

    def registry(self, *_: Any) -> Tagged:
        return self

    async def image(self, repository: str, *, tag: str, digest: str) -> RegistryImage:
        return RegistryImage(digest, tags=self.tags)


@pytest.mark.parametrize(
    ("tags", "was", "found"),
    [
        (("ref.ccccccc", "ref.bbbbbbb"), "bbbbbbb", "ccccccc"),
        (("ref.bbbbbbb",), "bbbbbbb", "bbbbbbb"),
        ((), "claimed:bbbbbbb", "claimed:bbbbbbb"),
    ],
)
async def test_another_hash_for_the_same_digest_is_taken_if_a_tag_confirms_it(tags: tuple[str, ...], was: str, found: str) -> None:
    """A set whose newer release has an image that runs already gives its Release the same digest under another hash."""
    given = attempt_under_way()
    target = given.place.target
    assert target is not None
    source = Source(images=[SourceImage(container="app", digest=NEW, release_hash="ccccccc")])
    image = PinnedImage(container="app", repository=f"{target.registry_host}/shop/web", digest=NEW, release_hash=was)
    pin = Pin(id="p1", source_hash=source_hash(source), resolved_time=NOW, images=[image])
    then = await Resolver(Tagged(tags)).complete(pin, source, target)  # type: ignore[arg-type]
    assert then.images is not None and (then.id, then.images[0].release_hash) == ("p1", found)
