"""Differences: what two environments run, or what one Release wants and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from ecs_release.pages.links import compare_link
from ecs_release.pages.readiness import is_observed

Key: TypeAlias = tuple[str, str, str]
"""A service: namespace, Project and name."""


class Seen(StrEnum):
    """What is known of what runs on a side."""

    NO_RELEASE = "NoRelease"
    UNKNOWN = "Unknown"
    """There is a Release, and it is not known what runs."""
    NOTHING = "NothingRuns"
    """No task runs; the digests are those of the last ones."""
    PARTLY = "Partly"
    """Not every task has shown its digests, or not lately."""
    ALL = "All"


class Verdict(StrEnum):
    """How two sides compare. Only what is proven is the same."""

    SAME = "Same"
    DIFFERS = "Differs"
    NOTHING_RUNS = "NothingRuns"
    """On one side, or on both: nothing can be compared."""
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a hash to show, the digest of each container that most tasks show, and the running revision.

    `others` are the digests that fewer tasks show. `is_listed`: whether only containers that are released are in it, as far as a pin says
    which those are.
    """

    hash: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    revision: str = ""
    seen: Seen = Seen.UNKNOWN
    others: tuple[tuple[str, str], ...] = ()
    is_listed: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known about this side."""
        return not self.hash and not self.digests

    @property
    def by_container(self) -> dict[str, set[str]]:
        """All digests of each container."""
        found: dict[str, set[str]] = {}
        for container, digest in (*self.digests, *self.others):
            found.setdefault(container, set()).add(digest)
        return found

    @property
    def not_lately(self) -> Side:
        """The same where it was not observed lately: it may no longer be so."""
        less = {Seen.ALL: Seen.PARTLY, Seen.NOTHING: Seen.UNKNOWN}
        return replace(self, seen=less.get(self.seen, self.seen))


NO_RELEASE = Side(seen=Seen.NO_RELEASE)


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
    def verdict(self) -> Verdict:
        """How the digests compare; if a side has none, how the hashes do."""
        before, after = self.before, self.after
        seen = {before.seen, after.seen}
        if Seen.UNKNOWN in seen:
            return Verdict.UNKNOWN
        if Seen.NOTHING in seen:
            return Verdict.NOTHING_RUNS
        if Seen.NO_RELEASE in seen:
            return Verdict.DIFFERS
        if not before.digests or not after.digests:
            return Verdict.UNKNOWN if before.hash == after.hash else Verdict.DIFFERS
        if _differ(before, after):
            return Verdict.DIFFERS
        return Verdict.UNKNOWN if Seen.PARTLY in seen else Verdict.SAME

    @property
    def differs(self) -> bool:
        """Whether something else runs."""
        return self.verdict is Verdict.DIFFERS

    @property
    def is_same(self) -> bool:
        """Whether it is proven that the same runs."""
        return self.verdict is Verdict.SAME


def _differ(before: Side, after: Side) -> bool:
    """Return whether a container runs something else, or runs on one side only; several digests of one are a rollout, half through."""
    left, right = before.by_container, after.by_container
    names = {*left, *right}
    if before.is_listed != after.is_listed:
        # Which of the others are released is not known.
        names = set(left if before.is_listed else right)
    return any(left.get(name) != right.get(name) or len(left[name]) > 1 for name in names)


def running_side(body: Mapping[str, Any]) -> Side:
    """Return what a Release's listed containers run."""
    status = body.get("status") or {}
    running = status.get("running")
    if not running:
        return Side()
    pinned = {i["container"]: i for i in (status.get("pin") or {}).get("images") or ()}
    count, complete = running.get("runningCount") or 0, True
    most, others = list[tuple[str, str]](), list[tuple[str, str]]()
    for container in running.get("containers") or ():
        name = container["name"]
        if pinned and name not in pinned:
            continue
        digests, tasks = _digests_of(container, pinned.get(name) or {})
        complete = complete and tasks >= count
        most += [(name, digest) for digest in digests[:1]]
        others += [(name, digest) for digest in digests[1:]]
    seen = Seen.NOTHING if not count else Seen.UNKNOWN if not most else Seen.ALL if complete else Seen.PARTLY
    revision = str(running.get("taskDefinition") or "")
    found = Side(str(running.get("hash") or ""), tuple(sorted(most)), revision, seen, tuple(sorted(others)), bool(pinned))
    return found if is_observed(body) else found.not_lately


def _digests_of(container: Mapping[str, Any], image: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the digests that a container's tasks show, that of most tasks first, and how many tasks show one."""
    shown = [d for d in container.get("digests") or () if d.get("digest")]
    now = [d for d in shown if d.get("tasks")]
    # Tasks may show a platform's digest if the manifest list's is pinned: show one digest for one image.
    platforms = image.get("platformDigests") or ()
    digests = [image["digest"] if d["digest"] in platforms else d["digest"] for d in now or shown]
    return list(dict.fromkeys(digests)), sum(d["tasks"] for d in now)


def compared(before: Mapping[Key, Side], after: Mapping[Key, Side], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare the services of two sides. `repositories` are the code repositories by namespace and project."""
    keys = sorted(before.keys() | after.keys())
    return [difference(key, before.get(key, NO_RELEASE), after.get(key, NO_RELEASE), repositories) for key in keys]


def difference(key: Key, before: Side, after: Side, repositories: Mapping[tuple[str, str], str]) -> Difference:
    """Compare two sides of a service."""
    found = Difference(*key, before, after)
    return replace(found, link=compare_link(repositories.get(key[:2], ""), before.hash, after.hash)) if found.differs else found


def data(one: Difference) -> dict[str, Any]:
    """Return a difference as data for JSON and YAML."""

    def side(of: Side) -> dict[str, Any] | None:
        return None if of.is_empty else side_data(of)

    return {
        "namespace": one.namespace,
        "project": one.project,
        "service": one.service,
        "differs": None if one.verdict in (Verdict.UNKNOWN, Verdict.NOTHING_RUNS) else one.differs,
        "verdict": str(one.verdict),
        "before": side(one.before),
        "after": side(one.after),
        "link": one.link or None,
    }


def side_data(side: Side) -> dict[str, Any]:
    """Return a side as data for JSON and YAML; `otherDigests` are what fewer tasks show."""
    others: dict[str, list[str]] = {}
    for container, digest in side.others:
        others.setdefault(container, []).append(digest)
    return {
        "hash": side.hash or None,
        "digests": dict(side.digests),
        "otherDigests": others,
        "taskDefinition": side.revision or None,
        "seen": str(side.seen),
    }
