"""What would be done for one service, and what blocks it. Pure: the rules are those that the operator decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.meta import ObjectMeta
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.claimed_hash import claimed
from ecs_release.domain.artifacts.source import Lookup, hash_of_image, lookups, source_hash, unpinned
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.commit_rules import why_unjudged
from ecs_release.domain.decision.request_annotations import override_requested, refused, retry_requested, without
from ecs_release.domain.decision.suspension import environment_suspensions
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import Target, resolve_target
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.rules import window_passage
from ecs_release.domain.verification.proof import ImageDigests, Match

Resolver = Callable[[Target, Lookup], RegistryImage | str | None]
"""Finds an image in the registry: None if there is none, a text if it could not be looked up."""

DEPLOY, NOTHING, ADOPT, HELD, BLOCKED, UNKNOWN = "deploy", "nothing", "adopt what runs", "hold", "refuse", "not known"

_NONE = ImageDigests(frozenset())


@dataclass(frozen=True, slots=True)
class Image:
    """A container's image: what is known of it. `seen` are the digests that its tasks show, `accepted` those that would prove it."""

    digest: str = ""
    hash: str = ""
    seen: frozenset[str] = frozenset()
    accepted: ImageDigests = _NONE


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What would be done for a service. `does` is one of the words above; `why` explains it.

    `missing`: its image is not there. `window` says which closed window holds it up.
    """

    service: str
    does: str
    why: str = ""
    before: Mapping[str, Image] = field(default_factory=dict)
    after: Mapping[str, Image] = field(default_factory=dict)
    wave: str = ""
    missing: bool = False
    window: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a plan is made: what is known of Project and Environment, and the Releases of the Project by name."""

    namespace: str
    project: Project | None
    environment: Environment | None
    releases: Mapping[str, Release]
    now: datetime
    project_name: str = ""
    environment_name: str = ""
    labels: Mapping[str, str] | None = None


def obstacles(place: Surroundings, *, suspension: str = "") -> Iterator[str]:
    """Yield what is not there, and all that holds up any change on purpose; `suspension` is the object's own."""
    if place.project is None:
        yield f"there is no Project {place.project_name} in namespace {place.namespace}: it would wait for one"
    if place.environment is None:
        yield f"Environment {place.environment_name} is not there, or you may not read it"
        return
    for suspended in environment_suspensions(place.environment, place.now):
        yield suspended.message
    if suspension:
        yield suspension


def plan_service(
    place: Surroundings,
    service: str,
    source: Source,
    live: Release | None,
    resolve: Resolver,
    *,
    pinned: list[PinnedImage] | None = None,
    requests: ObjectMeta | None = None,
) -> ServicePlan:
    """Plan one service.

    `live` is its Release as it is now, and `requests` the metadata whose annotations may request something of it; `pinned` is what its
    source was resolved to, if that stands.
    """
    status = (live.status if live is not None else None) or ReleaseStatus()
    before = running_images(status)
    if place.project is None or place.environment is None:
        return ServicePlan(service, UNKNOWN, "where it goes is not known", before)
    if requests is not None:
        requests = without(requests, refused(place.environment, requests, status))
    try:
        target = resolve_target(place.environment, place.project, service, place.labels)
        added = _added(target, status, source, pinned)
        after = {i.container: _of_pin(i) for i in pinned} if pinned and not added else _looked_up(target, source, resolve)
    except Problem as problem:
        return ServicePlan(service, BLOCKED, problem.message, before)
    if added and (requests is None or retry_requested(requests, status) is None):
        why = f"the Project lists container {', '.join(added)} since the source was resolved: a new source, or a retry, takes it in"
        return ServicePlan(service, HELD, why, before, {name: i for name, i in after.items() if isinstance(i, Image)})
    unknown = [text for text in after.values() if isinstance(text, str)]
    images = {name: i for name, i in after.items() if isinstance(i, Image)}
    if unknown:
        images |= {name: Image(hash=source.release_hash or source.tag or "") for name in after if name not in images}
        return ServicePlan(service, UNKNOWN, f"the digest could not be looked up: {unknown[0]}", before, images)
    missing = [name for name, i in images.items() if not i.digest]
    if missing:
        names = {c.name: c.repository for c in target.containers}
        text = ", ".join(f"{names.get(name, name)} has no image {_tags(target, source)}" for name in missing)
        return ServicePlan(service, BLOCKED, text, before, images, missing=True)
    return _judged(
        place, ServicePlan(service, DEPLOY, "", before, images), status, requests, unchanged=bool(pinned) or _is_pinned(status, source)
    )


def _added(target: Target, status: ReleaseStatus, source: Source, pinned: list[PinnedImage] | None) -> list[str]:
    """List the containers that the Project lists, and that the pin which stands lacks."""
    pin = Pin(images=pinned) if pinned else status.pin
    return unpinned(pin, target.containers) if pin is not None and (pinned or _is_pinned(status, source)) else []


def _judged(place: Surroundings, plan: ServicePlan, status: ReleaseStatus, requests: ObjectMeta | None, *, unchanged: bool) -> ServicePlan:
    """Complete a plan whose digests are all known, as the operator decides it."""
    images, found = plan.after, _compared(plan)
    if found is Match.YES:
        does, why = (NOTHING, "it runs already") if unchanged else (ADOPT, "the same digests run already")
        return replace(plan, does=does, why=why)
    digests = {name: image.digest for name, image in images.items()}
    pin = status.pin if unchanged and status.pin is not None and attempts.digests(status.pin) == digests else None
    stays = _stays(status, pin, requests, found) if pin is not None else None
    if stays is not None:
        return replace(plan, does=stays[0], why=stays[1])
    return _deploys(place, plan, status, digests, requests)


def _compared(plan: ServicePlan) -> Match:
    """Compare what runs with what is wanted. A container that was not seen is a difference."""
    found = {image.accepted.match(digest) for name, image in plan.after.items() if name in plan.before for digest in plan.before[name].seen}
    if Match.NO in found or plan.after.keys() - plan.before.keys():
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in found else Match.YES


def _stays(status: ReleaseStatus, pin: Pin, requests: ObjectMeta | None, found: Match) -> tuple[str, str] | None:
    """Return why a pin deploys nothing anew; None if it was not tried yet, or a retry is requested."""
    rollout = status.rollout
    if attempts.is_open(rollout) and attempts.covers(rollout, pin):
        return DEPLOY, "it is under way"
    if not attempts.is_settled(status, pin) or (requests is not None and retry_requested(requests, status) is not None):
        return None
    if rollout is not None and attempts.covers(rollout, pin) and rollout.outcome not in attempts.GOOD:
        return HELD, f"the latest attempt ended {rollout.outcome}: a retry has to ask for another"
    if found is Match.UNKNOWN:
        return UNKNOWN, "what runs may be one of the wanted images' platforms: ECR has not told yet"
    return HELD, "something else runs: drift, which is corrected only where onDrift says so"


def _deploys(
    place: Surroundings, plan: ServicePlan, status: ReleaseStatus, digests: Mapping[str, str], requests: ObjectMeta | None
) -> ServicePlan:
    """Complete the plan of an attempt that is due: a closed window holds it up, or by what right it passes."""
    override = override_requested(requests, status) if requests is not None else None
    attempt = window_passage.Attempt(digests, status.history or (), override)
    try:
        way = window_passage.passage(place.environment, attempt, place.now)
    except Problem as problem:
        return replace(plan, why=problem.message, window=problem.message)
    asks = _asks(place, plan)
    if way.closed is None:
        return replace(plan, why=join_clauses("" if plan.before else "what runs there is not known yet", asks))
    if way.is_open:
        return replace(plan, why=join_clauses(f"passes closed window {way.right}", asks))
    closed = window_passage.described(way.closed)
    return replace(plan, why=join_clauses(closed, asks), window=closed)


def _asks(place: Surroundings, plan: ServicePlan) -> str:
    """Return what the commit graph is asked before an attempt begins: its answers only the operator can get. Empty if it is not asked."""
    rules = place.environment.spec.commits if place.environment is not None else None
    if rules is None or not rules.are_asked:
        return ""
    asked = ["whether it is merged"] if rules.not_merged == "Refuse" else []
    asked += ["whether it goes backwards"] if rules.backwards == "Hold" else []
    unjudged = next((f"; {why}" for image in plan.after.values() if (why := why_unjudged(rules, image.hash))), "")
    return f"the commit graph is asked first {' and '.join(asked)} (commits.unknown is {rules.unknown}){unjudged}"


def running_images(status: ReleaseStatus) -> dict[str, Image]:
    """Return what the containers run."""
    found = {}
    for container in (status.running.containers if status.running else None) or ():
        seen = [d for d in container.digests or () if d.digest]
        if seen:
            found[container.name] = Image(seen[0].digest or "", seen[0].release_hash or "", frozenset(d.digest or "" for d in seen))
    return found


def _looked_up(target: Target, source: Source, resolve: Resolver) -> dict[str, Image | str]:
    """Look each container's image up; a text if it could not be looked up, an Image without digest if there is none."""
    found: dict[str, Image | str] = {}
    for lookup in lookups(source, target.containers, target.tag_formats):
        image = resolve(target, lookup)
        name = lookup.release_hash or source.tag or ""
        if image is None:
            found[lookup.container] = Image(hash=name)
        elif isinstance(image, str):
            # A digest is known without asking: only whether it is there is not.
            known = lookup.digest
            found[lookup.container] = Image(known, claimed(name), accepted=ImageDigests(frozenset({known}))) if known else image
        else:
            its_hash = hash_of_image(lookup, image.tags, target.tag_formats) if lookup.digest else name
            accepted = ImageDigests(frozenset({image.digest, *image.platform_digests}))
            found[lookup.container] = Image(image.digest, its_hash, accepted=accepted)
    return found


def _of_pin(image: PinnedImage) -> Image:
    (accepted,) = attempts.proofs(Pin(images=[image])).values()
    return Image(image.digest or "", image.release_hash or image.tag or "", accepted=accepted)


def _is_pinned(status: ReleaseStatus, source: Source) -> bool:
    return status.pin is not None and status.pin.source_hash == source_hash(source)


def _tags(target: Target, source: Source) -> str:
    if source.tag:
        return f"tagged {source.tag}"
    if source.release_hash:
        return "tagged " + " or ".join(f.replace("{releaseHash}", source.release_hash) for f in target.tag_formats)
    return "of that digest"
