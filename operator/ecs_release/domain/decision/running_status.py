"""`status.running`: what tasks show, by digest and, if one is known for it, by release hash."""

from __future__ import annotations

from datetime import datetime

from ecs_release.api.release_status import ChangedBy, Running, RunningContainer, RunningDigest
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.events import started_by
from ecs_release.domain.ecs.service import Deployment, Service
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.verification.deployment_stages import is_waiting
from ecs_release.domain.verification.proof import SeenDigest, seen_digests

_DIGESTS, _CONTAINERS = 20, 30


def running(facts: Facts) -> Running | None:
    """Return what runs now; None if there is no service."""
    service = facts.service
    if service is None:
        return facts.status.running if facts.seen.look is None else None
    seen = [s for s in seen_digests(service) if s.container]
    containers = [
        RunningContainer(
            name=name,
            digests=[
                RunningDigest(digest=s.digest or None, tasks=s.tasks, release_hash=facts.release_hashes.get(s.digest) or None)
                for s in seen
                if s.container == name
            ][:_DIGESTS],
        )
        for name in dict.fromkeys(s.container for s in seen)
    ][:_CONTAINERS]
    primary = service.primary
    known = _unchanged(facts, seen)
    if known is not None:
        containers = _with_no_tasks(known)
    return Running(
        hash=known.hash if known is not None else _hash(facts, seen),
        task_definition=service.task_definition,
        containers=containers or None,
        running_count=service.running,
        desired_count=service.desired,
        pending_count=service.pending,
        since_time=_since(facts, service, containers),
        deployment_id=primary.id if primary else None,
        deployment_created_time=primary.created_at if primary else None,
        under_way_since_time=under_way_since(facts),
        changed_by=changed_by(facts, primary) if primary else None,
    )


def under_way_since(facts: Facts) -> datetime | None:
    """Return since when the PRIMARY deployment was seen under way; None if it is done, or waits on purpose (a hook, bake time).

    When it was created does not tell: ECS may roll back to a deployment by its old id and time.
    """
    service, before, outage = facts.service, facts.status.running, facts.tracking.outage
    if service is None or service.primary is None or not service.is_moving or is_waiting(facts.diagnostics.foreign):
        return None
    since = before.under_way_since_time if before is not None and before.deployment_id == service.primary.id else None
    if since is None or outage is None:
        return since or facts.now
    return outage.put_off(since)


def changed_by(facts: Facts, primary: Deployment) -> ChangedBy | None:
    """Return who started the PRIMARY deployment. CloudTrail reports that once, so it is kept in status while the deployment is PRIMARY."""
    author = next((a for a in facts.seen.authors if started_by(a, primary.id, primary.created_at)), None)
    if author is not None:
        return ChangedBy(arn=author.arn or None, user_agent=author.user_agent or None, time=author.time)
    before = facts.status.running
    return before.changed_by if before is not None and before.deployment_id == primary.id else None


def author_text(facts: Facts, primary: Deployment) -> str:
    """Say who started the PRIMARY deployment, with a space before it; an empty string if that is not known."""
    who = changed_by(facts, primary)
    if who is None or not who.arn:
        return ""
    return f" by {who.arn}" + (f" ({who.user_agent})" if who.user_agent else "")


def _unchanged(facts: Facts, seen: list[SeenDigest]) -> Running | None:
    """Return what ran last, if the deployment is the same still and no task runs just now, or none shows its digests yet."""
    service, before = facts.service, facts.status.running
    if service is None or service.primary is None or service.desired == 0 or before is None or any(s.digest for s in seen):
        return None
    return before if before.deployment_id == service.primary.id and before.containers else None


def _with_no_tasks(known: Running) -> list[RunningContainer]:
    return [
        c.model_copy(update={"digests": [d.model_copy(update={"tasks": 0}) for d in c.digests or () if d.digest]})
        for c in known.containers or ()
    ]


def _hash(facts: Facts, seen: list[SeenDigest]) -> str | None:
    """Return what the listed containers run, by what most tasks show: one hash if they share one, else the first's short digest."""
    listed = [c.name for c in facts.place.target.containers] if facts.place.target else []
    most: dict[str, str] = {}
    for one in seen:
        if one.container in listed and one.digest:
            most.setdefault(one.container, one.digest)
    hashes = {facts.release_hashes.get(digest, "") for digest in most.values()}
    if len(hashes) == 1 and (only := hashes.pop()):
        return only
    return next((short_digest(most[name]) for name in listed if name in most), None)


def _since(facts: Facts, service: Service, containers: list[RunningContainer]) -> datetime | None:
    """Keep the time while the digests stay the same; else it is now, at first sight when their deployment began."""
    before = facts.status.running
    if before is not None and _digests(before.containers) == _digests(containers):
        return before.since_time
    if not containers:
        return None
    primary = service.primary
    if before is None and primary is not None:
        return primary.created_at
    return facts.now


def _digests(containers: list[RunningContainer] | None) -> set[tuple[str, str]]:
    return {(c.name, d.digest) for c in containers or () for d in c.digests or () if d.digest}
