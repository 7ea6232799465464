"""Whether anything may be due for a Release, by the status as it stands. What a pass reads, and how fresh it must be, depends on this.

Whether an attempt does begin is decided by `rules.new_attempt`, after the service was read.
"""

from __future__ import annotations

from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.request_annotations import is_request_pending


def pin_in_force(release: Release) -> Pin | None:
    """Return what the source that the spec has now was resolved to; None if it was not resolved yet."""
    pin = release.status.pin if release.status else None
    return pin if pin is not None and pin.source_hash == source_hash(release.spec.source) else None


def is_at_rest(release: Release, pin: Pin | None) -> bool:
    """Return whether nothing is due: the pin in force has had its attempt, no call to AWS is announced, and no request waits."""
    status = release.status or ReleaseStatus()
    settled = pin is not None and attempts.is_settled(status, pin) and not attempts.intended_action(status.rollout)
    return settled and not is_request_pending(release, status)


def may_begin(release: Release, pin: Pin, *, may_correct: bool = False) -> bool:
    """Return whether an attempt may begin in this pass: its pin has had none, or a request or a correction of drift waits for one.

    An open attempt at another pin is no obstacle, it ends in the same pass. Attempts at a newer base revision, which nobody requests, are
    not foreseen here.
    """
    status = release.status or ReleaseStatus()
    if not attempts.is_settled(status, pin):
        return True
    return not attempts.is_open(status.rollout) and (may_correct or is_request_pending(release, status))
