"""What keeps the operator from changing anything in AWS, on purpose; and what this version cannot do yet and must not ignore."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.rollout_policy import RolloutPolicy
from ecs_release.domain.environments.windows import check
from ecs_release.domain.model.errors import Blocked, Problem

SPEC_SUSPENDED = "spec.suspend is true: nothing is changed in AWS until it is false"


def suspension_of(facts: Facts) -> tuple[Reason, str] | None:
    """Return what keeps a Release from changing AWS, on purpose; None if nothing does."""
    return next(suspensions(facts.place.environment, facts.permission.hold, suspended=facts.release.spec.suspend), None)


def suspensions(environment: Environment | None, hold: Problem | None, *, suspended: bool) -> Iterator[tuple[Reason, str]]:
    """Yield all that keeps an object from changing AWS, on purpose; what the platform team has stopped comes before the team's own."""
    yield from environment_suspensions(environment)
    if hold is not None:
        yield Reason(hold.reason), hold.message
    if suspended:
        yield Reason.SUSPENDED, SPEC_SUSPENDED


def environment_suspensions(environment: Environment | None) -> Iterator[tuple[Reason, str]]:
    """Yield all by which the platform team keeps the operator from changing anything in an Environment."""
    if environment is None:
        return
    if is_observed_only(environment):
        yield Reason.OBSERVING, f"Environment {environment.metadata.name!r} is in mode Observe: nothing is changed in AWS"
    if environment.spec.suspend is not None:
        why = environment.spec.suspend.reason or "no reason given"
        yield Reason.SUSPENDED, f"Environment {environment.metadata.name!r} is suspended: {why}"


def environment_suspension(environment: Environment | None) -> tuple[Reason, str] | None:
    """Return by what the platform team keeps the operator from changing anything in an Environment; None if it does not."""
    return next(environment_suspensions(environment), None)


def is_observed_only(environment: Environment | None) -> bool:
    """Return whether an Environment is in mode Observe."""
    return environment is not None and environment.spec.mode == "Observe"


def check_supported(facts: Facts) -> None:
    """Refuse what the API accepts and this version does not do yet: to ignore it could deploy what must not be deployed.

    Raises Blocked(InvalidSpec), also for a window that cannot be evaluated.
    """
    environment, target = facts.place.environment, facts.place.target
    if environment is None or target is None:
        return
    check(environment.spec.windows or ())
    environment_tag.check_configured(target, environment)
    missing = _missing(target.policy)
    if missing:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"this version of the operator does not do {', '.join(missing)} yet, and does nothing rather than ignore it: take it"
            f" out of Environment {environment.metadata.name!r} or the Project",
        )


def _missing(rules: RolloutPolicy) -> list[str]:
    missing = []
    if rules.on_drift != "Report" and rules.method == environment_tag.METHOD:
        # Since when a tag has pointed elsewhere is not known, so that correctAfterSeconds would have nothing to run from.
        missing.append(f"rollout.onDrift {rules.on_drift} with method {rules.method}")
    if rules.base_revision != "Service" and rules.method == environment_tag.METHOD:
        missing.append(f"rollout.baseRevision {rules.base_revision} with method {rules.method}")
    return missing
