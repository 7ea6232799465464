"""Whether the images that a Release needs can still be pulled: those that it wants, and those that a rollback would return to.

Registries expire what nobody tells them to keep (a lifecycle rule knows nothing of what runs), and a task that starts later cannot pull it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.domain.artifacts.registry_images import Artifact, Finding, Presence, Repository
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, Said, find
from ecs_release.domain.model.errors import Blocked, Problem
from ecs_release.domain.model.image_names import ecr_host, parse_image, short_digest
from ecs_release.domain.ports.protocols import EventNote

WARNED_OF = (Reason.ARTIFACT_GONE, Reason.ROLLBACK_TARGET_GONE, Reason.ARTIFACT_AT_RISK, Reason.KEEP_TAG_FAILED)
"""Reasons of ArtifactAvailable that an Event tells, once."""

_GONE = frozenset({Presence.GONE, Presence.ARCHIVED})
_MOST = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """The artifacts of a Release, sorted by what was found of them."""

    gone: tuple[Artifact, ...]
    former_gone: tuple[Artifact, ...]
    untagged: tuple[Artifact, ...]
    unreadable: tuple[Finding, ...]
    complete: bool


def artifacts(target: Target, pin: Pin, status: ReleaseStatus, running: TaskDefinition | None) -> tuple[Artifact, ...]:
    """List what is to be looked up: wanted digests, and those that each container would return to, where tasks pull them from."""
    wanted, former = attempts.digests(pin), former_digests(pin, status)
    listed: list[Artifact] = []
    for container in target.containers:
        place = repository(target, container.repository, running.image_of(container.name) if running else None)
        pairs = ((wanted.get(container.name, ""), False), (former.get(container.name, ""), True))
        listed += [Artifact(container.name, place, digest, is_former) for digest, is_former in pairs if digest]
    return tuple(listed)


def former_digests(pin: Pin, status: ReleaseStatus) -> dict[str, str]:
    """Return what each container ran before it got the wanted digest: by the latest attempt, else by the history."""
    accepted = attempts.accepted(pin)
    changes = [*((status.rollout.images if status.rollout else None) or ())]
    for entry in status.history or ():
        changes += entry.images or ()
    former: dict[str, str] = {}
    for change in changes:
        if change.from_digest and not change.unlisted and change.from_digest not in accepted.get(change.container, frozenset()):
            former.setdefault(change.container, change.from_digest)
    return former


def repository(target: Target, name: str, image: str | None = None) -> Repository:
    """Say where an image is pulled from: where the running revision names a registry of ECR there, else where artifacts are looked up."""
    host = parse_image(image).ecr if image else None
    if host is None or (host.account, host.region) == (target.registry_id, target.registry_region):
        return Repository(target.registry_access, target.registry_id, target.registry_region, name)
    return Repository(target.access, host.account, host.region, name)


def said(facts: Facts, draft: Draft) -> Said:
    """Say ArtifactAvailable. What was not looked up yet, in this process, stays as it was said last of the same digests."""
    kind = ConditionType.ARTIFACT_AVAILABLE
    if draft.pin is None:
        return Said(kind, UNKNOWN, Reason.RESOLVING_ARTIFACT)
    known = _sorted(facts, draft.pin)
    before = find(facts.status.conditions, kind)
    stands = before is not None and before.reason in _LOOKED_UP and _same_digests(facts, draft.pin)
    if before is not None and stands and not known.complete and not known.gone:
        return Said(kind, before.status, before.reason, before.message)
    status, reason, message = _verdict(facts, known)
    return Said(kind, status, reason, message)


def _verdict(facts: Facts, known: _Known) -> tuple[str, Reason, str]:
    """Say the worst of what was found."""
    if known.gone:
        return FALSE, Reason.ARTIFACT_GONE, _lost(facts, known.gone)
    if known.former_gone:
        return FALSE, Reason.ROLLBACK_TARGET_GONE, f"{_lost(facts, known.former_gone)}. A rollback would return to it"
    if known.untagged:
        return TRUE, Reason.ARTIFACT_AT_RISK, _untagged(known.untagged)
    if known.unreadable:
        return UNKNOWN, Reason.NOT_OBSERVED, known.unreadable[0].message
    if facts.keep_problem:
        return TRUE, Reason.KEEP_TAG_FAILED, facts.keep_problem
    return TRUE, Reason.RESOLVED, ""


_LOOKED_UP = frozenset({*WARNED_OF, Reason.NOT_OBSERVED})


def lost(facts: Facts, pin: Pin) -> str:
    """Say which wanted images cannot be pulled any more; an empty string where none is known to be so."""
    gone = _sorted(facts, pin).gone
    return _lost(facts, gone) if gone else ""


def refusal(facts: Facts, pin: Pin) -> Problem | None:
    """Say why no attempt can begin: an image that was resolved is gone since."""
    text = lost(facts, pin)
    return Blocked(Reason.ARTIFACT_GONE, text) if text else None


def warnings(status: ReleaseStatus, now: Iterable[Said]) -> list[EventNote]:
    """Tell once what is wrong with the artifacts: when the reason changes."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    was = before.reason if before is not None else ""
    news = [s for s in now if s.type == ConditionType.ARTIFACT_AVAILABLE and s.reason in WARNED_OF and s.reason != was]
    return [EventNote("Warning", s.reason, "LookUp", s.message) for s in news]


def is_in_question(status: ReleaseStatus) -> bool:
    """Tell whether something was found wrong with the artifacts: a new process looks again at once."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    return before is not None and before.reason in _LOOKED_UP


def keep_problem_said(status: ReleaseStatus) -> str:
    """Return what the status says of the tag that could not be held; an empty string where it says nothing."""
    before = find(status.conditions, ConditionType.ARTIFACT_AVAILABLE)
    return before.message if before is not None and before.reason == Reason.KEEP_TAG_FAILED else ""


def found_missing(finding: Finding | None) -> bool:
    """Tell whether an image was found to be gone, or out of reach."""
    return finding is not None and finding.presence in _GONE


def _sorted(facts: Facts, pin: Pin) -> _Known:
    wanted, found = attempts.digests(pin), facts.findings
    listed = [a for a in facts.artifacts if a.former or wanted.get(a.container) == a.digest]
    return _Known(
        gone=_having(listed, found, _GONE, former=False),
        former_gone=_having(listed, found, _GONE, former=True),
        untagged=tuple(a for a in listed if a in found and found[a].presence is Presence.UNTAGGED),
        unreadable=tuple(found[a] for a in listed if a in found and found[a].presence is Presence.UNREADABLE),
        complete=bool(listed) and all(a in found for a in listed),
    )


def _having(
    listed: Iterable[Artifact], found: Mapping[Artifact, Finding], presences: frozenset[Presence], *, former: bool
) -> tuple[Artifact, ...]:
    return tuple(a for a in listed if a.former is former and a in found and found[a].presence in presences)


def _same_digests(facts: Facts, pin: Pin) -> bool:
    return facts.status.pin is not None and attempts.digests(facts.status.pin) == attempts.digests(pin)


def _lost(facts: Facts, gone: tuple[Artifact, ...]) -> str:
    archived = [a for a in gone if facts.findings[a].presence is Presence.ARCHIVED]
    away = [a for a in gone if a not in archived]
    parts = []
    if away:
        parts.append(f"{_names(away)} is not in {_registry(away[0])} any more: push it again, or release another")
    if archived:
        parts.append(f"{_names(archived)} is archived in {_registry(archived[0])} and cannot be pulled: restore it, or release another")
    return "; ".join(parts)


def _untagged(artifacts_: tuple[Artifact, ...]) -> str:
    return (
        f"{_names(artifacts_)} has no tag in {_registry(artifacts_[0])}: a lifecycle rule for untagged images may expire it. Tag it, or set"
        " artifacts.keepTag of the Environment"
    )


def _names(listed: Iterable[Artifact]) -> str:
    names = [
        f"image {a.repository.name}@{short_digest(a.digest)} (container {a.container}{', before' if a.former else ''})" for a in listed
    ]
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def _registry(artifact: Artifact) -> str:
    return ecr_host(artifact.repository.registry_id, artifact.repository.region)
