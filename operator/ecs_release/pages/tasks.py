"""How many tasks run, and how many of those run what is wanted. Pure."""

from __future__ import annotations

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.attempts import proofs
from ecs_release.domain.verification.proof import Match


def task_counts(status: ReleaseStatus) -> str:
    """Return running and desired tasks. The summary has them whole: the counts stop at what the CRD admits."""
    said, running = status.summary.tasks if status.summary is not None else None, status.running
    return said or (f"{running.running_count or 0}/{running.desired_count or 0}" if running is not None else "")


def new_tasks(status: ReleaseStatus) -> int:
    """Count the tasks whose listed containers all show a wanted digest: the fewest that any of them has."""
    if status.pin is None or status.running is None:
        return 0
    wanted = proofs(status.pin)
    shown = {c.name: c for c in status.running.containers or ()}
    counts = [
        sum(d.tasks or 0 for d in (shown[name].digests if name in shown else None) or () if digests.match(d.digest) is Match.YES)
        for name, digests in wanted.items()
    ]
    return min(counts, default=0)
