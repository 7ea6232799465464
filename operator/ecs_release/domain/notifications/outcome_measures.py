"""What an attempt's outcome counts as: one table, for the DORA measures and for whoever else asks whether it went well.

DORA (dora.dev/guides/dora-metrics-four-keys): a deployment is a change that reached production; a failed one needed remediation there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision import attempts
from ecs_release.domain.drift import base_revision as bases


@dataclass(frozen=True, slots=True)
class Measure:
    """Whether a change reached the environment, and whether it failed there. Both False: it tells nothing of the kind."""

    deployed: bool = False
    failed: bool = False


DEPLOYED, FAILED, NEITHER = Measure(deployed=True), Measure(failed=True), Measure()

OUTCOMES: dict[str, Measure] = {
    Reason.SUCCEEDED: DEPLOYED,
    Reason.SUCCEEDED_LATE: DEPLOYED,
    # The same digests went out, by somebody else's deployment in the end.
    Reason.OVERTAKEN_SAME_DIGESTS: DEPLOYED,
    # Nothing runs, so nothing is proven.
    Reason.NOTHING_RUNNING: NEITHER,
    Reason.ROLLOUT_FAILED: FAILED,
    Reason.ROLLED_BACK: FAILED,
    Reason.DEADLINE_EXCEEDED: FAILED,
    Reason.TAG_MOVED: FAILED,
    # Somebody took it back while it rolled out.
    Reason.ABORTED: FAILED,
    # Somebody wanted something else before it was known how this one goes.
    Reason.SUPERSEDED: NEITHER,
    attempts.ABANDONED: NEITHER,
    # Read off our tags: it happened in another life of the cluster.
    Reason.REAPPEARED_OLDER: NEITHER,
}

CHANGES = frozenset({"Requested", "Retry", bases.CAUSE})
"""Causes of attempts that bring a change. Others take one back (Rollback), restore it (DriftCorrection), or find it there (Adopted)."""


def measure(outcome: str, *, reached_ecs: bool = True) -> Measure:
    """Return what an outcome counts as. What never reached ECS failed nowhere; an outcome of another version tells nothing."""
    found = OUTCOMES.get(outcome, NEITHER)
    return found if reached_ecs else NEITHER
