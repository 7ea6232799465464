"""What an attempt's outcome counts as: one table, for the DORA measures and for whatever else needs to know whether it went well.

DORA (dora.dev/guides/dora-metrics-four-keys): a deployment is a change that reached production; a failed one needed remediation there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision import attempts
from ecs_release.domain.drift import base_revision


@dataclass(frozen=True, slots=True)
class Measure:
    """Whether a change reached the environment, and whether it failed there. Both False: neither can be concluded."""

    deployed: bool = False
    failed: bool = False


DEPLOYED, FAILED, NEITHER = Measure(deployed=True), Measure(failed=True), Measure()

OUTCOMES: dict[str, Measure] = {
    Reason.SUCCEEDED: DEPLOYED,
    Reason.SUCCEEDED_LATE: DEPLOYED,
    # The same digests were deployed, in the end by a foreign deployment.
    Reason.OVERTAKEN_SAME_DIGESTS: DEPLOYED,
    # Nothing runs, so nothing is proven.
    Reason.NOTHING_RUNNING: NEITHER,
    Reason.ROLLOUT_FAILED: FAILED,
    Reason.ROLLED_BACK: FAILED,
    Reason.DEADLINE_EXCEEDED: FAILED,
    Reason.TAG_MOVED: FAILED,
    # Somebody aborted it while it rolled out.
    Reason.ABORTED: FAILED,
    # Something else was wanted before its outcome was known.
    Reason.SUPERSEDED: NEITHER,
    attempts.ABANDONED: NEITHER,
    # Nobody looked at its target any more.
    Reason.TARGET_CHANGED: NEITHER,
    # Read from our tags: it happened before the cluster was restored.
    Reason.REAPPEARED_OLDER: NEITHER,
}

CHANGES = frozenset({"Requested", "Retry", base_revision.CAUSE})
"""Causes of attempts that bring a change. Others roll one back (Rollback), restore it (DriftCorrection), or find it deployed (Adopted)."""


def measure(outcome: str, *, reached_ecs: bool = True) -> Measure:
    """Return what an outcome counts as. What never reached ECS did not fail there; an outcome of another version counts as neither."""
    found = OUTCOMES.get(outcome, NEITHER)
    return found if reached_ecs else NEITHER
