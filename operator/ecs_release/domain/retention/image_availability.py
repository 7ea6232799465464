"""Whether the images that a Release needs can still be pulled: those that it wants, and those that a rollback would return to.

Lifecycle rules of a registry expire images whether they run or not, and a task that starts later cannot pull them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.domain.artifacts.registry_images import Finding, Presence, Repository, RequiredImage
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate, find
from ecs_release.domain.model.errors import Blocked, Problem
from ecs_release.domain.model.image_names import ecr_host, parse_image, short_digest
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.verification.proof import Match

WARNED_OF = (Reason.ARTIFACT_GONE, Reason.ROLLBACK_TARGET_GONE, Reason.ARTIFACT_AT_RISK, Reason.KEEP_TAG_FAILED)
"""Reasons of ArtifactAvailable that are reported by an Event, once."""

_GONE = frozenset({Presence.GONE, Presence.ARCHIVED})
_MOST = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """The artifacts of a Release, sorted by what was found of them."""

    gone: tuple[RequiredImage, ...]
    former_gone: tuple[RequiredImage, ...]
    untagged: tuple[RequiredImage, ...]
    unreadable: tuple[Finding, ...]
    complete: bool


def artifacts(target: Target, pin: Pin, status: ReleaseStatus, running: TaskDefinition | None) -> tuple[RequiredImage, ...]:
    """List what is to be looked up: wanted digests, and those that each container would return to, where tasks pull them from."""
    wanted, former = attempts.digests(pin), former_digests(pin, status)
    listed: list[RequiredImage] = []
    for container in target.containers:
        place = repository(target, container.repository, running.image_of(container.name) if running else None)
        pairs = ((wanted.get(container.name, ""), False), (former.get(container.name, ""), True))
        listed += [RequiredImage(container.name, place, digest, is_former) for digest, is_former in pairs if digest]
    return tuple(listed)


def former_digests(pin: Pin, status: ReleaseStatus) -> dict[str, str]:
    """Return what each container ran before it got the wanted digest: by the latest attempt, else by the history."""
    accepted = attempts.proofs(pin)
    changes = [*((status.rollout.images if status.rollout else None) or ())]
    for entry in status.history or ():
        changes += entry.images or ()
    former: dict[str, str] = {}
    for change in changes:
        wanted = accepted.get(change.container)
        differs = wanted is None or wanted.match(change.from_digest) is Match.NO
        if change.from_digest and not change.unlisted and differs:
            former.setdefault(change.container, change.from_digest)
    return former


def repository(target: Target, name: str, image: str | None = None) -> Repository:
    """Return where an image is pulled from: the registry of ECR that the running revision names, else where artifacts are looked up."""
    host = parse_image(image).ecr if image else None
    if host is None or (host.account, host.region) == (target.registry_id, target.registry_region):
        return Repository(target.registry_access, target.registry_id, target.registry_region, name)
    return Repository(target.access, host.account, host.region, name)


def availability_condition(facts: Facts, draft: Draft) -> ConditionUpdate:
    """Return condition ArtifactAvailable. What this process has not looked up yet stays as the status has it, for the same digests."""
    kind = ConditionType.ARTIFACT_AVAILABLE
    if draft.pin is None:
        return ConditionUpdate(kind, UNKNOWN, Reason.RESOLVING_ARTIFACT)
    known = _sorted(facts, draft.pin)
    before = find(facts.status.conditions, kind)
    stands = before is not None and before.reason in _LOOKED_UP and _same_digests(facts, draft.pin)
    if before is not None and stands and not known.complete and not known.gone:
        return ConditionUpdate(kind, before.status, before.reason, before.message)
    status, reason, message = _verdict(facts, known)
    return ConditionUpdate(kind, status, reason, message)


def _verdict(facts: Facts, known: _Known) -> tuple[str, Reason, str]:
    """Return the worst of what was found."""
    if known.gone:
        return FALSE, Reason.ARTIFACT_GONE, _lost(facts, known.gone)
    if known.former_gone:
        return FALSE, Reason.ROLLBACK_TARGET_GONE, f"{_lost(facts, known.former_gone)}. A rollback would return to it"
    if known.untagged:
        return TRUE, Reason.ARTIFACT_AT_RISK, _untagged(known.untagged)
    if known.unreadable:
        return UNKNOWN, Reason.NOT_OBSERVED, known.unreadable[0].message
    if facts.images.keep_problem:
        return TRUE, Reason.KEEP_TAG_FAILED, facts.images.keep_problem
    return TRUE, Reason.RESOLVED, ""


_LOOKED_UP = frozenset({*WARNED_OF, Reason.NOT_OBSERVED})


def lost(facts: Facts, pin: Pin) -> str:
    """Return which wanted images cannot be pulled any more; an empty string if none was found to be so."""
    gone = _sorted(facts, pin).gone
    return _lost(facts, gone) if gone else ""


def refusal(facts: Facts, pin: Pin) -> Problem | None:
    """Return why no attempt can begin: an image that was resolved is gone since."""
    text = lost(facts, pin)
    return Blocked(Reason.ARTIFACT_GONE, text) if text else None


def warnings(status: ReleaseStatus, now: Iterable[ConditionUpdate]) -> list[EventNote]:
    """Return Events about what is wrong with the artifacts, if the reason changes."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    was = before.reason if before is not None else ""
    news = [s for s in now if s.type == ConditionType.ARTIFACT_AVAILABLE and s.reason in WARNED_OF and s.reason != was]
    return [EventNote("Warning", s.reason, "LookUp", s.message) for s in news]


def is_in_question(status: ReleaseStatus) -> bool:
    """Return whether something was found wrong with the artifacts, so that a new process looks again at once."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    return before is not None and before.reason in _LOOKED_UP


def reported_keep_problem(status: ReleaseStatus) -> str:
    """Return why the tag could not be held by the status; an empty string if that says nothing."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    return before.message if before is not None and before.reason == Reason.KEEP_TAG_FAILED else ""


def found_missing(finding: Finding | None) -> bool:
    """Return whether an image was found to be gone, or out of reach."""
    return finding is not None and finding.presence in _GONE


def _sorted(facts: Facts, pin: Pin) -> _Known:
    wanted, found = attempts.digests(pin), facts.images.findings
    listed = [a for a in facts.images.artifacts if a.former or wanted.get(a.container) == a.digest]
    return _Known(
        gone=_having(listed, found, _GONE, former=False),
        former_gone=_having(listed, found, _GONE, former=True),
        untagged=tuple(a for a in listed if a in found and found[a].presence is Presence.UNTAGGED),
        unreadable=tuple(found[a] for a in listed if a in found and found[a].presence is Presence.UNREADABLE),
        complete=bool(listed) and all(a in found for a in listed),
    )


def _having(
    listed: Iterable[RequiredImage], found: Mapping[RequiredImage, Finding], presences: frozenset[Presence], *, former: bool
) -> tuple[RequiredImage, ...]:
    return tuple(a for a in listed if a.former is former and a in found and found[a].presence in presences)


def _same_digests(facts: Facts, pin: Pin) -> bool:
    return facts.status.pin is not None and attempts.digests(facts.status.pin) == attempts.digests(pin)


def _lost(facts: Facts, gone: tuple[RequiredImage, ...]) -> str:
    archived = [a for a in gone if facts.images.findings[a].presence is Presence.ARCHIVED]
    away = [a for a in gone if a not in archived]
    parts = []
    if away:
        parts.append(f"{_names(away)} is not in {_registry(away[0])} any more: push it again, or release another")
    if archived:
        parts.append(f"{_names(archived)} is archived in {_registry(archived[0])} and cannot be pulled: restore it, or release another")
    return "; ".join(parts)


def _untagged(artifacts_: tuple[RequiredImage, ...]) -> str:
    return (
        f"{_names(artifacts_)} has no tag in {_registry(artifacts_[0])}: a lifecycle rule for untagged images may expire it. Tag it, or set"
        " artifacts.keepTag of the Environment"
    )


def _names(listed: Iterable[RequiredImage]) -> str:
    names = [
        f"image {a.repository.name}@{short_digest(a.digest)} (container {a.container}{', before' if a.former else ''})" for a in listed
    ]
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def _registry(artifact: RequiredImage) -> str:
    return ecr_host(artifact.repository.registry_id, artifact.repository.region)
