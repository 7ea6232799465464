"""What a commit graph answers: whether a commit's history contains the one that is looked for. What is not known is no "no"."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from ecs_release.api.release_status import Running
from ecs_release.domain.artifacts.claimed_hash import given_hash, is_claimed
from ecs_release.domain.model.image_names import short_digest


class Contains(StrEnum):
    """Whether the commit that is looked for is in a commit's history, or is that commit."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the graph. `why` says why it is Unknown; `claimed`: it rests on a hash that no tag in ECR confirms."""

    contains: Contains
    why: str = ""
    claimed: bool = False


Graph: TypeAlias = Callable[[str], Answer]
"""Answers for a release hash, without the mark of a claimed one."""

_HASHES = frozenset({"releaseHash", "toHash", "fromHash"})


def mentioned(body: Any) -> Iterator[str]:
    """Yield the release hashes in an object as the API server has it: what its presence may ask the graph."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            if name in _HASHES and isinstance(value, str):
                yield given_hash(value) or ""
            else:
                yield from mentioned(value)
    elif isinstance(body, list):
        for value in body:
            yield from mentioned(value)


def answer(graph: Graph, release_hash: str | None, what: str) -> Answer:
    """Ask about a release hash as status has it; `what` is the image that has it."""
    given = given_hash(release_hash)
    if not given:
        return Answer(Contains.UNKNOWN, f"{what} has no tag with a release hash")
    return replace(graph(given), claimed=is_claimed(release_hash))


def joined(answers: Iterable[Answer]) -> Answer:
    """Return what several images say together: all of them must contain the commit; one that does not is enough for No."""
    found = list(answers)
    for kind in (Contains.NO, Contains.UNKNOWN):
        of_kind = [a for a in found if a.contains is kind]
        if of_kind:
            # One that is confirmed says it without the others.
            return min(of_kind, key=lambda a: a.claimed)
    if not found:
        return Answer(Contains.UNKNOWN, "no image is known")
    return Answer(Contains.YES, claimed=any(a.claimed for a in found))


def of_running(running: Running, listed: Collection[str], graph: Graph) -> Answer:
    """Return whether what runs contains the commit: every running task, in each listed container."""
    return joined(_of_tasks(running, listed, graph))


def _of_tasks(running: Running, listed: Collection[str], graph: Graph) -> Iterator[Answer]:
    shown = {c.name: [d for d in c.digests or () if d.tasks] for c in running.containers or ()}
    total = running.running_count or 0
    for name in sorted(listed):
        digests = shown.get(name, [])
        unseen = total - sum(d.tasks or 0 for d in digests)
        if unseen > 0:
            yield Answer(Contains.UNKNOWN, f"{unseen} of {total} running tasks do not show the image of container {name}")
        yield from (answer(graph, d.release_hash, f"image {short_digest(d.digest or '') or 'of a task'} of {name}") for d in digests)
