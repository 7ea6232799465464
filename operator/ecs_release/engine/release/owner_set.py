"""The ReleaseSet that controls a Release: a child acts only as its set wants it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.names import RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetService
from ecs_release.domain.artifacts.pin_key import Membership, pin_key
from ecs_release.domain.artifacts.source import digests_of, pinned_source
from ecs_release.domain.decision.facts import Permission
from ecs_release.domain.decision.suspension import Suspended, spec_suspensions
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.domain.rules.commit_passage import is_override
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_manifests import is_child
from ecs_release.domain.sets.child_state import LEFT, wanted_images
from ecs_release.domain.sets.commit_gate import is_returning
from ecs_release.domain.sets.facts import controller_of


async def permission_of(
    cluster: Cluster, release: Release, now: datetime, *, may_correct: bool = False, unrequested: bool = False
) -> Permission:
    """Read from a Release's set, if it has one, what the Release may do. The read is fresh: the watch may lag behind. Raises Problem.

    What nobody requested (`unrequested`: drift is corrected) does not begin while the set is suspended, either.
    """
    reference = controller_of(release)
    if reference is None:
        return Permission(may_correct=may_correct)
    namespace = release.metadata.namespace or ""
    body = await cluster.get(ObjectKey(RELEASE_SET, namespace, reference.name))
    if body is None or body["metadata"]["uid"] != reference.uid or "deletionTimestamp" in body["metadata"] or not _is_child(release, body):
        gone = f"its ReleaseSet {reference.name!r} is gone or going: nothing is done, and this Release goes, too"
        forged = f"ReleaseSet {reference.name!r} has not made this Release, which names it as its controller: nothing is done"
        return _held(gone if body is None or _is_child(release, body) else forged, may_correct)
    its_set = read_object(ReleaseSet, body)
    status = its_set.status or ReleaseSetStatus()
    line = next((s for s in status.services or () if s.name == release.spec.service), None)
    if line is None or digests_of(wanted_images(line)) != release.spec.source.digests:
        return _held(f"spec.source is not what ReleaseSet {reference.name!r} wants now: it is not acted on, and put back", may_correct)
    suspended = next(spec_suspensions(its_set.spec, now, "nothing is deployed"), None)
    if waves.is_early(status.waves or (), line, release, suspended=suspended is not None):
        why = f"the wave of ReleaseSet {reference.name!r} that it belongs to has not begun: nothing is deployed before it has"
        held = _suspended(reference.name, suspended, may_correct) if suspended is not None else _held(why, may_correct)
        return replace(held, awaits_turn=True)
    if unrequested and suspended is not None:
        return _suspended(reference.name, suspended, may_correct)
    member = _member(body["metadata"]["name"], status, line)
    current = next((e for e in status.history or () if not e.outcome), None)
    right = (current.commits or "") if current is not None else ""
    return Permission(
        reverting=bool(line.reverting),
        returning=is_returning(status, line.name),
        # What rollbackFrom names stands in the child's own spec.change.
        commit_right=right if is_override(right) else "",
        member=member,
        may_correct=may_correct,
    )


def _is_child(release: Release, its_set: Mapping[str, Any]) -> bool:
    spec, ours = its_set["spec"], release.spec
    place = (spec["projectRef"]["name"], spec["environmentRef"]["name"])
    its_place = (ours.project_ref.name, ours.environment_ref.name)
    return is_child(its_set["metadata"]["name"], place, release.metadata.name, its_place, ours.service)


def _held(message: str, may_correct: bool) -> Permission:  # noqa: FBT001
    return Permission(Waiting(Reason.AWAITING_RELEASE_SET, message), may_correct=may_correct)


def _suspended(name: str, suspended: Suspended, may_correct: bool) -> Permission:  # noqa: FBT001
    hold = Waiting(Reason.SUSPENDED, f"ReleaseSet {name!r} is suspended: {suspended.message}")
    return Permission(hold, suspended.ends, may_correct=may_correct)


def _member(name: str, status: ReleaseSetStatus, line: SetService) -> Membership:
    """Return the set as the attempt's. What a set takes back is a release of its own: the artifacts of this service that ran before."""
    wanted = [line] if line.reverting else [s for s in status.services or () if s.state != LEFT]
    key = pin_key({s.name: digests_of(wanted_images(s) if line.reverting else s.images) for s in wanted})
    return Membership(name, status.source_hash or "", key)


def as_pinned(release: Release, pin: Pin) -> Release:
    """Return a Release with the source that it was pinned by: what somebody wrote there since means nothing."""
    return release.model_copy(update={"spec": release.spec.model_copy(update={"source": pinned_source(pin)})})
