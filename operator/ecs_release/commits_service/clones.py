"""All repositories that are known at present, within the bounds of the cache."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import shutil
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ecs_release.commits_service import remote
from ecs_release.commits_service.bindings import Location
from ecs_release.commits_service.clone import Clone
from ecs_release.commits_service.config import ServiceConfig
from ecs_release.commits_service.fetching import Fetching, OnFetch
from ecs_release.commits_service.git import Git
from ecs_release.commits_service.repository import Memory, RepositoryGraph
from ecs_release.commits_service.slots import FetchSlots, QuerySlots
from ecs_release.domain.model.lru import Lru

_CLONE = re.compile(r"[0-9a-f]{32}-\d+")
_RANGES = 128
_FRESH = 3
"""Intervals that a fetch may be old and still be the ground of a "no"."""
Key = tuple[int, Location]


class Clones:
    """The repositories, each by the binding that reads it: what one credential has read is never an answer to somebody with another."""

    def __init__(self, config: ServiceConfig, git: Git, on_fetch: OnFetch) -> None:
        """Call `clear` before anything is asked."""
        self._config = config
        self._git = git
        self._on_fetch = on_fetch
        self._memory = Memory(Lru(config.cache.pairs), Lru(_RANGES))
        self._fetches = FetchSlots({h for b in config.bindings for h in b.hosts}, config.limits.fetches_per_host)
        self._queries = QuerySlots(config.limits.queries)
        self._known: OrderedDict[Key, RepositoryGraph] = OrderedDict()
        self._deleting: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    @property
    def bytes(self) -> int:
        """Add up the sizes of all clones, as they were seen last."""
        return sum(graph.clone.size for graph in self._known.values())

    @property
    def number(self) -> int:
        """Count the repositories."""
        return len(self._known)

    @property
    def pairs(self) -> int:
        """Count the answers about pairs that are kept."""
        return len(self._memory.pairs)

    async def clear(self) -> None:
        """Make an empty folder: what a former process has left is not believed. Raises OSError."""
        await asyncio.to_thread(_clear, self._config.cache.folder)

    async def close(self) -> None:
        """End all fetches."""
        await asyncio.gather(*(graph.close() for graph in self._known.values()), *self._deleting)

    @contextmanager
    def use(self, binding: int, location: Location) -> Iterator[RepositoryGraph | None]:
        """Yield a repository, which stays while it is used; None if there are too many, all of them in use."""
        key = (binding, location)
        graph = self._known.get(key)
        if graph is None:
            if len(self._known) >= self._config.cache.max_repositories and not self._evict():
                yield None
                return
            graph = self._known[key] = self._new(key)
        self._known.move_to_end(key)
        graph.users += 1
        try:
            yield graph
        finally:
            graph.users -= 1

    def _new(self, key: Key) -> RepositoryGraph:
        number, location = key
        limits, binding = self._config.limits, self._config.bindings[number]
        # A folder of its own each time: one of the same repository may still be being deleted.
        name = f"{hashlib.sha256(f'{number} {location.url}'.encode()).hexdigest()[:32]}-{next(self._numbers)}"
        clone = Clone(self._git, self._config.cache.folder / name, limits.query_seconds)
        settings = partial(asyncio.to_thread, remote.fetch_settings, location, binding, limits)
        too_large = partial(self._too_large, clone, location)
        fetching = Fetching(clone, location, settings, self._fetches, limits, too_large, self._on_fetch)
        return RepositoryGraph(
            f"{number} {location.url}", clone, fetching, self._memory, self._queries, _FRESH * limits.interval_seconds
        )  # fmt: skip

    def _too_large(self, clone: Clone, location: Location, size: int) -> str:
        """Say why a clone may not be of this size; makes room for it by deleting others."""
        clone.size = size
        cache = self._config.cache
        if size > cache.max_repository_bytes:
            return f"the clone of {location.url} is larger than {cache.max_repository_bytes} bytes (cache.maxRepositoryBytes)"
        while self.bytes > cache.max_bytes:
            if not self._evict():
                return f"there is no room for a clone of {location.url} within {cache.max_bytes} bytes of all (cache.maxBytes)"
        return ""

    def _evict(self) -> bool:
        """Delete the repository that was not asked about for longest, of the binding that has most; False if all are in use.

        Whoever may name many repositories loses their own, and not another's.
        """
        idle = [key for key, graph in self._known.items() if graph.idle]
        if not idle:
            return False
        numbers = Counter(binding for binding, _ in self._known)
        key = max(idle, key=lambda k: numbers[k[0]])
        task = asyncio.create_task(self._known.pop(key).close(), name="delete a clone")
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)
        return True


def _clear(folder: Path) -> None:
    """Delete clones, and nothing else that may be in a folder that was named by mistake."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if _CLONE.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
