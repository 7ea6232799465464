"""The decision about one ReleaseSet. Pure: no I/O, clock, log or chance.

A pass either writes a status with something new in it, or writes children as the accepted status wants them: so no child is ever told
what the status does not show, and a crash loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_release.api.conditions import Reason
from ecs_release.api.names import ABORT_ANNOTATION, OVERRIDE_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION
from ecs_release.domain.decision.request_annotations import is_first_sight, token_of
from ecs_release.domain.model.conditions import of_problem, progressing, stalled
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.sets import deployment_set as deployments
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT, Standing, State
from ecs_release.domain.sets.child_writes import deletions, requests, writes
from ecs_release.domain.sets.decision import SetDecision, SetDraft, SetOutcome, child_of, intents, standings
from ecs_release.domain.sets.facts import SetFacts
from ecs_release.domain.sets.status import report


def decide_set(facts: SetFacts) -> SetDecision:
    """Decide what a set's status says next, and which children are written."""
    draft = SetDraft.of(facts.status)
    _acknowledge_old(facts, draft)
    if facts.problem is not None:
        again = facts.retry_s if isinstance(facts.problem, Retryable) else None
        return _report(facts, draft, SetOutcome(of_problem(facts.problem), again_s=again))
    _let_go(facts, draft)
    conflict = _conflict(facts)
    if conflict is not None:
        return _report(facts, draft, conflict)
    unresolved = _resolve(facts, draft)
    if unresolved is not None:
        return _report(facts, draft, unresolved)
    _handle_requests(facts, draft)
    _advance(facts, draft)
    return _report(facts, draft, _act(facts, draft))


def _report(facts: SetFacts, draft: SetDraft, outcome: SetOutcome) -> SetDecision:
    """Report, and let go of what left: that waits for nothing but an accepted status."""
    known = {s.name for s in facts.status.services or () if s.state == LEFT}
    gone = tuple(w for w in deletions(facts, draft) if w.service in known)
    asked = tuple(requests(facts, draft))
    # A child that was given a request is another version now: what else it is to be told waits for the next pass.
    writes_too = (*gone, *(w for w in outcome.writes if w.service not in draft.requests))
    again = 0 if outcome.again_s is None and not gone and any(deletions(facts, draft)) else outcome.again_s
    return report(facts, draft, SetOutcome(outcome.situation, asked, writes_too, again))


def _acknowledge_old(facts: SetFacts, draft: SetDraft) -> None:
    """Record the tokens that are there at first sight as handled: they are from before (a restored cluster, a re-created object)."""
    if not is_first_sight(facts.status):
        return
    meta = facts.release_set.metadata
    draft.handled_retry, draft.handled_abort = token_of(meta, RETRY_ANNOTATION), token_of(meta, ABORT_ANNOTATION)
    draft.handled_refresh, draft.handled_override = token_of(meta, REFRESH_ANNOTATION), token_of(meta, OVERRIDE_ANNOTATION)


def _let_go(facts: SetFacts, draft: SetDraft) -> None:
    """Note which services left the set: their children go, and nothing in AWS is touched (law 9). One that is back before that stays."""
    for service in list(draft.services.values()):
        if service.state == LEFT and service.name in facts.members and child_of(facts, service.name) is not None:
            draft.change(service.name, state=State.PENDING, message=None)
    for service in draft.members:
        if service.name not in facts.members:
            message = "left the set: its Release is deleted, its ECS service is not touched"
            draft.change(service.name, state=LEFT, message=message, wants=None)
            draft.say("Normal", "ServiceLeft", "Delete", f"{service.name} {message}")


def _conflict(facts: SetFacts) -> SetOutcome | None:
    """Say which children's names are somebody else's: those objects are never touched."""
    name, uid = facts.release_set.metadata.name, facts.release_set.metadata.uid
    taken = [
        child.name
        for service in facts.members
        if (child := facts.children.get(child_name(name, service))) is not None and child.controller_uid() != uid
    ]
    if not taken:
        return None
    return SetOutcome(
        stalled(
            Reason.RELEASE_NAME_CONFLICT,
            f"Release {', '.join(taken[:5])} is there and does not belong to this ReleaseSet: delete or rename it, or rename the set",
        )
    )


def _resolve(facts: SetFacts, draft: SetDraft) -> SetOutcome | None:
    """Pin a new source as a whole; until that is done nothing of it, and nothing more of the old one, moves."""
    refresh = token_of(facts.release_set.metadata, REFRESH_ANNOTATION)
    problem = facts.resolve_problem
    if draft.source_hash == facts.wanted_hash:
        if refresh is not None and refresh != draft.handled_refresh:
            if isinstance(problem, Retryable):
                draft.again_s = facts.retry_s
            else:
                draft.handled_refresh = refresh
                _refresh(facts, draft)
        return None
    if problem is not None:
        again = facts.retry_s if isinstance(problem, Retryable) else None
        return SetOutcome(of_problem(problem), again_s=again)
    if facts.resolved is None:
        return SetOutcome(progressing(Reason.RESOLVING_ARTIFACT, "looking the artifacts up in ECR"), again_s=0)
    deployments.begin(facts, draft, facts.resolved)
    draft.handled_refresh = refresh
    return None


def _refresh(facts: SetFacts, draft: SetDraft) -> None:
    if facts.resolve_problem is not None:
        draft.say("Warning", "RefreshFailed", "Resolve", f"the source was not resolved again: {facts.resolve_problem.message}")
    elif facts.refreshed and facts.resolved is not None:
        deployments.begin(facts, draft, facts.resolved)
    else:
        draft.say("Normal", "RefreshUnchanged", "Resolve", "the source was resolved again and means the same digests")


def _handle_requests(facts: SetFacts, draft: SetDraft) -> None:
    """Act on retry and abort, each token once."""
    if facts.observed_only:
        return
    meta = facts.release_set.metadata
    override = token_of(meta, OVERRIDE_ANNOTATION)
    if override is not None and override != draft.handled_override and draft.is_open:
        draft.handled_override = override
        draft.change_current(override=override)
    abort, retry = token_of(meta, ABORT_ANNOTATION), token_of(meta, RETRY_ANNOTATION)
    if abort is not None and abort != draft.handled_abort:
        draft.handled_abort = abort
        if draft.is_open:
            deployments.abort(facts, draft, standings(facts, draft), abort)
        else:
            draft.say("Normal", "AbortIgnored", "Abort", "no deployment set is under way, so there is nothing to abort")
    if retry is not None and retry != draft.handled_retry:
        draft.handled_retry = retry
        _retry(facts, draft, retry)


def _retry(facts: SetFacts, draft: SetDraft, token: str) -> None:
    stand = standings(facts, draft)
    failed = deployments.first_failure(stand) is not None
    if draft.is_held or (failed and not draft.is_open):
        deployments.again(facts, draft, stand, token)
    elif failed:
        draft.requests |= {name: token for name, found in stand.items() if found.state is State.FAILED}
    else:
        draft.say("Normal", "RetryIgnored", "Retry", "nothing has failed, so there is nothing to retry")


def _advance(facts: SetFacts, draft: SetDraft) -> None:
    """Take what the children say into account: open waves, and do what `onFailure` says."""
    spec = facts.release_set.spec
    composed = waves.compose(spec.strategy, [s.name for s in draft.members], facts.together)
    draft.waves = tuple(waves.latch(draft.waves, composed))
    stand = standings(facts, draft)
    for name, found in stand.items():
        if found.state is not State.PENDING and draft.services[name].start_time is None:
            draft.change(name, start_time=facts.now)
    if draft.is_open and not draft.rolls_back and not spec.suspend and not facts.observed_only:
        either_way = spec.strategy.on_failure == "Continue"
        moved, draft.settles_in = waves.progress(draft.waves, stand, facts.settle_s, facts.now, either_way=either_way)
        draft.waves = tuple(moved)
        _heed_failures(facts, draft, stand)
    deployments.conclude(facts, draft)


def _heed_failures(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing]) -> None:
    """Halt, or roll back, where a service of a wave that is not finished has failed."""
    policy = facts.release_set.spec.strategy.on_failure
    ours = waves.unfinished_services(draft.waves) & {s.name for s in draft.members if s.start_time is not None}
    failed = {name: found for name, found in stand.items() if name in ours and found.state is State.FAILED}
    if not failed or policy == "Continue":
        return
    if policy == "RollBack":
        deployments.take_back(facts, draft, deployments.failures(failed))
    elif any(found.is_verdict for found in failed.values()) and not any(found.moves for found in stand.values()):
        deployments.end(facts, draft, "Failed", deployments.failures(failed))


def _act(facts: SetFacts, draft: SetDraft) -> SetOutcome:
    """Write children, where the status that wants them so is accepted already."""
    before = facts.status
    accepted = intents({s.name: s for s in before.services or ()}, tuple(before.history or ()), tuple(before.waves or ()))
    if intents(draft.services, draft.history, draft.waves) != accepted:
        return SetOutcome(again_s=0)
    if facts.lost is not None:
        again = facts.retry_s if isinstance(facts.lost, Retryable) else None
        return SetOutcome(of_problem(facts.lost), again_s=again)
    due = [s for s in (draft.settles_in, draft.again_s) if s is not None]
    return SetOutcome(writes=tuple(writes(facts, draft)), again_s=min(due, default=None))
