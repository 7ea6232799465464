"""The decision about one ReleaseSet. Pure: no I/O, clock, log or randomness.

A pass either writes a status with something new in it, or writes children as the accepted status has them: so no child is ever given
what the status does not show, and a crash loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ecs_release.api.conditions import Reason
from ecs_release.api.hook_status import OpenHook
from ecs_release.api.names import (
    ABORT_ANNOTATION,
    CONTINUE_ANNOTATION,
    OVERRIDE_ANNOTATION,
    OVERRIDE_COMMITS_ANNOTATION,
    REFRESH_ANNOTATION,
    RETRY_ANNOTATION,
)
from ecs_release.domain.decision import suspension_end
from ecs_release.domain.decision.commit_rules import Refusal
from ecs_release.domain.decision.request_annotations import (
    HOOK_REQUEST_FORM,
    hook_request,
    is_first_sight,
    reason_of,
    refuse,
    refuse_one,
    token_of,
)
from ecs_release.domain.decision.suspension import seconds_until
from ecs_release.domain.model.conditions import progressing, situation_of_problem, stalled
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.rules.commit_passage import override_right
from ecs_release.domain.sets import commit_gate, deployment_set, waves
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT, ChildState, State
from ecs_release.domain.sets.child_writes import deletions, requests, writes
from ecs_release.domain.sets.decision import SetDecision, SetDraft, SetOutcome, child_of, child_states, intents
from ecs_release.domain.sets.facts import SetFacts
from ecs_release.domain.sets.status import report


def decide_set(facts: SetFacts) -> SetDecision:
    """Decide the next status of a set, and which children are written."""
    draft = SetDraft.of(facts.status)
    _acknowledge_old(facts, draft)
    refuse(draft, facts.refused_requests, facts.release_set.spec.environment_ref.name)
    if facts.problem is not None:
        again = facts.retry_s if isinstance(facts.problem, Retryable) else None
        return _report(facts, draft, SetOutcome(situation_of_problem(facts.problem), again_s=again))
    _mark_left(facts, draft)
    conflict = _conflict(facts)
    if conflict is not None:
        return _report(facts, draft, conflict)
    _hand_answer_on(facts, draft)
    if _awaits_end(facts, draft):
        return _go_on_to_the_end(facts, draft)
    refused = _refused(facts, draft)
    if refused is not None:
        return _go_on_as_before(facts, draft, refused)
    unresolved = _resolve(facts, draft)
    if unresolved is not None:
        return _report(facts, draft, unresolved)
    _handle_requests(facts, draft)
    _advance(facts, draft)
    return _report(facts, draft, _act(facts, draft))


def _refused(facts: SetFacts, draft: SetDraft) -> Refusal | None:
    """Return why the commit graph does not let a new source begin, or one that was resolved before begin its first wave."""
    if facts.observed_only:
        return None
    resolved = facts.resolved if facts.resolve_problem is None else None
    if resolved is not None and draft.source_hash == facts.wanted_hash and not facts.refreshed:
        resolved = None
    if resolved is None and not facts.asks_commits:
        return None
    way = commit_gate.passage_of(facts, draft, resolved if resolved is not None else commit_gate.pinned(facts))
    if way.override:
        draft.handled_override_commits = way.override
    if resolved is not None:
        draft.right = way.right
    elif way.right:
        draft.change_current(commits=way.right[:1024])
    return way.refused


def _go_on_as_before(facts: SetFacts, draft: SetDraft, refused: Refusal) -> SetDecision:
    """Report a refusal; the deployment set that is under way goes on meanwhile, as it would if nobody had asked for another."""
    again_s = 1.0 if refused.is_asking else (facts.retry_s if refused.passes else None)
    before = commit_gate.as_before(facts, draft)
    _handle_requests(before, draft)
    outcome = SetOutcome()
    if not facts.asks_commits:
        _advance(before, draft)
        outcome = _act(before, draft)
    due = [s for s in (outcome.again_s, again_s) if s is not None]
    return _report(facts, draft, replace(outcome, situation=refused.situation, again_s=min(due, default=None)))


def _awaits_end(facts: SetFacts, draft: SetDraft) -> bool:
    """Return whether a newer source that may not begin yet leaves what is under way the time to come to its end."""
    is_newer = facts.resolved is not None and facts.resolve_problem is None and draft.source_hash != facts.wanted_hash
    held_up = facts.suspension is not None or facts.observed_only or facts.awaits_window
    return is_newer and held_up and draft.is_open and deployment_set.comes_to_its_end(facts, draft)


def _go_on_to_the_end(facts: SetFacts, draft: SetDraft) -> SetDecision:
    """Follow what the deployment set under way has started; nothing further of it starts. All requests but aborts are for the newer."""
    before = replace(commit_gate.as_before(facts, draft), is_overtaken=True)
    meta = before.release_set.metadata
    left = {k: v for k, v in (meta.annotations or {}).items() if k not in (OVERRIDE_ANNOTATION, OVERRIDE_COMMITS_ANNOTATION)}
    asked = before.release_set.model_copy(update={"metadata": meta.model_copy(update={"annotations": left})})
    before = replace(before, release_set=asked)
    _handle_requests(before, draft)
    _advance(before, draft)
    draft.settles_in = deployment_set.settles_in(before, draft) if draft.is_open else 0.0
    what = "the source has changed, and may not begin yet: what the one before has started comes to its end first"
    return _report(facts, draft, replace(_act(before, draft), situation=progressing(Reason.ROLLING_OUT, what)))


def _report(facts: SetFacts, draft: SetDraft, outcome: SetOutcome) -> SetDecision:
    """Report, and delete the children of services that left: that waits only until a status with them as Left is accepted."""
    known = {s.name for s in facts.status.services or () if s.state == LEFT}
    gone = tuple(w for w in deletions(facts, draft) if w.service in known)
    asked = tuple(requests(facts, draft))
    # A child that gets a request has another version then: its other changes wait for the next pass.
    told = draft.requests.keys() | draft.answers.keys()
    writes_too = (*gone, *(w for w in outcome.writes if w.service not in told))
    again = 0 if outcome.again_s is None and not gone and any(deletions(facts, draft)) else outcome.again_s
    ends_in = seconds_until(suspension_end.next_step(facts.release_set.spec, facts.now), now=facts.now)
    again = min((s for s in (again, ends_in) if s is not None), default=None)
    return report(facts, draft, SetOutcome(outcome.situation, asked, writes_too, again))


def _acknowledge_old(facts: SetFacts, draft: SetDraft) -> None:
    """Record the tokens of a set without status as handled: they are old (a restored cluster, a re-created object)."""
    if not is_first_sight(facts.status):
        return
    meta = facts.release_set.metadata
    draft.handled_retry, draft.handled_abort = token_of(meta, RETRY_ANNOTATION), token_of(meta, ABORT_ANNOTATION)
    draft.handled_refresh, draft.handled_override = token_of(meta, REFRESH_ANNOTATION), token_of(meta, OVERRIDE_ANNOTATION)
    draft.handled_override_commits = token_of(meta, OVERRIDE_COMMITS_ANNOTATION)
    draft.handled_continue = token_of(meta, CONTINUE_ANNOTATION)


def _hand_answer_on(facts: SetFacts, draft: SetDraft) -> None:
    """Hand an answer to a lifecycle hook on to the Release that waits at it, which carries it out, or refuses it."""
    value = token_of(facts.release_set.metadata, CONTINUE_ANNOTATION)
    if value is None or value == draft.handled_continue:
        return
    asked = hook_request(value)
    waits = {h.id: s.name for s in draft.members for h in _hooks(facts, s.name)}
    if asked is None or asked.hook_id not in waits:
        which = f"none of its services waits at hook {asked.hook_id}" if asked is not None else HOOK_REQUEST_FORM
        refuse_one(draft, CONTINUE_ANNOTATION, value, which + (f"; hooks that wait: {', '.join(waits)}" if waits else ""))
        return
    draft.handled_continue = value
    draft.answers[waits[asked.hook_id]] = value


def _hooks(facts: SetFacts, service: str) -> Iterable[OpenHook]:
    child = child_of(facts, service)
    status = child.release.status if child is not None else None
    return (status.rollout.hooks if status and status.rollout else None) or ()


def _mark_left(facts: SetFacts, draft: SetDraft) -> None:
    """Mark the services that left the set: their children are deleted, and nothing in AWS (law 9). One that is back before that stays."""
    for service in list(draft.services.values()):
        if service.state == LEFT and service.name in facts.members and child_of(facts, service.name) is not None:
            draft.change(service.name, state=State.PENDING, message=None)
    for service in draft.members:
        if service.name not in facts.members:
            message = "left the set: its Release is deleted, its ECS service is not touched"
            draft.change(service.name, state=LEFT, message=message, wants=None)
            draft.event("Normal", "ServiceLeft", "Delete", f"{service.name} {message}")


def _conflict(facts: SetFacts) -> SetOutcome | None:
    """Return the conflict if a child's name is taken by an object that is not the set's: such an object is never changed."""
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
    """Pin a new source as a whole; until that is done, nothing of it and nothing further of the old one is rolled out."""
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
        return SetOutcome(situation_of_problem(problem), again_s=again)
    if facts.resolved is None:
        return SetOutcome(progressing(Reason.RESOLVING_ARTIFACT, "looking the artifacts up in ECR"), again_s=0)
    deployment_set.begin(facts, draft, facts.resolved)
    draft.handled_refresh = refresh
    return None


def _refresh(facts: SetFacts, draft: SetDraft) -> None:
    if facts.resolve_problem is not None:
        draft.event("Warning", "RefreshFailed", "Resolve", f"the source was not resolved again: {facts.resolve_problem.message}")
    elif facts.refreshed and facts.resolved is not None:
        deployment_set.begin(facts, draft, facts.resolved)
        draft.change_current(reason=reason_of(draft.handled_refresh) or None)
    else:
        draft.event("Normal", "RefreshUnchanged", "Resolve", "the source was resolved again and means the same digests")


def _handle_requests(facts: SetFacts, draft: SetDraft) -> None:
    """Act on retry and abort, each token once."""
    if facts.observed_only:
        return
    meta = facts.release_set.metadata
    override = token_of(meta, OVERRIDE_ANNOTATION)
    if override is not None and override != draft.handled_override and draft.is_open:
        draft.handled_override = override
        draft.change_current(override=override)
    _take_commits_override(facts, draft)
    abort, retry = token_of(meta, ABORT_ANNOTATION), token_of(meta, RETRY_ANNOTATION)
    if abort is not None and abort != draft.handled_abort:
        draft.handled_abort = abort
        if draft.is_open:
            deployment_set.abort(facts, draft, child_states(facts, draft), abort)
        else:
            draft.event("Normal", "AbortIgnored", "Abort", "no deployment set is under way, so there is nothing to abort")
    if retry is not None and retry != draft.handled_retry:
        draft.handled_retry = retry
        _retry(facts, draft, retry)


def _take_commits_override(facts: SetFacts, draft: SetDraft) -> None:
    """Give the deployment set under way the right to go on against the commit graph, for what is left of it."""
    override = token_of(facts.release_set.metadata, OVERRIDE_COMMITS_ANNOTATION)
    if override is None or override == draft.handled_override_commits:
        return
    draft.handled_override_commits = override
    right = override_right(override)
    if draft.is_open and right:
        draft.change_current(commits=right[:1024])
    else:
        why = "no deployment set is under way" if right else "it must be <token>/<reason>"
        draft.event("Normal", "OverrideIgnored", "Override", f"override-commits {override!r} is not used: {why}")


def _retry(facts: SetFacts, draft: SetDraft, token: str) -> None:
    states = child_states(facts, draft)
    retried = [name for name, found in states.items() if found.takes_retry]
    if draft.is_held or (retried and not draft.is_open):
        deployment_set.retry(facts, draft, states, token)
    elif retried:
        draft.requests |= dict.fromkeys(retried, token)
    else:
        draft.event("Normal", "RetryIgnored", "Retry", "nothing has failed, so there is nothing to retry")


def _advance(facts: SetFacts, draft: SetDraft) -> None:
    """Take the children's state into account: open waves, and apply `onFailure`."""
    spec = facts.release_set.spec
    composed = waves.compose(spec.strategy, [s.name for s in draft.members], facts.tag_groups)
    draft.waves = tuple(waves.carry_over(draft.waves, composed))
    states = child_states(facts, draft)
    for name, found in states.items():
        if found.state is not State.PENDING and draft.services[name].start_time is None:
            draft.change(name, start_time=facts.now)
    if draft.is_open and not draft.rolls_back and facts.suspension is None and not facts.observed_only:
        either_way = spec.strategy.on_failure == "Continue"
        moved, draft.settles_in = waves.progress(draft.waves, states, facts.settle_s, facts.now, either_way=either_way)
        if not facts.is_overtaken or all(w.state != waves.PENDING for w in draft.waves):
            draft.waves = tuple(moved)
        _apply_on_failure(facts, draft, states)
    deployment_set.conclude(facts, draft)


def _apply_on_failure(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> None:
    """Halt, or roll back, if a service of a wave that is not finished has failed."""
    policy = facts.release_set.spec.strategy.on_failure
    ours = waves.unfinished_services(draft.waves) & {s.name for s in draft.members if s.start_time is not None}
    failed = {name: found for name, found in states.items() if name in ours and found.state is State.FAILED}
    if not failed or policy == "Continue":
        return
    if policy == "RollBack":
        left_s = {name: _left_s(facts, draft, name, found) for name, found in failed.items()}
        lasting = {name: found for name, found in failed.items() if left_s[name] <= 0}
        if lasting:
            deployment_set.roll_back(facts, draft, deployment_set.failure_text(lasting))
        else:
            draft.again_s = min(s for s in (draft.again_s, *left_s.values()) if s is not None)
    elif any(found.is_verdict for found in failed.values()) and not any(found.rolling_out for found in states.values()):
        deployment_set.end(facts, draft, "Failed", deployment_set.failure_text(failed))


def _left_s(facts: SetFacts, draft: SetDraft, name: str, failed: ChildState) -> float:
    """Return after how many seconds a failure takes the set back: a verdict at once, a refusal if it lasts for the progress deadline."""
    if failed.refused_since is None:
        return 0.0
    since = max(failed.refused_since, draft.services[name].start_time or failed.refused_since)
    return (since - facts.now).total_seconds() + facts.deadline_s.get(name, 0.0)


def _act(facts: SetFacts, draft: SetDraft) -> SetOutcome:
    """Write children, if the status that has them so is accepted already."""
    before = facts.status
    accepted = intents({s.name: s for s in before.services or ()}, tuple(before.history or ()), tuple(before.waves or ()))
    if intents(draft.services, draft.history, draft.waves) != accepted:
        return SetOutcome(again_s=0)
    if facts.start_problem is not None:
        again = facts.retry_s if isinstance(facts.start_problem, Retryable) else None
        return SetOutcome(situation_of_problem(facts.start_problem), again_s=again)
    due = [s for s in (draft.settles_in, draft.again_s) if s is not None]
    return SetOutcome(writes=tuple(writes(facts, draft)), again_s=min(due, default=None))
