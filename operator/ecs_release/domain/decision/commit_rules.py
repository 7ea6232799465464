"""What the commit graph has to say of an attempt: which questions an Environment's `commits` asks, and what the answers forbid.

Pure: who asks them is `engine.artifacts.commit_graph`. A commit that nothing confirms is not known, whatever the graph says of its name:
a manifest that merely claims a hash would choose the answer. With `notMerged: Refuse` a hash of fewer than 12 characters is not known,
either: to make a commit whose hash begins with a few given characters is cheap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.conditions import Reason
from ecs_release.api.names import OVERRIDE_COMMITS_ANNOTATION
from ecs_release.domain.artifacts.claimed_hash import given_hash, is_claimed
from ecs_release.domain.model.conditions import Situation, stalled, waiting
from ecs_release.domain.ports.commits import Membership, Relation, RelationKind, Repository, Unknown, UnknownReason

SHORTEST_MERGED = 12
_HASH = re.compile(r"[0-9a-f]{7,40}")
_SHOWN = 12
_PASSING = frozenset({UnknownReason.PENDING, UnknownReason.BUSY, UnknownReason.UNREADABLE})

RUNS, UNDER_WAY, DEPLOYED = "runs", "is under way", "was deployed last"


@dataclass(frozen=True, slots=True)
class Standing:
    """A commit that an attempt would take the place of: how it stands there, and since when. `hash` is empty if it is not known."""

    hash: str
    how: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What an attempt does to one container: an image of commit `to` takes the place of others. `to` is empty if it is not known."""

    container: str
    to: str
    over: tuple[Standing, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """How a commit stands to another one; without one, whether it is on the branch. Hashes are as tags have them, perhaps abbreviated."""

    commit: str
    other: str = ""


Answer: TypeAlias = Relation | Membership | Unknown


@dataclass(frozen=True, slots=True)
class Answers:
    """What the graph has answered. `awaited` are questions whose answers may come in a moment; what is in neither was not asked yet."""

    repository: Repository | None = None
    known: Mapping[Question, Answer] = field(default_factory=dict)
    awaited: frozenset[Question] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt may not begin.

    `passes`: it may pass by itself, without anybody's doing. `is_asking`: an answer may come in a moment.
    """

    reason: Reason
    message: str
    passes: bool = False
    is_asking: bool = False

    @property
    def situation(self) -> Situation:
        """How an object stands that is refused so."""
        return waiting(self.reason, self.message) if self.passes else stalled(self.reason, self.message)


def questions(rules: EnvironmentCommits, steps: Iterable[Step]) -> tuple[Question, ...]:
    """List what is to be asked about the steps of an attempt: each question once."""
    found: dict[Question, None] = {}
    for step in steps:
        if why_unjudged(rules, step.to):
            continue
        if rules.not_merged == "Refuse":
            found[Question(step.to)] = None
        found |= dict.fromkeys(Question(step.to, o.hash) for o in _compared(rules, step) if is_commit_hash(o.hash))
    return tuple(found)


def refusal(rules: EnvironmentCommits, steps: Sequence[Step], answers: Answers) -> Refusal | None:
    """Return why an attempt may not begin by the commit graph; None if it may.

    What is known to be wrong comes before what is not known. An answer that may come in a moment is waited for, whatever `unknown` says.
    """
    unmerged = next(_unmerged(rules, steps, answers), None)
    if unmerged is not None:
        return unmerged
    backward = sorted(_backward(rules, steps, answers), key=lambda r: r.passes)
    if backward:
        return backward[0]
    unknown = list(_unknown(rules, steps, answers))
    if rules.unknown != "Hold":
        return next((r for r in unknown if r.is_asking), None)
    # What somebody has to mend is said first.
    return min(unknown, key=lambda r: (r.passes, r.is_asking), default=None)


def without_meant(steps: Iterable[Step], rollback_from: str | None) -> tuple[tuple[Step, ...], bool]:
    """Leave out what `spec.change.rollbackFrom` names: going back from it is meant. Returns also whether it names anything."""
    left = tuple(Step(s.container, s.to, tuple(o for o in s.over if not _is_named(o.hash, rollback_from))) for s in steps)
    return left, any(len(a.over) != len(b.over) for a, b in zip(left, steps, strict=True))


def shown(commit: str) -> str:
    """Return a hash as messages have it."""
    return commit if is_claimed(commit) else commit[:_SHOWN]


def _is_named(commit: str, given: str | None) -> bool:
    its = given_hash(commit) or ""
    return bool(given and its) and (its.startswith(given or "") or (is_commit_hash(its) and (given or "").startswith(its)))


def is_commit_hash(commit: str) -> bool:
    """Return whether a release hash has the form of a commit's, perhaps abbreviated."""
    return _HASH.fullmatch(commit) is not None


def why_unjudged(rules: EnvironmentCommits, commit: str) -> str:
    """Return why nothing can be said of a commit; an empty string if the graph can be asked."""
    if not commit:
        return "its image has no tag with a release hash"
    if is_claimed(commit):
        return f"{given_hash(commit)} is what the manifest says: no tag in ECR confirms it"
    if not is_commit_hash(commit):
        return f"{commit} is not the hash of a commit"
    if rules.not_merged == "Refuse" and len(commit) < SHORTEST_MERGED:
        return f"{commit} can be forged, for it is short: with notMerged Refuse a hash has {SHORTEST_MERGED} characters or more"
    return ""


def _compared(rules: EnvironmentCommits, step: Step) -> Iterator[Standing]:
    """Yield what a commit must not lack anything of; the same hash needs no question."""
    if rules.backwards == "Hold":
        yield from (o for o in step.over if o.hash != step.to or not is_commit_hash(o.hash))


def _unmerged(rules: EnvironmentCommits, steps: Sequence[Step], answers: Answers) -> Iterator[Refusal]:
    if rules.not_merged != "Refuse":
        return
    for step in steps:
        found = answers.known.get(Question(step.to))
        where = f"branch {answers.repository.branch} of {answers.repository.url}" if answers.repository else "the branch"
        mend = "merge it, or release one that is; it goes by itself once it is merged"
        if isinstance(found, Membership) and not found.on_branch:
            as_of = f"{found.as_of:%Y-%m-%d %H:%M:%S} UTC"
            yield Refusal(Reason.NOT_MERGED, f"commit {shown(step.to)} is not on {where}, as of {as_of}: {mend}")
        elif isinstance(found, Unknown) and found.reason is UnknownReason.COMMIT_NOT_FOUND:
            # An abbreviated hash is looked for among the commits of the branch, as it is now.
            yield Refusal(Reason.NOT_MERGED, f"commit {shown(step.to)} is not on {where}: {mend}")


def _backward(rules: EnvironmentCommits, steps: Sequence[Step], answers: Answers) -> Iterator[Refusal]:
    for step in steps:
        for other in _compared(rules, step):
            found = answers.known.get(Question(step.to, other.hash))
            if isinstance(found, Relation) and found.behind:
                yield _goes_back(step, other, found)


def _goes_back(step: Step, other: Standing, found: Relation) -> Refusal:
    count = f"{found.behind} commit{'s' if found.behind > 1 else ''}"
    since = f" since {other.since:%Y-%m-%d %H:%M:%S} UTC" if other.since else ""
    newer = f"{shown(other.hash)}, which {other.how}{since}"
    if found.kind is RelationKind.BEHIND:
        what = f"commit {shown(step.to)} is {count} behind {newer}"
    else:
        what = f"commit {shown(step.to)} has diverged from {newer}: it lacks {count} of it, and has {found.ahead} of its own"
    meant = f"if it is meant, say spec.change.rollbackFrom: {shown(other.hash)}, or annotate {OVERRIDE_COMMITS_ANNOTATION}=<token>/<reason>"
    return Refusal(Reason.GOES_BACKWARDS, f"{what}. Nothing is deployed: {meant}", passes=other.how == UNDER_WAY)


def _unknown(rules: EnvironmentCommits, steps: Sequence[Step], answers: Answers) -> Iterator[Refusal]:
    """Yield what is asked for and not known."""
    for step in steps:
        others = list(_compared(rules, step))
        if rules.not_merged != "Refuse" and not others:
            continue
        why = why_unjudged(rules, step.to)
        if why:
            yield _not_known(f"the commit of container {step.container} is not known: {why}")
            continue
        if rules.not_merged == "Refuse":
            yield from _unanswered(answers, Question(step.to), f"whether commit {shown(step.to)} is merged")
        for other in others:
            what = f"how commit {shown(step.to)} stands to {shown(other.hash) or 'the one'}, which {other.how}"
            if is_commit_hash(other.hash):
                yield from _unanswered(answers, Question(step.to, other.hash), what)
            else:
                yield _not_known(f"it is not known {what}: {why_unjudged(rules, other.hash)}")


def _unanswered(answers: Answers, question: Question, what: str) -> Iterator[Refusal]:
    found = answers.known.get(question)
    if found is None or question in answers.awaited:
        yield Refusal(Reason.COMMIT_UNKNOWN, f"asking the commits service {what}", passes=True, is_asking=True)
    elif isinstance(found, Unknown):
        yield _not_known(f"it is not known {what}: {found.message}", passes=found.reason in _PASSING)


def _not_known(message: str, *, passes: bool = False) -> Refusal:
    meant = f"to release it nevertheless, annotate {OVERRIDE_COMMITS_ANNOTATION}=<token>/<reason>"
    return Refusal(Reason.COMMIT_UNKNOWN, f"{message}. Nothing is deployed: {meant}", passes=passes)
