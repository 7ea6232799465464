"""What would be done for one service, and what blocks it. Pure: the rules are those that the operator decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import PinnedImage, ReleaseStatus
from ecs_release.api.source import Source
from ecs_release.api.windows import ClosedWindow
from ecs_release.cli.kubectl.status.header import window_text
from ecs_release.domain.artifacts.source import Lookup, lookups, source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments import windows
from ecs_release.domain.environments.targets import Target, resolve_target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.rules import window_passage as gate

Resolver = Callable[[Target, Lookup], RegistryImage | str | None]
"""Finds an image in the registry: None where there is none, a text where nobody could tell."""

DEPLOY, NOTHING, ADOPT, HELD, BLOCKED, UNKNOWN = "deploy", "nothing", "adopt what runs", "hold", "refuse", "not known"


@dataclass(frozen=True, slots=True)
class Image:
    """A container's image: what is known of it."""

    digest: str = ""
    hash: str = ""
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What would be done for a service. `does` is one of the words above; `why` explains it. `missing`: its image is not there."""

    service: str
    does: str
    why: str = ""
    before: Mapping[str, Image] = field(default_factory=dict)
    after: Mapping[str, Image] = field(default_factory=dict)
    wave: str = ""
    missing: bool = False


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


def brakes(place: Surroundings, *, suspended: bool) -> Iterator[str]:
    """Say what holds everything up on purpose, or because something is not there."""
    if place.project is None:
        yield f"there is no Project {place.project_name} in namespace {place.namespace}: it would wait for one"
    environment = place.environment
    if environment is None:
        yield f"Environment {place.environment_name} is not there, or you may not read it"
        return
    name = environment.metadata.name
    if environment.spec.mode == "Observe":
        yield f"Environment {name} is in mode Observe: nothing is changed in AWS"
    if environment.spec.suspend is not None:
        yield f"Environment {name} is suspended: {environment.spec.suspend.reason}"
    if suspended:
        yield "spec.suspend is true"


def closed_window(place: Surroundings) -> str:
    """Say which window is closed now; an empty string where none is."""
    listed = (place.environment.spec.windows if place.environment else None) or ()
    try:
        state = windows.evaluate(listed, place.now)
    except Problem as problem:
        return problem.message
    if not state.closed:
        return ""
    return window_text(ClosedWindow(name=state.window, reason=state.reason, next_open_time=state.next_open))


def plan_service(
    place: Surroundings, service: str, source: Source, live: Release | None, resolve: Resolver, *, pinned: list[PinnedImage] | None = None
) -> ServicePlan:
    """Plan one service. `live` is its Release as it is now; `pinned` what its source was resolved to, where that stands."""
    status = (live.status if live is not None else None) or ReleaseStatus()
    before = running_images(status)
    if place.project is None or place.environment is None:
        return ServicePlan(service, UNKNOWN, "where it goes is not known", before)
    try:
        target = resolve_target(place.environment, place.project, service, place.labels)
        after = {i.container: _of_pin(i) for i in pinned} if pinned else _looked_up(target, source, resolve)
    except Problem as problem:
        return ServicePlan(service, BLOCKED, problem.message, before)
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
    return _judged(place, service, status, before, images, unchanged=bool(pinned) or _is_pinned(status, source))


def _judged(
    place: Surroundings, service: str, status: ReleaseStatus, before: Mapping[str, Image], after: Mapping[str, Image], *, unchanged: bool
) -> ServicePlan:
    """Say what comes of it where all digests are known."""
    if before and all(name in before and before[name].accepted <= image.accepted for name, image in after.items()):
        does, why = (NOTHING, "it runs already") if unchanged else (ADOPT, "the same digests run already")
        return ServicePlan(service, does, why, before, after)
    stays = _stays(status, after) if unchanged else None
    if stays is not None:
        return ServicePlan(service, *stays, before, after)
    closed = closed_window(place)
    why = closed or ("" if before else "what runs there is not known yet")
    if closed and _was_ready_lately(status, after, place.now):
        why = f"passes the closed window: it was Ready here in the last {gate.RETURN_DAYS} days"
    return ServicePlan(service, DEPLOY, why, before, after)


def _stays(status: ReleaseStatus, after: Mapping[str, Image]) -> tuple[str, str] | None:
    """Say why a source that has not changed deploys nothing anew; None where it was not tried yet."""
    rollout = status.rollout
    if rollout is None or attempts.aims_at(rollout) != {name: image.digest for name, image in after.items()}:
        return None
    if attempts.is_open(rollout):
        return DEPLOY, "it is under way"
    if rollout.outcome in attempts.GOOD:
        return HELD, "something else runs: drift, which is corrected only where onDrift says so"
    return HELD, f"the latest attempt ended {rollout.outcome}: a retry has to ask for another"


def running_images(status: ReleaseStatus) -> dict[str, Image]:
    """Return what the containers run: `accepted` are the digests that were seen."""
    found = {}
    for container in (status.running.containers if status.running else None) or ():
        seen = [d for d in container.digests or () if d.digest]
        if seen:
            found[container.name] = Image(seen[0].digest or "", seen[0].release_hash or "", frozenset(d.digest or "" for d in seen))
    return found


def _looked_up(target: Target, source: Source, resolve: Resolver) -> dict[str, Image | str]:
    """Look each container's image up; a text where nobody could tell, an Image without digest where there is none."""
    found: dict[str, Image | str] = {}
    for lookup in lookups(source, target.containers, target.tag_formats):
        image = resolve(target, lookup)
        name = lookup.release_hash or source.tag or ""
        if image is None:
            found[lookup.container] = Image(hash=name)
        elif isinstance(image, str):
            # A digest is known without asking: only whether it is there is not.
            known = lookup.digest
            found[lookup.container] = Image(known, name, frozenset({known})) if known else image
        else:
            found[lookup.container] = Image(image.digest, name, frozenset({image.digest, *image.platform_digests}))
    return found


def _of_pin(image: PinnedImage) -> Image:
    digest = image.digest or ""
    return Image(digest, image.release_hash or image.tag or "", frozenset({digest, *(image.platform_digests or ())}))


def _is_pinned(status: ReleaseStatus, source: Source) -> bool:
    return status.pin is not None and status.pin.source_hash == source_hash(source)


def _tags(target: Target, source: Source) -> str:
    if source.tag:
        return f"tagged {source.tag}"
    if source.release_hash:
        return "tagged " + " or ".join(f.replace("{releaseHash}", source.release_hash) for f in target.tag_formats)
    return "of that digest"


def _was_ready_lately(status: ReleaseStatus, after: Mapping[str, Image], now: datetime) -> bool:
    """Tell whether these digests were Ready here within the last seven days, as the gate of windows asks (domain.gate)."""
    wanted, until = {name: image.digest for name, image in after.items()}, now
    for entry in status.history or ():
        recent = until >= now - timedelta(days=gate.RETURN_DAYS)
        if recent and entry.outcome in attempts.GOOD and attempts.aims_at(entry) == wanted:
            return True
        until = entry.start_time or until
    return False
