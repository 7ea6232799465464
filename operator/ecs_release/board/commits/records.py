"""What the board knows of code: what each Release runs, by digest; and of each Project its ReleaseSets, and where its commits are."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import ValidationError

from ecs_release.api.names import PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.domain.ports.commits import Repository
from ecs_release.pages.comparison.differences import Side, running_side

log = logging.getLogger(__name__)

Name: TypeAlias = tuple[str, str]
"""Namespace and name."""
_UNREADABLE = (ValidationError, ValueError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class Code:
    """Where the code of a Project is: for people, and for the commits service if the Project says so."""

    link: str = ""
    repository: Repository | None = None


class Records:
    """Is filled by the watch, and asked by pages. Its size is bounded by what is in the cluster: a few hundred bytes for each Release."""

    def __init__(self) -> None:
        """Nothing is known before it is read."""
        self.sides: dict[Name, Side] = {}
        self.code: dict[Name, Code] = {}
        self._sets: dict[Name, str] = {}
        self.version = 0

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in a Release, ReleaseSet or Project that is there; what else there is, is left alone."""
        if kind not in (RELEASE, RELEASE_SET, PROJECT):
            return
        name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            if kind == RELEASE:
                self._put(self.sides, name, _interned(running_side(body)))
            elif kind == RELEASE_SET:
                self._put(self._sets, name, str(body["spec"]["projectRef"]["name"]))
            else:
                self._put(self.code, name, _code(Project.model_validate(body)))
        except _UNREADABLE as error:
            # One that this version cannot read must not hide the others.
            log.warning("%s %s/%s is not compared: it cannot be read: %s", kind, *name, type(error).__name__)
            self.deleted(kind, *name)

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        if self._of(kind).pop((namespace, name), None) is not None:
            self.version += 1

    def retain(self, kind: str, there: set[Name], within: str = "") -> None:
        """Forget all objects of a kind but these, in a namespace or (empty) in all."""
        for name in [n for n in self._of(kind) if within in ("", n[0]) and n not in there]:
            self.deleted(kind, *name)

    def sets_of(self, namespace: str, project: str) -> list[str]:
        """Return the names of the ReleaseSets of a Project."""
        return [name for (its, name), of in self._sets.items() if (its, of) == (namespace, project)]

    def _of(self, kind: str) -> dict[Name, Any]:
        by_kind: dict[str, dict[Name, Any]] = {RELEASE: self.sides, RELEASE_SET: self._sets, PROJECT: self.code}
        return by_kind.get(kind, {})

    def _put(self, into: dict[Name, Any], name: Name, value: object) -> None:
        if into.get(name) != value:
            into[name] = value
            self.version += 1


def _interned(side: Side) -> Side:
    """Return the same with texts that are kept once, however many Releases have them."""
    digests, others = (tuple((sys.intern(str(c)), sys.intern(str(d))) for c, d in pairs) for pairs in (side.digests, side.others))
    return replace(side, hash=sys.intern(side.hash), digests=digests, others=others)


def _code(project: Project) -> Code:
    git = project.spec.git
    repository = Repository(project.metadata.namespace or "", git.url, git.branch) if git is not None else None
    return Code(project.spec.repository or (git.url if git is not None else ""), repository)
