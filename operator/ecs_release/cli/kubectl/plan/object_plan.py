"""What would be done for a Release or a ReleaseSet: its services, each by `service_plan`, and what blocks them together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.release import Release, ReleaseSpec
from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset import ReleaseSet, ReleaseSetSpec
from ecs_release.api.source import Source
from ecs_release.cli.kubectl.plan.service_plan import (
    BLOCKED,
    NOTHING,
    UNKNOWN,
    Resolver,
    ServicePlan,
    Surroundings,
    obstacles,
    plan_service,
)
from ecs_release.domain.artifacts.source import display_hash, pinned_source, source_hash
from ecs_release.domain.decision.suspension import spec_suspensions
from ecs_release.domain.environments.claims import Claim, holder
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Blocked, Problem
from ecs_release.domain.promotion.proof import why_unproven
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.facts import Resolved, controller_of, set_display_hash, set_source_hash
from ecs_release.domain.sets.pins import check_spec, keeps, kept
from ecs_release.domain.sets.waves import compose


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What would come of an object: from which source to which, what blocks it, and service by service."""

    reference: str
    before: str
    after: str
    changed: bool
    blocked_by: tuple[str, ...] = ()
    services: tuple[ServicePlan, ...] = ()


def plan_release(wanted: Release, live: Release | None, place: Surroundings, resolve: Resolver) -> ObjectPlan:
    """Plan a Release: as it is wanted, and as it is now."""
    status, source = live.status if live else None, wanted.spec.source
    stands = status is not None and status.pin is not None and status.pin.source_hash == source_hash(source)
    pinned = list(status.pin.images or ()) if stands and status is not None and status.pin is not None else None
    runs = live or _of_service(place, wanted.spec.service, wanted.spec.environment_ref.name)
    requests = wanted.metadata if live is not None else None
    service = plan_service(place, wanted.spec.service, source, runs, resolve, pinned=pinned, requests=requests)
    return ObjectPlan(
        f"release/{wanted.metadata.name}",
        display_hash(live.spec.source, status.pin if status else None) or "digests" if live else "",
        display_hash(source, status.pin if status else None) or "digests",
        changed=live is None or source_hash(live.spec.source) != source_hash(source),
        blocked_by=(
            *_held(place, {wanted.spec.service: wanted.metadata.name}, wanted.spec.environment_ref.name),
            *_blocked(place, [service], _suspended(wanted.spec, place, "nothing is changed in AWS")),
        ),
        services=(service,),
    )


def plan_set(wanted: ReleaseSet, live: ReleaseSet | None, place: Surroundings, resolve: Resolver) -> ObjectPlan:
    """Plan a ReleaseSet: as it is wanted, and as it is now."""
    spec, status = wanted.spec, live.status if live else None
    changed = live is None or set_source_hash(live.spec) != set_source_hash(spec)
    plan = ObjectPlan(
        f"releaseset/{wanted.metadata.name}", set_display_hash(live.spec) if live else "", set_display_hash(spec), changed=changed
    )
    there = _there(place, spec)
    if there is None:
        unknown = [f"Project {place.project_name} has no service set {spec.service_set!r}"] if place.project is not None else []
        return replace(plan, blocked_by=(*unknown, *obstacles(place, suspension=_suspended(spec, place, "no further service starts"))))
    try:
        check_spec(spec, there)
    except Problem as problem:
        return replace(plan, blocked_by=(problem.message,))
    members = [s for s in there if spec.services is None or s in spec.services]
    waves = {s: str(n) for n, wave in enumerate(compose(spec.strategy, members), 1) for s in wave}
    stands = status is not None and status.source_hash == set_source_hash(spec)
    lines = {s.name: s for s in (status.services if stands and status else None) or ()}
    own = {s: child_name(wanted.metadata.name, s) for s in sorted(members, key=lambda s: (int(waves[s]), members.index(s)))}
    services = []
    for name, its_child in own.items():
        child = place.releases.get(its_child) or _of_service(place, name, spec.environment_ref.name)
        pinned = list(lines[name].images or ()) if name in lines else None
        services.append(replace(_of_member(place, spec, name, child, resolve, pinned), wave=waves[name]))
    blocked = [
        *_missing(services),
        *_held(place, own, spec.environment_ref.name),
        *_blocked(place, services, _suspended(spec, place, "no further service starts")),
    ]
    return replace(plan, blocked_by=tuple(blocked), services=tuple(services))


def _there(place: Surroundings, spec: ReleaseSetSpec) -> list[str] | None:
    """List the services of the service set; None if that is not known."""
    sets = place.project.spec.service_sets if place.project else ()
    return next(([s.name for s in group.services] for group in sets if group.name == spec.service_set), None)


def _going_to(place: Surroundings, service: str, environment: str) -> list[Release]:
    return [r for r in place.releases.values() if (r.spec.service, r.spec.environment_ref.name) == (service, environment)]


def _of_service(place: Surroundings, service: str, environment: str) -> Release | None:
    return next(iter(_going_to(place, service, environment)), None)


def _of_member(
    place: Surroundings, spec: ReleaseSetSpec, name: str, child: Release | None, resolve: Resolver, pinned: list[PinnedImage] | None
) -> ServicePlan:
    source = _source(place, spec, name)
    if isinstance(source, str):
        if pinned is None:
            return ServicePlan(name, BLOCKED, source)
        source = Source()
    plan = plan_service(place, name, source, child, resolve, pinned=pinned, requests=child.metadata if child is not None else None)
    return _keeping(place, plan, child, resolve) if plan.missing and keeps(spec, name) else plan


def _keeping(place: Surroundings, plan: ServicePlan, child: Release | None, resolve: Resolver) -> ServicePlan:
    """Plan a service that keeps what runs, for there is no image: its Release shows what that is; the operator also reads ECS."""
    if not plan.before:
        return replace(plan, does=UNKNOWN, why=f"{plan.why}; what runs is kept, and no Release tells yet what that is")
    runs = [
        PinnedImage(container=name, digest=plan.before[name].digest, release_hash=plan.before[name].hash or None)
        for name in plan.after
        if name in plan.before
    ]
    all_known = tuple(runs) if len(runs) == len(plan.after) else ()
    try:
        found = kept(Resolved(plan.service, runs=all_known), Blocked(Reason.ARTIFACT_NOT_FOUND, plan.why))
    except Problem as problem:
        return replace(plan, why=problem.message)
    stays = plan_service(place, plan.service, Source(), child, resolve, pinned=list(found.images))
    return replace(stays, why=found.note if stays.does == NOTHING else f"{found.note}; {stays.why}")


def _source(place: Surroundings, spec: ReleaseSetSpec, name: str) -> Source | str:
    """Return a service's source, or why there is none."""
    own = next((o.source for o in spec.overrides or () if o.service == name), None)
    if own is not None:
        return own
    assert spec.source is not None, "check_spec has seen to it"
    if spec.source.environment_ref is None:
        return Source(release_hash=spec.source.release_hash, tag=spec.source.tag)
    promoted = spec.source.environment_ref.name
    found = _going_to(place, name, promoted)
    proven = next((r for r in found if not why_unproven(r)), None)
    if proven is None:
        return f"not promoted from {promoted}: {why_unproven(found[0]) if found else 'no Release of it goes there'}"
    return pinned_source(proven.status.pin if proven.status else None)


def _missing(services: Sequence[ServicePlan]) -> list[str]:
    """Return which services cannot go: a set resolves everything before the first service moves (law 10)."""
    refused = [s for s in services if s.does == BLOCKED]
    if not refused:
        return []
    return [f"{len(refused)} of {len(services)} services cannot go: {', '.join(s.service for s in refused)}; then none of them moves"]


def _held(place: Surroundings, own: Mapping[str, str], environment: str) -> list[str]:
    """Return which services another Release of the Project holds. `own` is what would go there, by service."""
    holders = {service: _holder(_going_to(place, service, environment), name) for service, name in own.items()}
    found = {service: other for service, other in holders.items() if other}
    if not found:
        return []
    listed = ", ".join(f"{service} by release/{name}" for service, name in found.items())
    return [f"held by another Release: {listed}; delete it first, which touches nothing in AWS"]


def _holder(claims: Sequence[Release], name: str) -> str:
    """Return the Release that keeps another out of a service; an empty string if none does.

    The operator goes by the running revision first, then by age: what it has found is in status.
    """
    claims = [r for r in claims if _may_act(r)]
    mine = next((r for r in claims if r.metadata.name == name), None)
    if mine is not None and _holds(mine):
        return ""
    found = holder([_claim(r) for r in claims if _holds(r)] or [_claim(r) for r in claims], None, "")
    return found if found != name else ""


def _may_act(release: Release) -> bool:
    """Return whether a ReleaseSet has made a Release that names one as its controller: others claim nothing."""
    owner = controller_of(release)
    return owner is None or release.metadata.name == child_name(owner.name, release.spec.service)


def _holds(release: Release) -> bool:
    ready = find(release.status.conditions, ConditionType.READY) if release.status else None
    return ready is not None and ready.reason not in _HOLDS_NOTHING


_HOLDS_NOTHING = frozenset(
    {
        Reason.TARGET_CONFLICT,
        # Nobody has come to ask who holds the service.
        Reason.AWAITING_ENVIRONMENT,
        Reason.AWAITING_PROJECT,
        Reason.INVALID_SPEC,
        Reason.TARGET_NOT_ALLOWED,
        Reason.ACCESS_DENIED,
        Reason.OBSERVATION_FAILED,
        Reason.PROGRESSING_WITH_RETRY,
        Reason.SERVICE_NOT_FOUND,
        Reason.UNSUPPORTED_CONTROLLER,
    }
)


def _claim(release: Release) -> Claim:
    return Claim(release.metadata.creation_timestamp or datetime.max.replace(tzinfo=UTC), release.metadata.name)


def _suspended(spec: ReleaseSpec | ReleaseSetSpec, place: Surroundings, what: str) -> str:
    """Return the object's own suspension in a sentence; an empty string if there is none."""
    return next((found.message for found in spec_suspensions(spec, place.now, what)), "")


def _blocked(place: Surroundings, services: Sequence[ServicePlan], suspension: str) -> tuple[str, ...]:
    found = [*obstacles(place, suspension=suspension), *dict.fromkeys(s.window for s in services if s.window)]
    if any(s.does == UNKNOWN for s in services) and place.project is not None and place.environment is not None:
        found += dict.fromkeys(s.why for s in services if s.does == UNKNOWN)
    return tuple(found)
