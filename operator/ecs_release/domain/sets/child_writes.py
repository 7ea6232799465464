"""Which children are written now: with the set's source, with that source again after somebody edited it, or with a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from ecs_release.api.change import Change
from ecs_release.api.conditions import Reason
from ecs_release.api.names import ABORT_ANNOTATION, CONTINUE_ANNOTATION, OVERRIDE_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset_status import SetService
from ecs_release.domain.artifacts.claimed_hash import given_hash
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import has_request
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_manifests import changed_child, labels, new_child, on_behalf
from ecs_release.domain.sets.child_state import LEFT, ChildState, State, asks_for_wanted, wanted_images
from ecs_release.domain.sets.decision import ABORTED, ROLLBACK, Create, Delete, Replace, SetDraft, Write, child_of, child_states, is_early
from ecs_release.domain.sets.facts import Child, SetFacts


def deletions(facts: SetFacts, draft: SetDraft) -> Iterator[Write]:
    """Delete the children of services that left."""
    for service in draft.services.values():
        child = child_of(facts, service.name)
        if service.state == LEFT and child is not None and service.name not in facts.members:
            yield Delete(service.name, child)


def requests(facts: SetFacts, draft: SetDraft) -> Iterator[Write]:
    """Pass the set's requests to the children that they concern. Doing so twice changes nothing: a token is acted on once."""
    annotation = ABORT_ANNOTATION if draft.current is not None and draft.current.outcome == ABORTED else RETRY_ANNOTATION
    for name in dict.fromkeys((*draft.requests, *draft.answers)):
        child = child_of(facts, name)
        asked = {annotation: draft.requests.get(name), CONTINUE_ANNOTATION: draft.answers.get(name)}
        known = (child.release.metadata.annotations if child is not None else None) or {}
        new: dict[str, str | None] = {a: token for a, token in asked.items() if token is not None and known.get(a) != token}
        if child is not None and new:
            body = changed_child(child.body, facts.release_set, name, None, None, new | on_behalf(facts.release_set))
            yield Replace(name, child, body)


def writes(facts: SetFacts, draft: SetDraft) -> Iterator[Write]:
    """Write the accepted status's sources to children, as far as waves and `maxParallel` allow."""
    if facts.observed_only:
        return
    states = child_states(facts, draft)
    free = facts.release_set.spec.strategy.max_parallel - sum(found.in_flight for found in states.values())
    turn = _turn(facts, draft, states)
    going: set[str] = {name for name, found in states.items() if found.in_flight}
    for name in [*turn, *(s.name for s in draft.members if s.name not in turn)]:
        service, child = draft.services[name], child_of(facts, name)
        if child is None:
            if name in turn and (free > 0 or _goes_with(facts, name, going)):
                free -= 1
                going.add(name)
                yield Create(name, new_child(facts.release_set, name, wanted_images(service), change_of(facts, draft, service)))
            continue
        if asks_for_wanted(service, child) and not is_early(facts, draft, service):
            yield from _sync(facts, draft, service, child, states[name])
        elif _is_edited(child):
            pinned = list((child.release.status.pin.images if child.release.status and child.release.status.pin else None) or ())
            yield _replacement(facts, draft, service, child, pinned, _by(facts, child))
        elif name in turn and (free > 0 or states[name].rolling_out or _goes_with(facts, name, going)):
            free -= not states[name].rolling_out
            going.add(name)
            yield _replacement(facts, draft, service, child, wanted_images(service), on_behalf(facts.release_set))


def _goes_with(facts: SetFacts, name: str, going: set[str]) -> bool:
    """Return whether a service shares an image tag with one that is in flight: then it goes along, whatever `maxParallel` is."""
    return any(name in group and group & going for group in facts.tag_groups)


def _turn(facts: SetFacts, draft: SetDraft, states: dict[str, ChildState]) -> list[str]:
    """List the services that may be started now."""
    if facts.suspension is not None or draft.is_held:
        return []
    if draft.rolls_back:
        return waves.rollback_turn(draft.waves, [s.name for s in draft.members if s.reverting], states)
    if facts.is_overtaken or (draft.is_open and _is_halted(facts, draft, states)):
        return []
    return waves.open_services(draft.waves)


def _is_halted(facts: SetFacts, draft: SetDraft, states: dict[str, ChildState]) -> bool:
    """Return whether a failure keeps others from starting: with Halt, one in an unfinished wave does."""
    if facts.release_set.spec.strategy.on_failure == "Continue":
        return False
    ours = waves.unfinished_services(draft.waves)
    return any(found.state is State.FAILED and name in ours for name, found in states.items())


def _is_edited(child: Child) -> bool:
    """Return whether somebody has edited a child's source, and it was not resolved yet: such an edit is undone."""
    pin = child.release.status.pin if child.release.status else None
    return pin is not None and child.release.spec.source.digests != digests_of(pin.images)


def _by(facts: SetFacts, child: Child) -> Mapping[str, str | None]:
    """Return the annotation of who applied an undone edit: the set's user. Not while a child has a request: its user stays, then."""
    return {} if has_request(child.release) else on_behalf(facts.release_set)


def _replacement(
    facts: SetFacts, draft: SetDraft, service: SetService, child: Child, images: list[PinnedImage], by: Mapping[str, str | None]
) -> Write:
    change = change_of(facts, draft, service)
    return Replace(service.name, child, changed_child(child.body, facts.release_set, service.name, images, change, by))


def _sync(facts: SetFacts, draft: SetDraft, service: SetService, child: Child, found: ChildState) -> Iterator[Write]:
    """Update what deploys nothing: labels, change, the release hashes of digests, and the window's override.

    Who applied the set is written along, and never by itself: if a policy undid it, the writes would never end.
    """
    change = change_of(facts, draft, service)
    meta, spec = child.release.metadata, child.release.spec
    hashes = {i.container: given_hash(i.release_hash) for i in wanted_images(service)}
    same = (
        spec.change == change
        and {i.container: i.release_hash for i in spec.source.images or ()} == hashes
        and (labels(facts.release_set, service.name).items() <= (meta.labels or {}).items())
    )
    override = draft.current.override if draft.is_open and draft.current is not None else None
    wanted: dict[str, str | None] = {}
    if override and found.reason == Reason.AWAITING_WINDOW and (meta.annotations or {}).get(OVERRIDE_ANNOTATION) != override:
        wanted[OVERRIDE_ANNOTATION] = override
    if not same or wanted:
        by = on_behalf(facts.release_set) if wanted else _by(facts, child)
        yield _replacement(facts, draft, service, child, wanted_images(service), {**wanted, **by})


def change_of(facts: SetFacts, draft: SetDraft, service: SetService) -> Change | None:
    """Return the change to write to a child: the set's, or the reason of its rollback."""
    change = facts.release_set.spec.change
    if not service.reverting:
        return change
    # The deployment set before the rollback has the failure as its message, which does not change any more.
    failed = next((after for entry, after in pairwise(draft.history) if entry.cause == ROLLBACK), None)
    why = f"rollback of ReleaseSet {facts.release_set.metadata.name}: {failed.message if failed and failed.message else 'a service failed'}"
    return (change or Change()).model_copy(update={"description": why[:1024]})
