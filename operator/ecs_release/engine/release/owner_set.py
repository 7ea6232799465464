"""The ReleaseSet that controls a Release: a child acts only as its set wants it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.names import RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetService
from ecs_release.domain.artifacts.pin_key import Membership, pin_key
from ecs_release.domain.artifacts.source import digests_of, pinned_source
from ecs_release.domain.model.errors import Problem, Waiting
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.domain.sets.child_state import LEFT, wanted_images
from ecs_release.domain.sets.facts import controller_of


@dataclass(frozen=True, slots=True)
class Owner:
    """What a child's set says: why the child may not act now, if so, whether it is being taken back, and what set that is."""

    problem: Problem | None = None
    reverting: bool = False
    member: Membership | None = None


async def owner_of(cluster: Cluster, release: Release, *, unasked: bool = False) -> Owner:
    """Ask a Release's set, if it has one. A fresh read: the set may be gone, or want something else, since the watch last told.

    What nobody asked for (`unasked`: drift is corrected) does not begin while the set is suspended, either.
    """
    reference = controller_of(release)
    if reference is None:
        return Owner()
    namespace = release.metadata.namespace or ""
    body = await cluster.get(ObjectKey(RELEASE_SET, namespace, reference.name))
    if body is None or body["metadata"]["uid"] != reference.uid or "deletionTimestamp" in body["metadata"]:
        return Owner(_hold(f"its ReleaseSet {reference.name!r} is gone or going: nothing is done, and this Release goes, too"))
    line = _line(body, release.spec.service)
    if line is None or digests_of(wanted_images(line)) != release.spec.source.digests:
        return Owner(_hold(f"spec.source is not what ReleaseSet {reference.name!r} wants now: it is not acted on, and put back"))
    if unasked and (body.get("spec") or {}).get("suspend"):
        return Owner(Waiting(Reason.SUSPENDED, f"ReleaseSet {reference.name!r} is suspended: drift is not corrected until it is not"))
    return Owner(reverting=bool(line.reverting), member=_member(body, line))


def _hold(message: str) -> Problem:
    return Waiting(Reason.AWAITING_RELEASE_SET, message)


def _member(body: Mapping[str, Any], line: SetService) -> Membership:
    """Tell what the attempt belongs to. What a set takes back is a release of its own: the artifacts of this service that ran before."""
    status = ReleaseSetStatus.model_validate(body.get("status") or {})
    wanted = [line] if line.reverting else [s for s in status.services or () if s.state != LEFT]
    key = pin_key({s.name: digests_of(wanted_images(s) if line.reverting else s.images) for s in wanted})
    return Membership(body["metadata"]["name"], status.source_hash or "", key)


def _line(body: Mapping[str, Any], service: str) -> SetService | None:
    status = ReleaseSetStatus.model_validate(body.get("status") or {})
    return next((s for s in status.services or () if s.name == service), None)


def as_pinned(release: Release, pin: Pin) -> Release:
    """Return a Release with the source that it was pinned by: what somebody wrote there since means nothing."""
    return release.model_copy(update={"spec": release.spec.model_copy(update={"source": pinned_source(pin)})})
