"""Whether an attempt that is due may begin now by the commit graph, and by what right if the graph speaks against it.

Asked when an attempt is to begin, and again before it changes what runs, as windows are. What goes back on purpose is not asked: what a
ReleaseSet takes back, or back to what it was Ready on, the correction of drift, and the same digests on a newer base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.release_status import HistoryEntry, Pin, ReleaseStatus, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.commit_rules import (
    DEPLOYED,
    RUNS,
    UNDER_WAY,
    Answers,
    Question,
    Refusal,
    Standing,
    Step,
    questions,
    refusal,
    without_meant,
)
from ecs_release.domain.decision.decision import Changed, Draft, Outcome
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.request_annotations import commits_override_requested
from ecs_release.domain.decision.suspension import suspension_of
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.verification.proof import Match, seen_digests

_ASK_AGAIN_S = 1.0
_MOST_SEEN = 5
"""Digests of one container that are compared: while one deployment takes another's place there are two."""
_OVERRIDE = "override "


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether an attempt may begin: `refused` says why not.

    `right` says why it may although the graph speaks against it; `override` is the request that permits it.
    """

    refused: Refusal | None = None
    right: str = ""
    override: str = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """What an attempt may pass by: the request of a person, what `spec.change.rollbackFrom` names, or what it was given before."""

    override: str | None = None
    rollback_from: str | None = None
    given: str = ""


def judge(rules: EnvironmentCommits, steps: Sequence[Step], answers: Answers, rights: Rights) -> Passage:
    """Return whether an attempt may begin by the commit graph. A right that it was given once stays with it."""
    if is_override(rights.given):
        return Passage(right=rights.given)
    left, is_meant = without_meant(steps, rights.rollback_from)
    if rights.given:
        left, is_meant = tuple(Step(s.container, s.to) for s in steps), True
    right = rights.given or (f"rollbackFrom {rights.rollback_from}" if is_meant and rules.backwards == "Hold" else "")
    refused, override = refusal(rules, left, answers), override_right(rights.override)
    if refused is not None and not refused.is_asking and override:
        return Passage(right=override, override=rights.override or "")
    return Passage(refused, right)


def override_right(request: str | None) -> str:
    """Return the right that a request to pass gives; an empty string if it is no `<token>/<reason>`."""
    token, _, why = (request or "").partition("/")
    return f"{_OVERRIDE}{token}: {why}" if token and why else ""


def is_override(right: str) -> bool:
    """Return whether a right is that of an override: whatever the graph says. `rollbackFrom` permits only what it names."""
    return right.startswith(_OVERRIDE)


def passage_of(facts: Facts, draft: Draft, pin: Pin, cause: str, given: str = "") -> Passage:
    """Return whether an attempt of a cause may begin by the commit graph; `given` is a right that it was given before."""
    rules = _rules(facts)
    if rules is None or cause in (drift.CAUSE, base_revision.CAUSE):
        return Passage()
    change, override = facts.release.spec.change, commits_override_requested(facts.release.metadata, draft)
    rights = Rights(override, change.rollback_from if change else None, given or facts.permission.commit_right)
    return judge(rules, steps_of(facts, draft.rollout, draft.history, pin), facts.commits, rights)


def asked(facts: Facts) -> tuple[Question, ...]:
    """List what is to be asked before a decision: nothing, unless an attempt may begin, or is about to change what runs."""
    rules, pin, rollout = _rules(facts), facts.wanted.pin, facts.status.rollout
    if rules is None or pin is None or suspension_of(facts) is not None:
        return ()
    acts = attempts.intended_action(rollout) in (attempts.PUT, attempts.UPDATE)
    if not acts and not may_begin(facts.release, pin, may_correct=facts.permission.may_correct):
        return ()
    return questions(rules, steps_of(facts, rollout, facts.status.history or (), pin))


def held(facts: Facts, draft: Draft, pin: Pin, refused: Refusal) -> Outcome:
    """Report why an attempt does not begin. It is asked again soon if the answer may come in a moment."""
    acknowledge_bad_override(facts, draft)
    draft.plan = plan(facts, pin, refused.message)
    again_s = _ASK_AGAIN_S if refused.is_asking else (facts.limits.retry_s if refused.passes else None)
    return Outcome(refused.situation, again_s=again_s)


def note(facts: Facts, draft: Draft, way: Passage) -> None:
    """Say with an Event by what right an attempt goes on against the commit graph, and acknowledge the override: used, or of no use."""
    if way.right:
        draft.event("Warning" if way.override else "Normal", "CommitsPassed", "Deploy", f"against the commit graph by {way.right}")
    if way.override:
        draft.handled_override_commits = way.override
    else:
        acknowledge_override(facts, draft)


def acknowledge_override(facts: Facts, draft: Draft) -> Changed | None:
    """Acknowledge an override that nothing waits for, or that is no `<token>/<reason>`: it must not let a later attempt through."""
    request = commits_override_requested(facts.release.metadata, draft)
    if request is None:
        return None
    draft.handled_override_commits = request
    why = "no attempt waits for it" if override_right(request) else "it must be <token>/<reason>"
    draft.event("Normal", "OverrideIgnored", "Override", f"override-commits {request!r} is not used: {why}")
    return Changed("an override is acknowledged that nothing waits for")


def acknowledge_bad_override(facts: Facts, draft: Draft) -> None:
    """Acknowledge an override that is no `<token>/<reason>`."""
    if not override_right(commits_override_requested(facts.release.metadata, draft)):
        acknowledge_override(facts, draft)


def steps_of(facts: Facts, rollout: Rollout | None, history: Sequence[HistoryEntry], pin: Pin) -> tuple[Step, ...]:
    """Return what an attempt at a pin would do to each container that it changes."""
    accepted, latest = attempts.accepted(facts, pin), list(latest_of(rollout, history, pin))
    steps = []
    for image in pin.images or ():
        wanted = accepted.get(image.container)
        if wanted is None:
            continue
        running = list(_running(facts, image.container))
        before = [s for container, digest, s in latest if container == image.container and wanted.match(digest) is not Match.YES]
        runs = bool(running) and all(wanted.match(digest) is Match.YES for digest, _ in running)
        # What runs already is adopted; but not in the place of what is under way, of which no task runs yet.
        if runs and not any(s.how == UNDER_WAY for s in before):
            continue
        over = [Standing(name, RUNS, _since(facts.status, digest)) for digest, name in running if wanted.match(digest) is not Match.YES]
        over += before
        steps.append(Step(image.container, image.release_hash or "", once(over)))
    return tuple(steps)


def latest_of(rollout: Rollout | None, history: Sequence[HistoryEntry], pin: Pin | None) -> Iterator[tuple[str, str, Standing]]:
    """Yield the commits of the latest attempt that is under way or went well, by container and digest; not that of an attempt at `pin`."""
    if pin is not None and attempts.is_open(rollout) and attempts.covers(rollout, pin):
        rollout = None
        history = [e for e in history if e.outcome]
    found: Rollout | HistoryEntry | None = rollout
    if rollout is None or (rollout.outcome and rollout.outcome not in attempts.GOOD):
        found = next((e for e in history if e.outcome in attempts.GOOD), None)
    for image in (found.images if found is not None else None) or ():
        if image.to_digest and not image.unlisted and found is not None:
            how = DEPLOYED if found.outcome else UNDER_WAY
            yield image.container, image.to_digest, Standing(image.to_hash or "", how, found.start_time)


def _rules(facts: Facts) -> EnvironmentCommits | None:
    """Return what the Environment asks the graph for; None if that is nothing, or what is done goes back on purpose."""
    rules = facts.place.environment.spec.commits if facts.place.environment is not None else None
    if rules is None or not rules.are_asked or facts.permission.reverting or facts.permission.returning:
        return None
    return rules


def _running(facts: Facts, container: str) -> Iterator[tuple[str, str]]:
    """Yield the digests that a container's tasks show, with their release hashes."""
    seen = [s for s in (seen_digests(facts.service) if facts.service else ()) if s.container == container and s.digest]
    yield from ((s.digest, facts.release_hashes.get(s.digest, "")) for s in seen[:_MOST_SEEN])


def _since(status: ReleaseStatus, digest: str) -> datetime | None:
    running = status.running
    shows = any(d.digest == digest for c in (running.containers if running else None) or () for d in c.digests or ())
    return running.since_time if running is not None and shows else None


def once(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Leave out what stands there twice. What is under way is that, though its first tasks run: it may fail."""
    ordered = sorted(standings, key=lambda s: s.how != UNDER_WAY)
    return tuple({s.hash: s for s in reversed(ordered)}.values())[::-1]
