"""A compact cache of task definitions: thousands are read once, and used in every pass."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from dataclasses import replace

from ecs_release.domain.ecs.service import TaskDefinition

_MOST = 6000
_FAST = 1


class TaskDefinitionCache:
    """The six thousand most recently used revisions by ARN, compressed to about a kilobyte each, a tenth of their size."""

    def __init__(self, most: int = _MOST) -> None:
        """At most `most` revisions are kept."""
        self._most = most
        self._known: OrderedDict[str, tuple[TaskDefinition, bytes]] = OrderedDict()

    def get(self, arn: str) -> TaskDefinition | None:
        """Return a revision; its content is a copy of the caller's own."""
        found = self._known.get(arn)
        if found is None:
            return None
        self._known.move_to_end(arn)
        revision, content = found
        return replace(revision, content=json.loads(zlib.decompress(content)))

    def put(self, revision: TaskDefinition) -> None:
        """Remember a revision."""
        content = zlib.compress(json.dumps(revision.content).encode(), _FAST)
        self._known[revision.arn] = (replace(revision, content={}), content)
        self._known.move_to_end(revision.arn)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
