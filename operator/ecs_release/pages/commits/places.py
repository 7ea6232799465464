"""Where each of many commits is: for each environment, by the services that are released there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.presence.answers import Answer, mentioned
from ecs_release.domain.presence.former import last_failure, last_stay
from ecs_release.domain.presence.presence import Cell, Place, State, is_there, listed_containers, presence
from ecs_release.domain.sets.child_state import VERDICT_REASONS
from ecs_release.pages.presence_words import FAILED, WORDS

Contains: TypeAlias = Callable[[str, str], Answer]
"""Answers whether a release hash contains a commit: `contains(commit, release_hash)`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a commit stands with one service: a word with its mark and style, since when, and what there is to say.

    `since` and `until` are when it was there, if it was and is not; `is_live`: for sure, and not by a hash that is merely claimed.
    """

    word: str
    mark: str
    style: str
    since: datetime | None = None
    until: datetime | None = None
    message: str = ""
    claimed: bool = False
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Services with which a commit stands alike. The times are those of the one that has got there last."""

    standing: Standing
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """A service in an environment, and the release hashes that decide whether a commit is there."""

    service: str
    environment: str
    place: Place
    hashes: tuple[str, ...]


def service_places(places: Mapping[tuple[tuple[str, str, str], str], Place]) -> list[ServicePlace]:
    """Return the places of `domain.presence.table.places`, each with its hashes."""
    found = []
    for (key, environment), place in sorted(places.items(), key=lambda one: one[0]):
        objects = [o.model_dump(by_alias=True, exclude_none=True) for o in (place.release, place.release_set) if o is not None]
        hashes = tuple(sorted({h for body in objects for h in mentioned(body) if h}))
        found.append(ServicePlace(key[2], environment, place, hashes))
    return found


def standings(commits: Sequence[str], places: Iterable[ServicePlace], contains: Contains) -> dict[str, dict[str, list[Group]]]:
    """Return of each commit how it stands in each environment: by hash, then by environment.

    Commits that the same hashes contain stand alike: each such history is decided once for a place.
    """
    found: dict[str, dict[str, dict[tuple[str, ...], list[tuple[str, Standing]]]]] = {commit: {} for commit in commits}
    for one in places:
        known: dict[tuple[Answer, ...], Standing] = {}
        for commit in commits:
            answers = tuple(contains(commit, h) for h in one.hashes)
            standing = known.get(answers)
            if standing is None:
                standing = known[answers] = _standing(one.place, dict(zip(one.hashes, answers, strict=True)))
            alike = (standing.word, "" if standing.is_live else standing.message, str(standing.claimed))
            found[commit].setdefault(one.environment, {}).setdefault(alike, []).append((one.service, standing))
    return {
        commit: {name: [_group(members) for members in groups.values()] for name, groups in environments.items()}
        for commit, environments in found.items()
    }


def _group(members: Sequence[tuple[str, Standing]]) -> Group:
    latest = max((s for _, s in members), key=lambda s: (s.since is not None, s.since.timestamp() if s.since else 0))
    return Group(latest, tuple(service for service, _ in members))


def _standing(place: Place, answers: Mapping[str, Answer]) -> Standing:
    cell = presence(place, answers.__getitem__)
    status = (place.release.status if place.release is not None else None) or ReleaseStatus()
    listed = listed_containers(place)
    if cell.state is State.WAITING and cell.reason in VERDICT_REASONS:
        return _made(FAILED, cell, since=cell.since)
    if cell.state is State.WAS_HERE:
        stay = last_stay(status, listed, answers.__getitem__)
        since, until = (stay.since, stay.until) if stay is not None else (None, cell.since)
        return _made(WORDS[cell.state], cell, since=since, until=until)
    if cell.state is State.NOT_YET and (failed := last_failure(status, listed, answers.__getitem__)) is not None:
        message = ": ".join(part for part in (failed.outcome, failed.message) if part)
        return _made(FAILED, cell, since=failed.completion_time, message=message)
    return _made(WORDS[cell.state], cell, since=cell.since)


def _made(
    word: tuple[str, str, str], cell: Cell, *, since: datetime | None, until: datetime | None = None, message: str | None = None
) -> Standing:
    said = ": ".join(part for part in (cell.reason, cell.message) if part)
    return Standing(*word, since, until, said if message is None else message, cell.claimed, is_there(cell))
