"""Pins: what every service of the set is to run, resolved before the first one is changed (law 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage, ReadyImage
from ecs_release.api.releaseset import ReleaseSetSpec
from ecs_release.api.releaseset_status import KEPT, SetLastReady, SetService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Waiting
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT, State
from ecs_release.domain.sets.facts import Resolved, SetFacts

_MOST = 20


def check_spec(spec: ReleaseSetSpec, there: Sequence[str]) -> None:
    """Check what a set names against the services of its service set. Raises Blocked(InvalidSpec) that names all that is wrong."""
    members = spec.services or there
    wrong = _unknown("services", spec.services or (), there)
    wrong += _unknown("overrides", [o.service for o in spec.overrides or ()], members)
    wrong += _unknown("strategy.waves", [s for w in spec.strategy.waves or () for s in w.services], there)
    if spec.source is None:
        covered = {o.service for o in spec.overrides or ()}
        bare = sorted(set(members) - covered)
        if bare:
            wrong.append(f"spec.source is not set, and spec.overrides has nothing for {_names(bare)}")
    if wrong:
        known = _names(sorted(there))
        raise Blocked(Reason.INVALID_SPEC, f"{'; '.join(wrong)}. Service set {spec.service_set!r} has: {known}")


def _unknown(where: str, named: Iterable[str], there: Sequence[str]) -> list[str]:
    unknown = sorted(set(named) - set(there))
    return [f"spec.{where} names {_names(unknown)}, which is not in the set"] if unknown else []


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def combined_problem(resolved: Sequence[Resolved]) -> Problem | None:
    """Return why the set cannot be pinned: all that is missing at once; a fault that passes, or a refusal, comes first."""
    problems = [(r.service, r.problem) for r in resolved if r.problem is not None]
    if not problems:
        return None
    passing = next((p for _, p in problems if isinstance(p, Retryable)), None)
    if passing is not None:
        return passing
    first = next((p for _, p in problems if isinstance(p, Denied)), None) or next(
        (p for _, p in problems if isinstance(p, Blocked)), problems[0][1]
    )
    alike = [f"{service}: {p.message}" for service, p in problems if p.reason == first.reason]
    text = f"{len(alike)} of {len(resolved)} services: {join_clauses(*alike)}" if len(resolved) > 1 else first.message
    if isinstance(first, Waiting):
        return Waiting(first.reason, text)
    return Denied(text) if isinstance(first, Denied) else Blocked(first.reason, text)


def keeps(spec: ReleaseSetSpec, service: str) -> bool:
    """Return whether a service without an image at the hash keeps what runs. One that is promoted waits for its image instead."""
    own = any(o.service == service for o in spec.overrides or ())
    promoted = not own and spec.source is not None and spec.source.environment_ref is not None
    return spec.strategy.missing_artifacts == "KeepCurrent" and not promoted


def kept(found: Resolved, problem: Blocked) -> Resolved:
    """Keep what runs, as there is no image at the hash. Raises Blocked if what runs is not known."""
    if not found.runs:
        text = join_clauses(problem.message, "what runs cannot be kept, for its digests are not known")
        raise Blocked(problem.reason, text) from problem
    hashes = {i.release_hash for i in found.runs}
    return replace(
        found,
        images=found.runs,
        kept=True,
        hash=(hashes.pop() if len(hashes) == 1 else None) or "",
        note=f"no image at that hash, so what runs is kept: {problem.message}",
    )


def first_wave_is_due(facts: SetFacts, stands_s: float) -> bool:
    """Return whether a set may begin now and none of its services has: then its images are looked up once more.

    What was resolved within the last `stands_s` seconds is taken to exist still.
    """
    status = facts.status
    current = status.history[0] if status.history else None
    if current is None or current.outcome or status.resolved_time is None or facts.suspension is not None or facts.observed_only:
        return False
    begun = any(s.start_time is not None for s in status.services or ())
    return not begun and status.source_hash == facts.wanted_hash and facts.now - status.resolved_time >= timedelta(seconds=stands_s)


def gone_images_problem(missing: Sequence[tuple[str, PinnedImage]], services: int) -> Problem | None:
    """Return the problem that images are gone since they were resolved, pairs of service and image: then no service starts (law 10)."""
    if not missing:
        return None
    names = [f"{service}: {i.repository}@{short_digest(i.digest or '')} (container {i.container})" for service, i in missing]
    count = len({service for service, _ in missing})
    text = f"{count} of {services} services cannot begin, for images are gone since they were resolved: {_names(names)}"
    return Blocked(Reason.ARTIFACT_GONE, f"{text}. Push them again, or release another")


def slim(images: Iterable[PinnedImage]) -> list[PinnedImage]:
    """Leave out what the children's own pins have: a set of fifty services must fit into one object."""
    return [i.model_copy(update={"platform_digests": None}) for i in images]


def pin(
    release_set: str,
    members: Sequence[str],
    resolved: Sequence[Resolved],
    last_ready: SetLastReady | None,
    before: Mapping[str, SetService],
    proven: Mapping[str, Sequence[ReadyImage]],
) -> dict[str, SetService]:
    """Make the lines of a deployment set that begins. `proven` is what each service's tasks were proven to run last.

    A rollback returns to what was proven when the set was last Ready, else to what runs. If no task runs, it returns to what was proven
    last; only if nothing was, to what a task would run now.
    """
    ready = {s.name: list((s.pin.images if s.pin else None) or ()) for s in (last_ready.services if last_ready else None) or ()}
    by_service = {r.service: r for r in resolved}
    pinned: dict[str, SetService] = {}
    for name in members:
        found = by_service[name]
        was = before.get(name)
        former = [PinnedImage(container=i.container, digest=i.digest, release_hash=i.release_hash) for i in proven.get(name, ())]
        previous = ready.get(name) or (former if found.idle else None) or slim(found.runs)
        pinned[name] = SetService(
            name=name,
            release=child_name(release_set, name),
            hash=found.hash or None,
            images=slim(found.images),
            previous=previous if digests_of(previous).keys() == digests_of(found.images).keys() else None,
            origin=KEPT if found.kept else None,
            note=found.note[:1024] or None,
            state=State.PENDING,
            generation=was.generation if was and was.state != LEFT else None,
        )
    return pinned
