"""What is wanted of a service in an environment, by its Release and by the ReleaseSet that it is in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.release import Release
from ecs_release.api.release_status import PinnedImage, ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.claimed_hash import claimed
from ecs_release.domain.artifacts.source import display_hash, source_hash
from ecs_release.domain.model.conditions import find
from ecs_release.domain.presence.answers import Answer, Contains, Graph, answer, joined
from ecs_release.domain.sets.facts import set_display_hash, set_source_hash

UNSEEN = "the operator has not looked at this version yet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that is wanted, called `name`; how far it is, in the words of the object that wants it, and since when."""

    answer: Answer
    name: str
    reason: str
    message: str
    since: datetime | None


def wanted_by_release(release: Release, listed: Collection[str], graph: Graph) -> Wanted:
    """Return what a Release wants: its pin, else what its source says."""
    source, pin = release.spec.source, (release.status or ReleaseStatus()).pin
    name = display_hash(source, pin)
    if pin is not None and pin.source_hash == source_hash(source):
        return _wanted(release, _of_images(pin.images or (), listed, graph), name)
    return _wanted(release, _of_source(source, graph), name)


def wanted_by_set(release_set: ReleaseSet, service: str, listed: Collection[str], graph: Graph) -> Iterator[Wanted]:
    """Yield what a set wants of a service: what it has resolved, and what its spec says if that is something else."""
    spec, status = release_set.spec, release_set.status or ReleaseSetStatus()
    line = next((s for s in status.services or () if s.name == service), None)
    if line is not None and line.images:
        yield _wanted(release_set, _of_images(line.images, listed, graph), line.hash or "")
    if status.source_hash == set_source_hash(spec):
        return
    override = next((o.source for o in spec.overrides or () if o.service == service), None)
    if override is not None:
        yield _wanted(release_set, _of_source(override, graph), display_hash(override))
    elif spec.source is not None:
        name = set_display_hash(spec)
        given = spec.source.release_hash
        found = answer(graph, given, "") if given else Answer(Contains.UNKNOWN, f"it is not known yet which commit {name} means")
        yield _wanted(release_set, found, name)


def _of_images(images: Collection[PinnedImage], listed: Collection[str], graph: Graph) -> Answer:
    counted = [i for i in images if i.container in listed] or list(images)
    return joined(answer(graph, i.release_hash, f"the image that is wanted for {i.container}") for i in counted)


def _of_source(source: Source, graph: Graph) -> Answer:
    if source.release_hash:
        return answer(graph, source.release_hash, "")
    if source.tag:
        return Answer(Contains.UNKNOWN, f"it is not known yet which commit tag {source.tag} means")
    return joined(answer(graph, claimed(i.release_hash or ""), f"the image that is wanted for {i.container}") for i in source.images or ())


def _wanted(wanting: Release | ReleaseSet, found: Answer, name: str) -> Wanted:
    status = wanting.status
    ready = find(status.conditions, "Ready") if status is not None else None
    if status is None or ready is None or status.observed_generation != wanting.metadata.generation:
        return Wanted(found, name, "", UNSEEN, None)
    return Wanted(found, name, ready.reason, ready.message, ready.last_transition_time)
