"""Counters of what happened: rollouts and deployment sets by how they ended, and the four DORA measures."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from ecs_release.domain.notifications.transitions import Transition, TransitionKind

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
ROLLOUT_BUCKETS = (10, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 2700, _HOUR)
LEAD_BUCKETS = (5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 90 * _DAY)
RESTORE_BUCKETS = (5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY)


class Rollouts:
    """Attempts and deployment sets by how they ended."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register."""
        by_outcome = ["environment", "cause", "outcome"]
        timed = ["environment", "outcome"]
        self._ended = Counter("ecs_release_rollouts", "Rollouts that ended, by cause and outcome.", by_outcome, registry=registry)
        self._refined = Counter(
            "ecs_release_rollouts_refined", "Rollouts that turned out otherwise after they had ended.", timed, registry=registry
        )
        self._seconds = Histogram(
            "ecs_release_rollout_duration_seconds", "Duration of rollouts that ended.", timed, registry=registry, buckets=ROLLOUT_BUCKETS
        )
        self._sets = Counter("ecs_release_deployment_sets", "Deployment sets that ended.", by_outcome, registry=registry)
        self._set_seconds = Histogram(
            "ecs_release_deployment_set_duration_seconds", "Duration of deployment sets, without their waiting for windows.", timed,
            registry=registry, buckets=ROLLOUT_BUCKETS,
        )  # fmt: skip
        self._drifts = Counter("ecs_release_drifts", "How often a Release began to drift.", ["environment"], registry=registry)
        self._all = (self._ended, self._refined, self._seconds, self._sets, self._set_seconds, self._drifts)

    def of_release(self, environment: str, one: Transition) -> None:
        """Count what happened to a Release."""
        if one.kind is TransitionKind.ENDED:
            self._ended.labels(environment, one.cause, one.outcome).inc()
            self._seconds.labels(environment, one.outcome).observe(one.seconds)
        elif one.kind is TransitionKind.REFINED:
            self._refined.labels(environment, one.outcome).inc()
        elif one.kind is TransitionKind.DRIFTED:
            self._drifts.labels(environment).inc()

    def of_set(self, environment: str, one: Transition) -> None:
        """Count what happened to a ReleaseSet."""
        if one.kind is TransitionKind.ENDED:
            self._sets.labels(environment, one.cause, one.outcome).inc()
            self._set_seconds.labels(environment, one.outcome).observe(one.seconds)

    def forget(self, environment: str) -> None:
        """Drop an Environment that is gone."""
        for metric in self._all:
            metric.remove_by_labels({"environment": environment})


class Dora:
    """The four DORA measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register."""
        by = ["environment"]
        self._deployments = Counter("ecs_release_deployments", "Changes that reached the environment.", by, registry=registry)
        self._changes = Counter("ecs_release_changes", "Changes that were deployed or failed.", by, registry=registry)
        self._failed = Counter("ecs_release_changes_failed", "Changes that failed or were rolled back.", by, registry=registry)
        self._lead = Histogram(
            "ecs_release_lead_time_seconds", "From the push of a change's first image to the end of its rollout.", by,
            registry=registry, buckets=LEAD_BUCKETS,
        )  # fmt: skip
        self._commit_lead = Histogram(
            "ecs_release_commit_lead_time_seconds", "From a change's oldest commit, as committers claim, to the end of its rollout.", by,
            registry=registry, buckets=LEAD_BUCKETS,
        )  # fmt: skip
        self._restore = Histogram(
            "ecs_release_time_to_restore_seconds", "From the end of a failed rollout until its Release was Ready again.", by,
            registry=registry, buckets=RESTORE_BUCKETS,
        )  # fmt: skip
        self._all = (self._deployments, self._changes, self._failed, self._lead, self._commit_lead, self._restore)

    def count(self, environment: str, one: Transition) -> None:
        """Count what happened to a Release."""
        if one.kind is TransitionKind.ENDED and (one.counts.deployed or one.counts.failed):
            self._changes.labels(environment).inc()
        if one.counts.failed:
            self._failed.labels(environment).inc()
        if one.counts.deployed:
            self._deployments.labels(environment).inc()
        if one.lead_s is not None:
            self._lead.labels(environment).observe(one.lead_s)
        if one.commit_lead_s is not None:
            self._commit_lead.labels(environment).observe(one.commit_lead_s)
        if one.kind is TransitionKind.RESTORED:
            self._restore.labels(environment).observe(one.seconds)

    def begin(self, environment: str) -> None:
        """Begin an Environment with zeros."""
        for metric in self._all:
            metric.labels(environment)

    def forget(self, environment: str) -> None:
        """Drop an Environment that is gone."""
        for metric in self._all:
            metric.remove_by_labels({"environment": environment})
