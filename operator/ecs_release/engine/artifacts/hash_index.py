"""Release hashes of digests, from their tags in ECR: cached, misses included, and with a short limit on how long a pass waits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from ecs_release.domain.artifacts.source import hash_of_tags
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, ImagesAnswer, Registry

log = logging.getLogger(__name__)

_MOST, _AT_ONCE = 20_000, 64
_KNOWN_S, _UNKNOWN_S, _FAILED_S = 86_400.0, 900.0, 300.0
_PATIENCE_S = 5.0


class _Key(NamedTuple):
    access: Access
    registry_id: str
    repository: str
    tag_formats: tuple[str, ...]
    digest: str


class HashIndex:
    """Caches the release hash of a digest: for a day, that it has none for 15 minutes, a failure to read it for five minutes."""

    def __init__(self, aws: Aws, monotonic: Callable[[], float] = time.monotonic, patience_s: float = _PATIENCE_S) -> None:
        """A caller waits at most `patience_s` for hashes that are not cached; later answers are there at its next call."""
        self._aws = aws
        self._monotonic = monotonic
        self._patience_s = patience_s
        self._hashes: OrderedDict[_Key, tuple[str, float]] = OrderedDict()
        self._asked: set[_Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, target: Target, digests: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
        """Return the hashes of digests, given as pairs of repository and digest. Unknown ones are left out; `known` ones are not read."""
        keys = [self._key(target, repository, digest) for repository, digest in dict.fromkeys(digests) if digest not in known]
        now = self._monotonic()
        missing: dict[str, list[_Key]] = defaultdict(list)
        for key in keys:
            if key not in self._asked and (key not in self._hashes or self._hashes[key][1] <= now):
                missing[key.repository].append(key)
        begun = [self._begin(target, repository, its_keys) for repository, its_keys in missing.items() if len(self._tasks) < _AT_ONCE]
        if begun:
            await asyncio.wait(begun, timeout=self._patience_s)
        return {key.digest: self._hashes[key][0] for key in keys if key in self._hashes and self._hashes[key][0]}

    @staticmethod
    def _key(target: Target, repository: str, digest: str) -> _Key:
        return _Key(target.registry_access, target.registry_id, repository, target.tag_formats, digest)

    def _begin(self, target: Target, repository: str, keys: list[_Key]) -> asyncio.Task[None]:
        registry = self._aws.registry(target.registry_access, target.registry_id, target.registry_region)
        self._asked.update(keys)
        task = asyncio.create_task(self._learn(registry, repository, keys), name=f"hashes of {repository}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _learn(self, registry: Registry, repository: str, keys: list[_Key]) -> None:
        try:
            answer = await _tagged(registry, repository, {k.digest for k in keys})
        except Problem as problem:
            answer = ImagesAnswer(unread={k.digest: problem for k in keys})
        finally:
            self._asked.difference_update(keys)
        for key in keys:
            try:
                image = answer.image(key.digest)
            except Problem as problem:
                log.debug("cannot read tags of %s: %s", repository, problem.message)
                self._remember(key, self._hashes.get(key, ("", 0.0))[0], _FAILED_S)
            else:
                found = hash_of_tags(image.tags if image is not None else (), key.tag_formats)
                self._remember(key, found, _KNOWN_S if found else _UNKNOWN_S)

    def _remember(self, key: _Key, name: str, for_s: float) -> None:
        self._hashes[key] = (name, self._monotonic() + for_s)
        self._hashes.move_to_end(key)
        while len(self._hashes) > _MOST:
            self._hashes.popitem(last=False)


async def _tagged(registry: Registry, repository: str, digests: Collection[str]) -> ImagesAnswer:
    """Read images with their tags. A task may show the digest of a platform's image while the tags are on its manifest list."""
    alone = await registry.images(repository, digests)
    untagged = [image for image in alone.images.values() if not image.tags]
    lists = await registry.manifest_lists_naming(repository, untagged) if untagged else ImagesAnswer()
    return ImagesAnswer({**alone.images, **lists.images}, {**alone.unread, **lists.unread})
