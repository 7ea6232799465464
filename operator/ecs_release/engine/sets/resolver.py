"""Pins a set: looks up the images of every service, and what runs now (law 10: all are resolved before the first service moves)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import SetService
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.registry_images import Repository
from ecs_release.domain.artifacts.source import display_hash
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import pulled_from
from ecs_release.domain.environments.targets import Target, check_deployable
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Waiting
from ecs_release.domain.ports.protocols import Aws
from ecs_release.domain.retention.image_availability import repository
from ecs_release.domain.sets.child_state import LEFT
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.domain.sets.pins import combined_problem, gone_images_problem, keeps, kept
from ecs_release.domain.sets.running_images import (
    are_run_by,
    gone_note,
    named_images,
    older_note,
    pinned_images,
    running_images,
    shown_digests,
)
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.sets.child_checks import ChildChecks
from ecs_release.engine.sets.promotion import PromotionResolver
from ecs_release.engine.store.references import References


@dataclass(slots=True)
class SetResolver:
    """Resolves the services of a set."""

    references: References
    aws: Aws
    observer_of: Callable[[str], Observer | None]
    resolver: Resolver
    promotion: PromotionResolver
    checks: ChildChecks

    async def pin(self, facts: SetFacts, environment: Environment, project: Project) -> tuple[Resolved, ...]:
        """Resolve all services, and ask of each what would refuse its Release. Problems are in the results."""
        return tuple(await asyncio.gather(*(self._service(facts, environment, project, name) for name in facts.members)))

    async def start_problem(self, facts: SetFacts, environment: Environment, project: Project) -> Problem | None:
        """Ask once more, before the first wave, what would refuse a set that was resolved some time ago."""
        gone = await self.gone_images(facts, environment, project)
        if gone is not None:
            return gone
        lines = [s for s in facts.status.services or () if s.state != LEFT]
        return combined_problem(await asyncio.gather(*(self._asked_again(facts, environment, project, line) for line in lines)))

    async def gone_images(self, facts: SetFacts, environment: Environment, project: Project) -> Problem | None:
        """Look up all images of a set once more, a repository in one call, and say which are gone."""
        needed: dict[Repository, list[tuple[str, PinnedImage]]] = defaultdict(list)
        services = facts.status.services or []
        try:
            for service in services:
                target = await self.references.target(environment, project, service.name, facts.release_set.metadata.namespace or "")
                names = {c.name: c.repository for c in target.containers}
                for image in (i for i in service.images or () if i.container in names):
                    needed[repository(target, names[image.container])].append((service.name, image))
            missing = await asyncio.gather(*(self._missing(place, images) for place, images in needed.items()))
        except (Retryable, Denied) as problem:
            return problem
        except Problem:
            # Each service is asked after that, and says what is wrong with its target.
            return None
        return gone_images_problem([one for found in missing for one in found], len(services))

    async def _missing(self, place: Repository, images: list[tuple[str, PinnedImage]]) -> list[tuple[str, PinnedImage]]:
        registry = self.aws.registry(place.access, place.registry_id, place.region)
        there = await registry.images(place.name, {i.digest or "" for _, i in images})
        return [(s, i) for s, i in images if (found := there.image(i.digest or "")) is None or found.archived]

    async def _service(self, facts: SetFacts, environment: Environment, project: Project, name: str) -> Resolved:
        release_set = facts.release_set
        try:
            target = await self.references.target(environment, project, name, release_set.metadata.namespace or "")
            child, (pin, source, missing) = await asyncio.gather(
                self._child(facts, environment, target, name), self._pin(release_set, project, target, name, facts.now)
            )
            found = await self._with_running(Resolved(name), child, target)
            if missing is not None:
                found = kept(found, missing)
            images = found.images if found.kept else tuple(pin.images or ()) if pin is not None else ()
            base = await self._base(child, found.runs, images)
            if found.kept:
                return found
            await self._check_replicated(target, base, images)
            its_hash = display_hash(source, pin) or next((i.release_hash for i in images if i.release_hash), "")
            return replace(found, images=images, hash=its_hash, note=await self._note(target, images, found.runs))
        except Problem as problem:
            return Resolved(name, problem=problem)

    async def _asked_again(self, facts: SetFacts, environment: Environment, project: Project, line: SetService) -> Resolved:
        found, images = Resolved(line.name), tuple(line.images or ())
        try:
            target = await self.references.target(environment, project, line.name, facts.release_set.metadata.namespace or "")
            child = await self._child(facts, environment, target, line.name)
            await self._base(child, (await self._with_running(found, child, target)).runs, images)
        except Problem as problem:
            return replace(found, problem=problem)
        return found

    async def _base(self, child: Facts, runs: tuple[PinnedImage, ...], images: tuple[PinnedImage, ...]) -> TaskDefinition:
        """Return what an attempt would build on, if one is needed, after asking what would refuse it. Raises Problem."""
        assert child.revisions.running is not None and child.service is not None
        if not child.service.is_moving and are_run_by(runs, images):
            # Nothing is deployed there: its Release adopts what runs.
            return child.revisions.running
        return await self.checks.check_start(child, images)

    async def _with_running(self, found: Resolved, child: Facts, target: Target) -> Resolved:
        """Return a result with what its service runs now. Raises Problem."""
        service, revision = child.service, child.revisions.running
        assert service is not None and revision is not None
        repositories = {c.name: c.repository for c in target.containers}
        shown, named = shown_digests(service, revision, target), named_images(revision, target)
        looked_up = await asyncio.gather(
            *(self.resolver.look_up_shown(target, repositories[c], named[c], digests) for c, digests in shown.items())
        )
        runs = running_images(service, revision, target, dict(zip(shown, looked_up, strict=True)))
        hashes = await self.resolver.hashes(target, [(repositories[c], d) for c, d in runs.items()], {})
        return replace(found, runs=pinned_images(runs, hashes, target), idle=not service.running_tasks)

    async def _child(self, facts: SetFacts, environment: Environment, target: Target, name: str) -> Facts:
        """Read the ECS service that a set is about to change, and its revision, and check that its Release holds it. Raises Problem."""
        observer = self.observer_of(environment.metadata.name)
        if observer is None:
            raise Retryable(f"nothing observes Environment {environment.metadata.name!r} yet")
        refusal = await observer.role_check.refusal()
        if refusal is not None:
            raise refusal
        observer.observe_also(target.key, target.access)
        look = await observer.look(target.key)
        service = check_deployable(target.key, look.service)
        running = await self.aws.ecs(target.access).describe_task_definition(service.task_definition)
        return await self.checks.check_holder(self.checks.facts_of(facts, name, environment, target, look, running))

    async def _pin(
        self, release_set: ReleaseSet, project: Project, target: Target, service: str, now: datetime
    ) -> tuple[Pin | None, Source, Blocked | None]:
        """Resolve a service's source. If an image is missing and the service may stay as it is, the problem is returned. Raises Problem."""
        source, promotes = await self._source(release_set, project, service)
        try:
            return await self.resolver.resolve(source, target, now), source, None
        except (Denied, Retryable):
            raise
        except Blocked as problem:
            if problem.reason != Reason.ARTIFACT_NOT_FOUND:
                raise
            if promotes:
                raise Waiting(Reason.AWAITING_REPLICATION, problem.message) from problem
            if not keeps(release_set.spec, service):
                raise
            return None, source, problem

    async def _source(self, release_set: ReleaseSet, project: Project, service: str) -> tuple[Source, bool]:
        """Return a service's source, and whether it is promoted from another environment."""
        spec = release_set.spec
        own = next((o.source for o in spec.overrides or () if o.service == service), None)
        if own is not None:
            return own, False
        assert spec.source is not None
        if spec.source.environment_ref is not None:
            return await self.promotion.source(project, service, spec.source.environment_ref.name), True
        return Source(release_hash=spec.source.release_hash, tag=spec.source.tag), False

    async def _check_replicated(self, target: Target, revision: TaskDefinition, images: tuple[PinnedImage, ...]) -> None:
        repositories = {c.name: c.repository for c in target.containers}
        for image in images:
            host = pulled_from(revision, image.container)
            await self.resolver.check_replicated(target, host, image, repositories[image.container])

    async def _note(self, target: Target, images: tuple[PinnedImage, ...], runs: tuple[PinnedImage, ...]) -> str:
        """Return a note on images that are older than the running ones, or replace missing ones: that is allowed, and worth knowing."""
        now_runs = {i.container: i.digest or "" for i in runs}
        repositories = {c.name: c.repository for c in target.containers}
        notes: list[str] = []
        for image in images:
            digest = now_runs.get(image.container, "")
            if not digest or digest == image.digest:
                continue
            try:
                found = await self.resolver.image(target, repositories[image.container], digest)
            except Problem:
                continue
            notes.append(older_note(image, digest, found.pushed_at) if found else gone_note(image, digest))
        return "; ".join(n for n in notes if n)
