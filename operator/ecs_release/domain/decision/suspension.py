"""What keeps the operator from changing anything in AWS, on purpose; and what this version cannot do yet and must not ignore."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.rollout_policy import RolloutRules
from ecs_release.domain.environments.windows import check
from ecs_release.domain.model.errors import Blocked


def brake(facts: Facts) -> tuple[Reason, str] | None:
    """Tell who has put a brake on, and why; None where nobody has. The platform team's comes before the team's own."""
    environment = facts.environment
    if environment is not None and environment.spec.mode == "Observe":
        return Reason.OBSERVING, f"Environment {environment.metadata.name!r} is in mode Observe: nothing is changed in AWS"
    platform = platform_brake(facts)
    if platform is not None:
        return platform
    if facts.hold is not None:
        return Reason(facts.hold.reason), facts.hold.message
    if facts.release.spec.suspend:
        return Reason.SUSPENDED, "spec.suspend is true: nothing is changed in AWS until it is false"
    return None


def platform_brake(facts: Facts) -> tuple[Reason, str] | None:
    """Tell whether the platform team has stopped changes in the Environment."""
    environment = facts.environment
    if environment is None or environment.spec.suspend is None:
        return None
    why = environment.spec.suspend.reason or "no reason given"
    return Reason.SUSPENDED, f"Environment {environment.metadata.name!r} is suspended: {why}"


def check_supported(facts: Facts) -> None:
    """Refuse what the API accepts and this version does not do yet: to ignore it could deploy what must not be deployed.

    Raises Blocked(InvalidSpec), also for a window that cannot be evaluated.
    """
    environment, target = facts.environment, facts.target
    if environment is None or target is None:
        return
    check(environment.spec.windows or ())
    environment_tags.check_configured(target, environment)
    missing = _missing(target.rules)
    if missing:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"this version of the operator does not do {', '.join(missing)} yet, and does nothing rather than ignore it: take it"
            f" out of Environment {environment.metadata.name!r} or the Project",
        )


def _missing(rules: RolloutRules) -> list[str]:
    missing = []
    if rules.on_drift != "Report" and rules.method == environment_tags.METHOD:
        # Nobody can tell since when a tag has pointed elsewhere, so that correctAfterSeconds would have nothing to run from.
        missing.append(f"rollout.onDrift {rules.on_drift} with method {rules.method}")
    if rules.base_revision != "Service" and rules.method == environment_tags.METHOD:
        missing.append(f"rollout.baseRevision {rules.base_revision} with method {rules.method}")
    return missing
