"""Whole objects, for pages that show one: packed, for a fleet's statuses are large and few of them are looked at."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.api.names import PROJECT, RELEASE, RELEASE_SET

KEPT = frozenset({RELEASE, RELEASE_SET, PROJECT})
_LEVEL = 1
# What changes without anything that a page shows, or is not shown.
_LEFT_OUT = frozenset({"managedFields", "resourceVersion", "ownerReferences", "finalizers", "selfLink"})


@dataclass(frozen=True, slots=True)
class _Document:
    packed: bytes
    mark: int


class Documents:
    """Is filled by the watch, and asked by pages. It takes about a tenth of what the objects take as JSON."""

    def __init__(self) -> None:
        """`on_change` is called after each change."""
        self.on_change: Callable[[], None] = lambda: None
        self._documents: dict[tuple[str, str, str], _Document] = {}
        self._sets: Counter[str] = Counter()
        self._marks = 0

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        if kind not in KEPT:
            return
        meta = body["metadata"]
        kept = {**body, "metadata": {k: v for k, v in meta.items() if k not in _LEFT_OUT}}
        packed = zlib.compress(json.dumps(kept, separators=(",", ":")).encode(), _LEVEL)
        key = (kind, meta["namespace"], meta["name"])
        before = self._documents.get(key)
        if before is not None and before.packed == packed:
            return
        if before is None and kind == RELEASE_SET:
            self._sets[meta["namespace"]] += 1
        self._marks += 1
        self._documents[key] = _Document(packed, self._marks)
        self.on_change()

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        if self._documents.pop((kind, namespace, name), None) is None:
            return
        if kind == RELEASE_SET:
            self._sets -= Counter({namespace: 1})
        self.on_change()

    def retain(self, kind: str, there: set[tuple[str, str]], within: str = "") -> None:
        """Forget all objects of a kind but these, in a namespace or (empty) in all."""
        for its_kind, namespace, name in list(self._documents):
            if its_kind == kind and within in ("", namespace) and (namespace, name) not in there:
                self.deleted(kind, namespace, name)

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object; None if it is not there."""
        found = self._documents.get((kind, namespace, name))
        return dict(json.loads(zlib.decompress(found.packed))) if found is not None else None

    def mark(self, kind: str, namespace: str, name: str) -> int:
        """Return a number that is another one after each change of an object, and for an object of the same name; 0 if it is not there."""
        found = self._documents.get((kind, namespace, name))
        return found.mark if found is not None else 0

    @property
    def namespaces(self) -> list[str]:
        """Namespaces that hold ReleaseSets."""
        return list(self._sets)
