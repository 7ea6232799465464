"""Differences: what two environments run, or what one Release wants and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ecs_release.pages.links import compare_link

Key: TypeAlias = tuple[str, str, str]
"""A service: namespace, Project and name."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a hash to show, the digest of each container, and the running revision."""

    hash: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    revision: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known about this side."""
        return not self.hash and not self.digests


@dataclass(frozen=True, slots=True)
class Difference:
    """A service on both sides. `link` is the page that compares the two hashes."""

    namespace: str
    project: str
    service: str
    before: Side
    after: Side
    link: str = ""

    @property
    def differs(self) -> bool:
        """Whether the digests differ; if a side has none, whether the hashes differ."""
        if self.before.digests and self.after.digests:
            shared = dict(self.before.digests).keys() & dict(self.after.digests).keys()
            return any(dict(self.before.digests)[c] != dict(self.after.digests)[c] for c in shared) or not shared
        return self.before.hash != self.after.hash


def running_side(body: Mapping[str, Any]) -> Side:
    """Return what a Release's listed containers run: for each the digest that most tasks show."""
    status = body.get("status") or {}
    running = status.get("running") or {}
    pinned = {i["container"]: i for i in (status.get("pin") or {}).get("images") or ()}
    shown = []
    for container in running.get("containers") or ():
        seen = [d.get("digest") for d in container.get("digests") or () if d.get("digest")]
        if seen and (not pinned or container["name"] in pinned):
            # Tasks may show a platform's digest if the manifest list's is pinned: show one digest for one image.
            image = pinned.get(container["name"], {})
            shown.append((container["name"], image["digest"] if seen[0] in (image.get("platformDigests") or ()) else seen[0]))
    return Side(str(running.get("hash") or ""), tuple(sorted(shown)), str(running.get("taskDefinition") or ""))


def compared(before: Mapping[Key, Side], after: Mapping[Key, Side], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare the services of two sides. `repositories` are the code repositories by namespace and project."""
    return [difference(key, before.get(key, Side()), after.get(key, Side()), repositories) for key in sorted(before.keys() | after.keys())]


def difference(key: Key, before: Side, after: Side, repositories: Mapping[tuple[str, str], str]) -> Difference:
    """Compare two sides of a service."""
    found = Difference(*key, before, after)
    return replace(found, link=compare_link(repositories.get(key[:2], ""), before.hash, after.hash)) if found.differs else found


def data(one: Difference) -> dict[str, Any]:
    """Return a difference as data for JSON and YAML."""

    def side(of: Side) -> dict[str, Any] | None:
        return None if of.is_empty else {"hash": of.hash or None, "digests": dict(of.digests), "taskDefinition": of.revision or None}

    return {
        "namespace": one.namespace,
        "project": one.project,
        "service": one.service,
        "differs": one.differs,
        "before": side(one.before),
        "after": side(one.after),
        "link": one.link or None,
    }
