"""Whole objects, for pages that show one: packed, for a fleet's statuses are large and few of them are looked at."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.api.names import LABEL_RELEASE_SET, OUR_LABELS, PROJECT, RELEASE, RELEASE_SET
from ecs_release.pages.sets.details import child_names

KEPT = frozenset({RELEASE, RELEASE_SET, PROJECT})
_LEVEL = 1
# All of metadata that pages show. What else there is may change without a page's changing, and has no bound of its own: annotations and
# labels are up to a megabyte of an object.
_META = frozenset({"name", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp"})


@dataclass(frozen=True, slots=True)
class Names:
    """What an object names: a Release its ReleaseSet, a ReleaseSet its Project, Environment and Releases."""

    release_set: str = ""
    project: str = ""
    environment: str = ""
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    packed: bytes
    mark: int
    names: Names


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
        labels = {k: v for k, v in (meta.get("labels") or {}).items() if k in OUR_LABELS}
        kept = {**body, "metadata": {k: v for k, v in meta.items() if k in _META} | ({"labels": labels} if labels else {})}
        packed = zlib.compress(json.dumps(kept, separators=(",", ":")).encode(), _LEVEL)
        key = (kind, meta["namespace"], meta["name"])
        before = self._documents.get(key)
        if before is not None and before.packed == packed:
            return
        if before is None and kind == RELEASE_SET:
            self._sets[meta["namespace"]] += 1
        self._marks += 1
        self._documents[key] = _Document(packed, self._marks, _names(kind, body, labels))
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
        found = self.packed(kind, namespace, name)
        return unpacked(found) if found is not None else None

    def packed(self, kind: str, namespace: str, name: str) -> bytes | None:
        """Return an object for `unpacked`; None if it is not there."""
        found = self._documents.get((kind, namespace, name))
        return found.packed if found is not None else None

    def names(self, kind: str, namespace: str, name: str) -> Names:
        """Return what an object names; nothing if it is not there."""
        found = self._documents.get((kind, namespace, name))
        return found.names if found is not None else Names()

    def mark(self, kind: str, namespace: str, name: str) -> int:
        """Return a number that is another one after each change of an object, and for an object of the same name; 0 if it is not there."""
        found = self._documents.get((kind, namespace, name))
        return found.mark if found is not None else 0

    @property
    def namespaces(self) -> list[str]:
        """Namespaces that hold ReleaseSets."""
        return list(self._sets)


def unpacked(packed: bytes) -> dict[str, Any]:
    """Return an object. It takes as long as the object is large: a large one is better unpacked in another thread."""
    return dict(json.loads(zlib.decompress(packed)))


def _names(kind: str, body: Mapping[str, Any], labels: Mapping[str, str]) -> Names:
    if kind == RELEASE:
        return Names(release_set=str(labels.get(LABEL_RELEASE_SET) or ""))
    if kind == RELEASE_SET:
        spec = body["spec"]
        return Names("", spec["projectRef"]["name"], spec["environmentRef"]["name"], tuple(child_names(body)))
    return Names()
