"""Gathering: everything that a decision needs is read here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ecs_release.api.names import RELEASE
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts, Limits
from ecs_release.domain.decision.request_annotations import pending as requests_pending
from ecs_release.domain.decision.request_annotations import refresh_wanted
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.console_links import service_links
from ecs_release.domain.ecs.service import COMPLETED, TaskDefinition
from ecs_release.domain.ecs.task_definitions import pulled_from
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.protocols import Aws, Clock, ObjectKey
from ecs_release.domain.recovery.from_ledger import recorded_pin, recorded_source
from ecs_release.domain.recovery.lost_status import needs_recovery
from ecs_release.domain.rules.at_rest import is_moving, runs_wanted
from ecs_release.domain.verification.proof import Match, seen_digests
from ecs_release.engine.artifacts.image_requirements import Needs
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.observation.observed_service import Watched
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.owner_set import Owner, as_pinned, owner_of
from ecs_release.engine.release.revision_reader import about_revisions, sweep_s
from ecs_release.engine.release.rollout_diagnostics import explain, read_revision
from ecs_release.engine.release.unconfirmed_calls import look_for_effect, newest_revisions
from ecs_release.engine.runtime.attempt_ids import new_id
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.references import Places

_NOW_S, _RECENT_S = 0.2, 3.0


@dataclass(slots=True)
class Gatherer:
    """Reads what decisions need: from the store, the observers, ECS and ECR."""

    places: Places
    aws: Aws
    clock: Clock
    settings: EngineSettings
    observer_of: Callable[[str], Observer | None]
    resolver: Resolver
    tag_reader: TagReader
    needs: Needs
    recorder: Recorder

    async def gather(self, release: Release, memory: Memory) -> Facts:
        """Gather for one Release. Never raises Problem: what cannot be known is said in the facts."""
        now = self.clock.now()
        status = release.status or ReleaseStatus()
        memory.follow(status.rollout, now)
        owner = await self._owner(release, status, now)
        if owner.problem is not None and status.pin is not None:
            release = as_pinned(release, status.pin)
        facts = Facts(
            release=release,
            now=now,
            hold=owner.problem,
            reverting=owner.reverting,
            member=owner.member,
            limits=self._limits(),
            attempt_id=new_id(now),
            may_correct=drift.is_due(status, now),
            progress=memory.progress,
        )
        facts = self.recorder.told(key_of(release), facts)
        if owner.problem is not None and status.pin is None:
            return replace(facts, problem=owner.problem)
        try:
            environment = self.places.environment(release.spec.environment_ref.name)
            project = self.places.project(release.metadata.namespace or "", release.spec.project_ref.name)
            target = await self.places.target(environment, project, release.spec.service, release.metadata.namespace or "")
        except Problem as problem:
            return replace(facts, problem=problem, pin=_pin_in_force(release, status))
        facts = replace(
            facts,
            environment=environment,
            target=target,
            limits=self._limits(environment.spec.observation.grace_seconds),
            links=service_links(target.key),
            claims=self.places.claims.on(target.key),
        )
        facts = await self._pin_and_look(facts, target, memory)
        if facts.service is None or facts.unread is not None:
            return facts
        return await self._about_service(facts, target, memory)

    async def _pin_and_look(self, facts: Facts, target: Target, memory: Memory) -> Facts:
        """Resolve what is wanted and see what runs, at the same time; where there is no past, as the ledger remembers it."""
        if needs_recovery(facts):
            spec = facts.release.spec
            whose = (spec.environment_ref.name, facts.release.metadata.namespace or "", spec.project_ref.name, spec.service)
            facts = replace(facts, remembered=await self.recorder.remember(*whose))
        pin, looked = await asyncio.gather(self._pin(facts, target), self._look(facts, memory))
        found = _with(looked, now=self.clock.now(), **pin)
        return found if facts.status.pin is not None or _shown_to_run(found) else await self._look(found, memory)

    def _limits(self, grace_s: float = 300) -> Limits:
        settings = self.settings
        return Limits(
            installation=settings.installation,
            visible_s=settings.visible_s,
            read_lag_s=settings.read_lag_s,
            rollback_s=settings.rollback_s,
            grace_s=grace_s,
            retry_s=settings.retry_interval_s,
            namespaces=self.places.namespaces.open,
        )

    async def _owner(self, release: Release, status: ReleaseStatus, now: datetime) -> Owner:
        """Ask the set that controls a Release, where something may be about to be done."""
        pin = _pin_in_force(release, status)
        at_rest = pin is not None and attempts.is_settled(status, pin) and not attempts.intends(status.rollout)
        if at_rest and not requests_pending(release, status):
            return await owner_of(self.places.cluster, release, unasked=True) if drift.is_due(status, now) else Owner()
        return await owner_of(self.places.cluster, release)

    async def _pin(self, facts: Facts, target: Target) -> dict[str, Any]:
        """Return the pin in force, or resolve the source where there is none or a refresh is asked for."""
        release, status, now = facts.release, facts.status, facts.now
        recorded = recorded_source(facts.remembered, release.spec.source)
        if recorded is not None and facts.remembered is not None:
            return {"pin": recorded_pin(facts.remembered, await self._found(recorded, target, now))}
        pin = _pin_in_force(release, status)
        if pin is not None and not refresh_wanted(release, status):
            return {"pin": pin}
        try:
            fresh = await self.resolver.resolve(release.spec.source, target, now)
        except Problem as problem:
            return {"pin": pin, "pin_problem": problem}
        if pin is not None and attempts.digests(pin) == attempts.digests(fresh):
            return {"pin": pin}
        return {"pin": fresh, "refreshed": pin is not None}

    async def _found(self, source: Source, target: Target, now: datetime) -> Pin | None:
        """Look recorded images up; None where they are not there (any more), or cannot be looked up."""
        try:
            return await self.resolver.resolve(source, target, now)
        except Problem:
            return None

    async def _look(self, facts: Facts, memory: Memory) -> Facts:
        """Take the observer's latest look; a fresh one where something is about to be done, or nothing is known yet."""
        assert facts.target is not None and facts.environment is not None
        key = facts.target.key
        observer = self.observer_of(facts.environment.metadata.name)
        if observer is None:
            return replace(facts, unread=Retryable(f"nothing observes Environment {facts.environment.metadata.name!r} yet"))
        refusal = await observer.identity.refusal()
        if refusal is not None:
            return replace(facts, unread=refusal, unread_since=observer.identity.refused_since)
        watched = observer.latest(key)
        if watched is None:
            observer.watch_also(key, facts.target.access)
            watched = observer.latest(key)
        problem: Problem | None = watched.unread.problem if watched and watched.unread else None
        if self._needs_fresh_look(facts, memory, watched):
            try:
                await observer.look(key, tasks=_must_see_tasks(facts, memory))
                problem = None
            except Problem as found:
                problem = found
        watched = observer.latest(key) or watched
        since = watched.unread.since if watched and watched.unread else None
        if watched is not None and watched.readable_since is not None:
            memory.patient_from = max(memory.patient_from or watched.readable_since, watched.readable_since)
        return replace(
            facts,
            look=watched.look if watched else None,
            health=watched.health if watched else facts.health,
            unread=problem,
            unread_since=since,
            patient_from=memory.patient_from,
            authors=watched.authors if watched else (),
        )

    def _needs_fresh_look(self, facts: Facts, memory: Memory, watched: Watched | None) -> bool:
        if watched is None or watched.look is None:
            return True
        status = facts.status
        pin = _pin_in_force(facts.release, status)
        settled = pin is not None and attempts.is_settled(status, pin) and not attempts.intends(status.rollout)
        if settled and not requests_pending(facts.release, status) and not facts.may_correct:
            return False
        age = self.clock.now() - watched.look.seen_time
        if status.pin is None and facts.pin is None and facts.environment is not None:
            # What runs already is adopted by the look that there is: thousands of Releases that come at once need no look of their own.
            return age > timedelta(seconds=facts.environment.spec.observation.interval_seconds)
        # What an attempt is built on must be what is there now; what one under way announced is checked again before it is done.
        now = memory.doubt_since is not None or not attempts.is_open(status.rollout)
        return age > timedelta(seconds=_NOW_S if now else _RECENT_S)

    async def _about_service(self, facts: Facts, target: Target, memory: Memory) -> Facts:
        """Read what belongs to the service: its revision, our past, what explains a rollout, the names of digests."""
        ecs, service = self.aws.ecs(target.access), facts.service
        assert service is not None
        (running, start_problem), newest, hashes = await asyncio.gather(
            read_revision(ecs, service.task_definition), newest_revisions(ecs, facts, memory), self._hashes(target, facts)
        )
        if isinstance(newest, Problem):
            # What cannot be known of our past may be a failure that is to be held: nothing is decided without it.
            return replace(facts, unread=newest, unread_since=facts.now)
        revisions = newest if running is None else (running, *newest)
        facts = replace(facts, running=running, start_problem=start_problem, newest=revisions, release_hashes=hashes)
        rollout = facts.status.rollout
        facts = replace(facts, doubt=memory.doubt(rollout, facts.now, await look_for_effect(ecs, target, facts, memory)))
        facts = await about_revisions(ecs, facts, memory, sweep_s(facts, self.settings))
        base = facts.base or running
        begins = facts.may_correct or (facts.pin is not None and not attempts.is_settled(facts.status, facts.pin))
        if base is not None and facts.pin is not None and facts.start_problem is None and begins:
            facts = replace(facts, start_problem=await self._start_problem(target, base, facts.pin))
        facts = await self.needs.read(await self.tag_reader.read(facts, memory))
        return await explain(ecs, target, facts, memory)

    async def _start_problem(self, target: Target, base: TaskDefinition, pin: Pin) -> Problem | None:
        """Say why no revision could be built on the base: a container that is not there, an image that is not where it is pulled from."""
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
        """Name the digests that run: by what our own status knows, else by their tags in ECR."""
        known = _known_hashes(facts)
        repositories = {c.name: c.repository for c in target.containers}
        service = facts.service
        seen = (
            [(repositories[s.container], s.digest) for s in seen_digests(service) if s.digest and s.container in repositories]
            if service
            else []
        )
        return known | await self.resolver.hashes(target, seen, known)


def key_of(release: Release) -> ObjectKey:
    """Name a Release."""
    return ObjectKey(RELEASE, release.metadata.namespace or "", release.metadata.name)


def _shown_to_run(facts: Facts) -> bool:
    """Tell whether the look that there is shows a service at rest, all of whose tasks run what is wanted: then nothing is to be done."""
    service, pin = facts.service, facts.pin
    return service is not None and pin is not None and not is_moving(service) and runs_wanted(facts, pin) is Match.YES


def _must_see_tasks(facts: Facts, memory: Memory) -> bool:
    """Tell whether tasks decide now: ECS's lists lag, so that what was read when the service last moved may lack some."""
    rollout = facts.status.rollout
    return memory.doubt_since is not None or (attempts.is_open(rollout) and rollout is not None and rollout.stage == COMPLETED)


def _with(facts: Facts, **fields: Any) -> Facts:
    return replace(facts, **fields)


def _pin_in_force(release: Release, status: ReleaseStatus) -> Pin | None:
    pin = status.pin
    return pin if pin is not None and pin.source_hash == source_hash(release.spec.source) else None


def _known_hashes(facts: Facts) -> dict[str, str]:
    known: dict[str, str] = {}
    for entry in facts.status.history or ():
        known |= {i.to_digest: i.to_hash for i in entry.images or () if i.to_digest and i.to_hash}
        known |= {i.from_digest: i.from_hash for i in entry.images or () if i.from_digest and i.from_hash}
    running = facts.status.running
    for container in (running.containers if running else None) or ():
        known |= {d.digest: d.release_hash for d in container.digests or () if d.digest and d.release_hash}
    for image in (facts.pin.images if facts.pin else None) or ():
        for digest in (image.digest, *(image.platform_digests or ())):
            if digest and image.release_hash:
                known[digest] = image.release_hash
    return known
