"""Whether a set may begin by the commit graph: what would refuse one of its services refuses the set before its first wave (law 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ecs_release.api.change import Change
from ecs_release.api.names import APPLIED_BY_ANNOTATION, OVERRIDE_COMMITS_ANNOTATION, RETRY_ANNOTATION
from ecs_release.api.release_status import PinnedImage, ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.commit_rules import DEPLOYED, RUNS, UNDER_WAY, Question, Refusal, Standing, Step, questions
from ecs_release.domain.decision.request_annotations import unhandled
from ecs_release.domain.rules.commit_passage import Passage, Rights, judge, latest_of, once, override_right
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT, asks_for_wanted, wanted_images
from ecs_release.domain.sets.decision import SetDraft, child_of
from ecs_release.domain.sets.facts import Resolved, SetFacts

_MOST = 5


def returning(last_ready: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return the services that go back to what was proven when the set was Ready last; none unless the whole set goes back.

    Both are digests by service and container. A service of which nothing ran then has none, and no right to go back to that.
    """
    proven = {service for service, digests in wanted.items() if digests and last_ready.get(service) == digests}
    goes_back = all(service in proven or (service in last_ready and not last_ready[service]) for service in wanted)
    return frozenset(proven) if goes_back else frozenset()


def last_ready_digests(status: ReleaseSetStatus) -> dict[str, dict[str, str]]:
    """Return the digests that were proven when a set was Ready last, by service and container: none of a service of which nothing ran."""
    return {s.name: digests_of(s.pin.images if s.pin else None) for s in (status.last_ready.services if status.last_ready else None) or ()}


def is_returning(status: ReleaseSetStatus, service: str) -> bool:
    """Return whether a service goes back with its set to what it was proven to run when the set was Ready."""
    wanted = {s.name: digests_of(wanted_images(s)) for s in status.services or () if s.state != LEFT}
    return service in returning(last_ready_digests(status), wanted)


def asked(facts: SetFacts, resolved: Sequence[Resolved]) -> tuple[Question, ...]:
    """List what is to be asked before a set begins with what was resolved."""
    if facts.commit_rules is None:
        return ()
    return questions(facts.commit_rules, [step for _, step in _steps(facts, _judged(facts, resolved))])


def passage_of(facts: SetFacts, draft: SetDraft, resolved: Sequence[Resolved]) -> Passage:
    """Return whether a set may begin by the commit graph with what was resolved."""
    rules, change = facts.commit_rules, facts.release_set.spec.change
    judged = _judged(facts, resolved)
    if rules is None or not judged:
        return Passage()
    override = unhandled(facts.release_set.metadata, OVERRIDE_COMMITS_ANNOTATION, draft.handled_override_commits)
    steps = list(_steps(facts, judged))
    rights = Rights(override, change.rollback_from if change else None, _given(facts))
    whole = judge(rules, [step for _, step in steps], facts.commits, rights)
    if whole.refused is None:
        return whole
    ways = [(service, judge(rules, [step], facts.commits, rights)) for service, step in steps]
    found = {service: way.refused for service, way in ways if way.refused is not None and way.refused.reason == whole.refused.reason}
    return replace(whole, refused=_named(whole.refused, found, len(resolved)))


def pinned(facts: SetFacts) -> tuple[Resolved, ...]:
    """Return what a set was resolved to, and has not begun with: what is asked again before the first wave."""
    members = [s for s in facts.status.services or () if s.state != LEFT]
    return tuple(Resolved(s.name, tuple(s.images or ()), tuple(s.previous or ())) for s in members)


def as_before(facts: SetFacts, draft: SetDraft) -> SetFacts:
    """Return the facts by which what was under way goes on while a new source is refused: who wanted it, and why, are those of before."""
    entry = draft.current
    known = [(child_of(facts, s.name), s) for s in draft.members if s.start_time is not None and not s.reverting]
    told = next((c.release.spec.change for c, s in known if c is not None and asks_for_wanted(s, c)), None)
    change = told or (Change(description=entry.description, requested_by=entry.requested_by) if entry is not None else None)
    meta = facts.release_set.metadata
    # A retry, and a right to pass, are for the new source; what aborts is for what is under way.
    its_own = {APPLIED_BY_ANNOTATION, RETRY_ANNOTATION} | ({OVERRIDE_COMMITS_ANNOTATION} if _may_pass(facts) else set())
    annotations = {k: v for k, v in (meta.annotations or {}).items() if k not in its_own}
    by = entry.applied_by if entry is not None else None
    release_set = facts.release_set.model_copy(
        update={
            "spec": facts.release_set.spec.model_copy(update={"change": change}),
            "metadata": meta.model_copy(update={"annotations": annotations | ({APPLIED_BY_ANNOTATION: by} if by else {})}),
        }
    )
    return replace(facts, release_set=release_set)


def _may_pass(facts: SetFacts) -> bool:
    return bool(override_right((facts.release_set.metadata.annotations or {}).get(OVERRIDE_COMMITS_ANNOTATION)))


def _judged(facts: SetFacts, resolved: Sequence[Resolved]) -> list[Resolved]:
    """Leave out the services that go back with the set to what it was proven to run."""
    exempt = returning(last_ready_digests(facts.status), {r.service: digests_of(r.images) for r in resolved})
    return [r for r in resolved if r.service not in exempt]


def _given(facts: SetFacts) -> str:
    """Return the right that the deployment set under way was given, if what is asked about is that one."""
    current = facts.status.history[0] if facts.status.history else None
    is_its_own = current is not None and not current.outcome and facts.status.source_hash == facts.wanted_hash
    return (current.commits or "") if current is not None and is_its_own else ""


def _steps(facts: SetFacts, resolved: Iterable[Resolved]) -> Iterator[tuple[str, Step]]:
    """Yield what a set would do to each container that it changes, by service. What keeps what runs changes nothing."""
    lines = {s.name: s for s in facts.status.services or () if s.state != LEFT}
    for one in (r for r in resolved if not r.kept):
        child = facts.children.get(child_name(facts.release_set.metadata.name, one.service))
        status = (child.release.status if child is not None else None) or ReleaseStatus()
        runs = {i.container: i for i in one.runs}
        before = list(latest_of(status.rollout, status.history or (), None))
        for image in one.images:
            running = runs.get(image.container)
            stays = running is not None and _is_of(image, running.digest)
            over = [Standing(running.release_hash or "", RUNS, _since(status))] if running is not None and not stays else []
            over += [s for container, digest, s in before if container == image.container and not _is_of(image, digest)]
            over += _own(facts, lines.get(one.service), image)
            if over or not stays:
                yield one.service, Step(image.container, image.release_hash or "", once(over))


def _is_of(image: PinnedImage, digest: str | None) -> bool:
    return digest in (image.digest, *(image.platform_digests or ()))


def _own(facts: SetFacts, line: SetService | None, image: PinnedImage) -> list[Standing]:
    """Return what the set itself wanted before, if that is under way or went well: not every service has begun with it."""
    current = facts.status.history[0] if facts.status.history else None
    if line is None or current is None or facts.status.source_hash == facts.wanted_hash or line.reverting:
        return []
    if current.outcome not in (None, "Succeeded", "SucceededLate"):
        return []
    how = DEPLOYED if current.outcome else UNDER_WAY
    return [
        Standing(i.release_hash or "", how, current.start_time)
        for i in line.images or ()
        if i.container == image.container and not _is_of(image, i.digest)
    ]


def _since(status: ReleaseStatus) -> datetime | None:
    return status.running.since_time if status.running else None


def _named(first: Refusal, found: Mapping[str, Refusal], services: int) -> Refusal:
    """Say which services a refusal is about."""
    if services == 1:
        return first
    names = ", ".join(list(found)[:_MOST]) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")
    return replace(first, message=f"{len(found)} of {services} services ({names}): {first.message}")
