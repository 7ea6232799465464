"""Gathering: everything that a decision needs is read here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ecs_release.api.names import RELEASE
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.domain.artifacts.claimed_hash import is_claimed
from ecs_release.domain.artifacts.source import completed_pin, resolved_elsewhere, unpinned
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.due import is_at_rest, may_begin, pin_in_force
from ecs_release.domain.decision.facts import Facts, LedgerFacts, Limits, Permission, Place, Revisions, Seen, Wanted
from ecs_release.domain.decision.request_annotations import refresh_requested, refused, retry_requested, without
from ecs_release.domain.decision.suspension import suspension_of
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.ecs.console_links import service_links
from ecs_release.domain.ecs.service import COMPLETED, Look, TaskDefinition
from ecs_release.domain.ecs.task_definitions import ownership, pulled_from
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.protocols import Aws, Clock, ObjectKey
from ecs_release.domain.recovery.from_ledger import recorded_pin
from ecs_release.domain.recovery.lost_status import needs_recovery
from ecs_release.domain.rules import attempt_commits, commit_passage
from ecs_release.domain.rules.at_rest import is_done, runs_wanted
from ecs_release.domain.verification.proof import Match, seen_digests
from ecs_release.engine.artifacts.commit_graph import CommitGraph, repository_of
from ecs_release.engine.artifacts.commit_spans import CommitSpans
from ecs_release.engine.artifacts.image_requirements import ImageRequirements
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.observation.observed_service import ObservedService
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.owner_set import as_pinned, permission_of
from ecs_release.engine.release.revision_reader import read_revisions, sweep_s
from ecs_release.engine.release.rollout_diagnostics import diagnose
from ecs_release.engine.release.unconfirmed_calls import track
from ecs_release.engine.release.upstream_reader import UpstreamReader
from ecs_release.engine.runtime.attempt_ids import new_id
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.references import References

_NOW_S, _RECENT_S = 0.2, 3.0
_PUT_RIGHT = timedelta(seconds=1)


@dataclass(slots=True)
class Gatherer:
    """Reads what decisions need: from the store, the observers, ECS and ECR."""

    references: References
    aws: Aws
    clock: Clock
    settings: EngineSettings
    observer_of: Callable[[str], Observer | None]
    resolver: Resolver
    tag_reader: TagReader
    image_requirements: ImageRequirements
    recorder: Recorder
    commit_graph: CommitGraph
    commit_spans: CommitSpans

    async def gather(self, release: Release, memory: Memory) -> Facts:
        """Gather for one Release. Never raises Problem: what cannot be read is a problem in the facts."""
        began = self.clock.now()
        facts = await self._gather(release, memory, began)
        # AWS's first answer has put the clock right meanwhile: what the wrong time was compared with is compared again.
        return facts if facts.now >= began - _PUT_RIGHT else await self._gather(release, memory, self.clock.now())

    async def _gather(self, release: Release, memory: Memory, now: datetime) -> Facts:
        status = release.status or ReleaseStatus()
        refused = self._refused(release, status)
        release = release.model_copy(update={"metadata": without(release.metadata, refused)})
        pin = pin_in_force(release)
        permission = await self._permission(release, pin, now)
        if permission.hold is not None and status.pin is not None:
            permission = replace(permission, is_edited=pin is None)
            release = as_pinned(release, status.pin)
            pin = pin_in_force(release)
        place = await self._place(release, status, permission)
        facts = Facts(
            release=release,
            now=now,
            limits=self._limits(place),
            attempt_id=new_id(now),
            permission=permission,
            place=place,
            ledger=await self._ledger(release, status, place),
            wanted=Wanted(pin),
            refused_requests=refused,
        )
        if place.target is None:
            return facts
        facts = await self._with_wanted_and_seen(facts, place.target, memory)
        if facts.service is None or facts.seen.unread is not None:
            return facts
        return await self._with_service(facts, place.target, memory)

    def _refused(self, release: Release, status: ReleaseStatus) -> dict[str, str]:
        """Return the requests that lack a reason, where one is required; none while the Environment is not there: nothing is done then."""
        try:
            environment = self.references.environment(release.spec.environment_ref.name)
        except Problem:
            return {}
        return refused(environment, release.metadata, status)

    async def _with_wanted_and_seen(self, facts: Facts, target: Target, memory: Memory) -> Facts:
        """Resolve what is wanted and look at what runs, at the same time."""
        wanted, seen = await asyncio.gather(self._wanted(facts, target), self._seen(facts, memory))
        facts = replace(facts, now=self.clock.now(), wanted=wanted, seen=seen)
        if facts.status.pin is not None or _shown_to_run(facts):
            return facts
        return replace(facts, seen=await self._seen(facts, memory))

    async def _with_service(self, facts: Facts, target: Target, memory: Memory) -> Facts:
        """Read what belongs to the service: its revisions, our past, what explains a rollout, the names of digests."""
        ecs = self.aws.ecs(target.access)
        revisions, hashes = await asyncio.gather(self._revisions(facts, target, memory), self._hashes(target, facts))
        memory.past_unread_since = (memory.past_unread_since or facts.now) if isinstance(revisions, Problem) else None
        if isinstance(revisions, Problem):
            # What cannot be read of our past may be a failure that is to be held: nothing is decided without it.
            return replace(facts, seen=replace(facts.seen, unread=revisions, unread_since=memory.past_unread_since))
        owner = ownership(revisions.running) if revisions.running is not None else None
        claims = await self.references.contenders(target.key, key_of(facts.release), owner)
        facts = replace(facts, place=replace(facts.place, claims=claims), revisions=revisions, release_hashes=hashes)
        facts = replace(facts, permission=await self._permission_to_rebuild(facts))
        commits = await self.commit_graph.answers(key_of(facts.release), facts.place.repository, commit_passage.asked(facts))
        facts = replace(facts, tracking=await track(ecs, target, facts, memory), tags=await self.tag_reader.read(facts, memory))
        spans = self.commit_spans.known(key_of(facts.release), facts.place.repository, attempt_commits.asked(facts))
        upstream = await UpstreamReader(self.references, self.commit_graph).read(key_of(facts.release), facts)
        facts = replace(facts, commits=commits, spans=spans, upstream=upstream)
        return replace(facts, images=await self.image_requirements.read(facts), diagnostics=await diagnose(ecs, target, facts, memory))

    def _limits(self, place: Place) -> Limits:
        settings = self.settings
        return Limits(
            installation=settings.installation,
            visible_s=settings.visible_s,
            rollback_s=settings.rollback_s,
            grace_s=place.environment.spec.observation.grace_seconds if place.environment else 300,
            retry_s=settings.retry_interval_s,
            namespaces=self.references.namespaces.open,
        )

    async def _permission(self, release: Release, pin: Pin | None, now: datetime) -> Permission:
        """Read what the set that controls a Release permits, if something may be about to be done."""
        may_correct = release.status is not None and drift.is_due(release.status, now)
        if not is_at_rest(release, pin):
            return await permission_of(self.references.cluster, release, now, may_correct=may_correct)
        if may_correct:
            return await permission_of(self.references.cluster, release, now, may_correct=True, unrequested=True)
        return Permission()

    async def _permission_to_rebuild(self, facts: Facts) -> Permission:
        """Read what the set permits, too, if nothing is to be done but to follow a newer base, which nobody requested."""
        release, pin = facts.release, facts.wanted.pin
        # What is held stays so: the release is as it was pinned by now, and the set would be asked about another spec than people see.
        if pin is None or facts.permission.hold is not None or facts.permission.may_correct or not is_at_rest(release, pin):
            return facts.permission
        if not base_revision.must_follow(facts, Draft.of(facts.status), pin):
            return facts.permission
        return await permission_of(self.references.cluster, release, facts.now, unrequested=True)

    async def _place(self, release: Release, status: ReleaseStatus, permission: Permission) -> Place:
        """Find the Environment and the service there. A Release that asks from the start for what its set does not want goes nowhere."""
        if permission.hold is not None and status.pin is None and not permission.awaits_turn:
            return Place(problem=permission.hold)
        namespace = release.metadata.namespace or ""
        try:
            environment = self.references.environment(release.spec.environment_ref.name)
            project = self.references.project(namespace, release.spec.project_ref.name)
            target = await self.references.target(environment, project, release.spec.service, namespace)
        except Problem as problem:
            return Place(problem=problem)
        claims = await self.references.contenders(target.key, key_of(release))
        repository = repository_of(environment, project)
        return Place(environment, target, claims=claims, links=service_links(target.key), repository=repository)

    async def _ledger(self, release: Release, status: ReleaseStatus, place: Place) -> LedgerFacts:
        """Return what the ledger has of the Release; its current record is read only if the status has no past."""
        known = self.recorder.ledger_facts(key_of(release), release.metadata.uid)
        if place.target is None or not needs_recovery(status):
            return known
        spec = release.spec
        whose = (spec.environment_ref.name, release.metadata.namespace or "", spec.project_ref.name, spec.service)
        return replace(known, remembered=await self.recorder.recall(*whose))

    async def _wanted(self, facts: Facts, target: Target) -> Wanted:
        """Return the pin in force, or resolve the source if there is none or a refresh is requested."""
        release, now, pin = facts.release, facts.now, facts.wanted.pin
        recorded = recorded_pin(facts.ledger.remembered, release.spec.source)
        if recorded is not None:
            return Wanted(await self.resolver.complete(recorded, release.spec.source, target))
        refreshes = refresh_requested(release, facts.status)
        if pin is not None and not refreshes and not _takes_containers_in(facts, target, pin):
            return Wanted(await self.resolver.complete(pin, release.spec.source, target))
        try:
            fresh = await self.resolver.resolve(release.spec.source, target, now)
        except Problem as problem:
            return Wanted(pin, problem)
        if pin is not None and not refreshes:
            return Wanted(completed_pin(pin, fresh), by_retry=True)
        if pin is not None and attempts.digests(pin) == attempts.digests(fresh):
            return facts.wanted
        return Wanted(fresh, refreshed=pin is not None)

    async def _seen(self, facts: Facts, memory: Memory) -> Seen:
        """Take the observer's latest look; a fresh one if something is about to be done, or nothing was seen yet."""
        environment, target = facts.place.environment, facts.place.target
        assert target is not None and environment is not None
        key, observer = target.key, self.observer_of(environment.metadata.name)
        if observer is None:
            return Seen(unread=Retryable(f"nothing observes Environment {environment.metadata.name!r} yet"))
        refusal = await observer.role_check.refusal()
        if refusal is not None:
            return Seen(unread=refusal, unread_since=observer.unread_since(observer.role_check.refused_since))
        observed = observer.observed(key)
        if observed is None:
            observer.observe_also(key, target.access)
            observed = observer.observed(key)
        problem: Problem | None = observed.unread.problem if observed and observed.unread else None
        if self._needs_fresh_look(facts, memory, observed):
            try:
                await observer.look(key, tasks=_must_see_tasks(facts, memory))
                problem = None
            except Problem as found:
                problem = found
        observed = observer.observed(key) or observed
        if observed is None:
            return Seen(unread=problem)
        if observed.look is not None:
            # Not before the first look: until then the clock may be wrong.
            memory.follow(facts.status.rollout, self.clock.now())
        memory.outage = observed.outage
        since = observer.unread_since(observed.unread.since) if observed.unread else None
        health = memory.track_health(facts.status, observed.look, self.settings.health)
        due = health.next_change(self.settings.health) if problem is None else None
        return Seen(observed.look, problem, since, health, due, observed.authors, observed.instructions)

    def _needs_fresh_look(self, facts: Facts, memory: Memory, observed: ObservedService | None) -> bool:
        if observed is None or observed.look is None:
            return True
        status, now = facts.status, self.clock.now()
        if self._health_is_due(facts, memory, observed.look):
            return True
        if memory.missing_since is not None:
            # The latest look may be an old answer.
            return now - observed.look.as_of > timedelta(seconds=_RECENT_S)
        if is_at_rest(facts.release, facts.wanted.pin) and not facts.permission.may_correct:
            return False
        if status.pin is None and facts.wanted.pin is None and facts.place.environment is not None:
            # What runs already is adopted by the look that there is: thousands of Releases that come at once need no look of their own.
            return now - observed.look.seen_time > timedelta(seconds=facts.place.environment.spec.observation.interval_seconds)
        # What an attempt is built on must be what is there now; what one under way announced is checked again before it is done.
        must_be_new = memory.in_doubt(status.rollout) or not attempts.is_open(status.rollout)
        return now - observed.look.as_of > timedelta(seconds=_NOW_S if must_be_new else _RECENT_S)

    def _health_is_due(self, facts: Facts, memory: Memory, look: Look) -> bool:
        """Return whether too few tasks, or enough again, are to be reported if a look shows that it is so still."""
        due = memory.track_health(facts.status, look, self.settings.health).next_change(self.settings.health)
        return due is not None and due <= self.clock.now()

    async def _revisions(self, facts: Facts, target: Target, memory: Memory) -> Revisions | Problem:
        """Read the service's revisions, and check whether an attempt could build on them if one may begin."""
        found = await read_revisions(self.aws.ecs(target.access), facts, memory, sweep_s(facts, self.settings))
        if isinstance(found, Problem):
            return found
        base, pin = found.base or found.running, facts.wanted.pin
        if base is None or pin is None or found.problem is not None:
            return found
        if not may_begin(facts.release, pin, may_correct=facts.permission.may_correct):
            return found
        return replace(found, problem=await self._start_problem(target, base, pin))

    async def _start_problem(self, target: Target, base: TaskDefinition, pin: Pin) -> Problem | None:
        """Return why no revision could be built on the base: it lacks a container, or an image is not where it is pulled from."""
        repositories = {c.name: c.repository for c in target.containers}
        try:
            for image in pin.images or ():
                if image.container in repositories:
                    host = pulled_from(base, image.container)
                    await self.resolver.check_replicated(target, host, image, repositories[image.container])
        except Problem as problem:
            return problem
        return None

    async def _hashes(self, target: Target, facts: Facts) -> dict[str, str]:
        """Return the release hashes of the digests that run: from our own status, by their tags in ECR, else as a manifest claims."""
        found = _known_hashes(facts)
        known = {digest: name for digest, name in found.items() if not is_claimed(name)}
        repositories = {c.name: c.repository for c in target.containers}
        service = facts.service
        seen = (
            [(repositories[s.container], s.digest) for s in seen_digests(service) if s.digest and s.container in repositories]
            if service
            else []
        )
        return found | await self.resolver.hashes(target, seen, known)


def key_of(release: Release) -> ObjectKey:
    """Return the key of a Release."""
    return ObjectKey(RELEASE, release.metadata.namespace or "", release.metadata.name)


def _shown_to_run(facts: Facts) -> bool:
    """Return whether the latest look shows a service at rest, all of whose tasks run what is wanted: then nothing is to be done."""
    service, pin = facts.service, facts.wanted.pin
    return service is not None and pin is not None and is_done(service) and runs_wanted(facts, pin) is Match.YES


def _takes_containers_in(facts: Facts, target: Target, pin: Pin) -> bool:
    """Return whether a retry asks for what the Project lists and the pin lacks: containers, or an image in another repository.

    A source that lists images has none for containers that were added.
    """
    if retry_requested(facts.release.metadata, facts.status) is None or suspension_of(facts) is not None:
        return False
    lacks = bool(unpinned(pin, target.containers))
    if facts.release.spec.source.images and lacks:
        return False
    return lacks or bool(resolved_elsewhere(pin, target))


def _must_see_tasks(facts: Facts, memory: Memory) -> bool:
    """Return whether tasks decide now: ECS's lists lag, so that what was read when the service last moved may lack some."""
    rollout = facts.status.rollout
    return memory.in_doubt(rollout) or (attempts.is_open(rollout) and rollout is not None and rollout.stage == COMPLETED)


def _known_hashes(facts: Facts) -> dict[str, str]:
    """Return what status knows of digests. What is only claimed does not replace what was confirmed."""
    known: dict[str, str] = {}
    for entry in facts.status.history or ():
        known |= {i.to_digest: i.to_hash for i in entry.images or () if i.to_digest and i.to_hash}
        known |= {i.from_digest: i.from_hash for i in entry.images or () if i.from_digest and i.from_hash}
    running = facts.status.running
    for container in (running.containers if running else None) or ():
        known |= {d.digest: d.release_hash for d in container.digests or () if d.digest and d.release_hash}
    for image in (facts.wanted.pin.images if facts.wanted.pin else None) or ():
        for digest in (image.digest, *(image.platform_digests or ())):
            if digest and image.release_hash and not (is_claimed(image.release_hash) and digest in known):
                known[digest] = image.release_hash
    return known
