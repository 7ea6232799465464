"""What the deployment strategies BLUE_GREEN, LINEAR and CANARY are made of: stages, shares of traffic, bake times. Rules alone, no state.

API reference, DeploymentConfiguration, DeploymentLifecycleHook and ServiceDeployment; Amazon ECS developer guide, "Amazon ECS blue/green
deployments", "Amazon ECS linear deployments", "Amazon ECS canary deployments", "Pause hooks for Amazon ECS service deployments".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STRATEGIES = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
HOOK_STAGES = (
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
)  # fmt: skip
_NO_PAUSE = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
BEFORE_SCALE_UP = ("", "RECONCILE_SERVICE", "PRE_SCALE_UP")
STAGE_S = 5.0
"""How long a stage lasts that waits for nothing. Guessed: AWS publishes no number."""
HOOK_TIMEOUT_MINUTES = 1440
_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Step:
    """A stage on the way, with the shares of traffic of the new revision in it. `hooked`: the stage's hooks run."""

    stage: str
    production: float = 0.0
    test: float = 0.0
    lasts_s: float = STAGE_S
    hooked: bool = True


def weights(configuration: Mapping[str, Any]) -> list[float]:
    """List the shares of production traffic that the new revision gets, one after the other; the last is 100."""
    strategy = configuration.get("strategy")
    if strategy == "CANARY":
        share = float((configuration.get("canaryConfiguration") or {}).get("canaryPercent", 5.0))
        return [share, 100.0] if share < 100 else [100.0]
    if strategy == "LINEAR":
        step = float((configuration.get("linearConfiguration") or {}).get("stepPercent", 10.0))
        shares = [round(step * n, 1) for n in range(1, int(100 / step) + 1)]
        return [*(s for s in shares if s < 100), 100.0]
    return [100.0]


def step_bake_s(configuration: Mapping[str, Any]) -> float:
    """Return how long a share stays before the next one: not after the one that reaches 100 %."""
    strategy = configuration.get("strategy")
    if strategy == "CANARY":
        return 60.0 * float((configuration.get("canaryConfiguration") or {}).get("canaryBakeTimeInMinutes", 10))
    return 60.0 * float((configuration.get("linearConfiguration") or {}).get("stepBakeTimeInMinutes", 6)) if strategy == "LINEAR" else 0.0


def steps(configuration: Mapping[str, Any], *, first: bool, reconcile: bool) -> list[Step]:
    """List the stages of a deployment.

    RECONCILE_SERVICE only happens where more than one revision is ACTIVE. The first deployment of a service has nothing to shift from:
    it runs no hooks and does not bake (guessed).
    """
    if first:
        way = [Step(s, hooked=False) for s in ("PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP")]
        shifted = ("PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "CLEAN_UP")
        return way + [Step(s, 100.0, 100.0, hooked=False) for s in shifted]
    way = [Step(s) for s in ("PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP")]
    way += [Step(s, test=100.0) for s in ("TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT")]
    before = 0.0
    for share in weights(configuration):
        # Without a hook this stage is over at once: botocore's enum of lifecycleStage does not have it, though its description does.
        way.append(Step("PRE_PRODUCTION_TRAFFIC_SHIFT", before, 100.0, 0.0))
        way.append(Step("PRODUCTION_TRAFFIC_SHIFT", share, 100.0, step_bake_s(configuration) if share < 100 else STAGE_S))
        before = share
    way.append(Step("POST_PRODUCTION_TRAFFIC_SHIFT", 100.0, 100.0))
    way.append(Step("BAKE_TIME", 100.0, 100.0, 60.0 * float(configuration.get("bakeTimeInMinutes") or 0)))
    way.append(Step("CLEAN_UP", 100.0, 100.0, 0.0))
    return [Step("RECONCILE_SERVICE"), *way] if reconcile else way


def mistake(configuration: Mapping[str, Any]) -> str:
    """Tell what is wrong with a deploymentConfiguration; empty: nothing. The words are guessed, the rules are the API reference's."""
    strategy = configuration.get("strategy", "ROLLING")
    if strategy not in STRATEGIES:
        return f"Invalid deployment strategy {strategy}. Valid values are {', '.join(STRATEGIES)}."
    if strategy == "BLUE_GREEN" and configuration.get("bakeTimeInMinutes") is None:
        return "bakeTimeInMinutes must be specified for the BLUE_GREEN deployment strategy."
    linear, canary = configuration.get("linearConfiguration") or {}, configuration.get("canaryConfiguration") or {}
    limits = (
        ("bakeTimeInMinutes", configuration.get("bakeTimeInMinutes"), 0, _DAY_MINUTES),
        ("stepPercent", linear.get("stepPercent"), 3.0, 100.0),
        ("stepBakeTimeInMinutes", linear.get("stepBakeTimeInMinutes"), 0, _DAY_MINUTES),
        ("canaryPercent", canary.get("canaryPercent"), 0.1, 100.0),
        ("canaryBakeTimeInMinutes", canary.get("canaryBakeTimeInMinutes"), 0, _DAY_MINUTES),
    )
    for name, value, least, most in limits:
        if value is not None and not least <= value <= most:
            return f"{name} must be between {least} and {most}."
    return next((m for h in configuration.get("lifecycleHooks") or () if (m := _hook_mistake(h))), "")


def _hook_mistake(hook: Mapping[str, Any]) -> str:
    stages = hook.get("lifecycleStages") or ()
    if not stages:
        return "lifecycleStages must be specified for a lifecycle hook."
    odd = [s for s in stages if s not in HOOK_STAGES]
    if odd:
        return f"Lifecycle hooks cannot be configured at {', '.join(odd)}."
    if hook.get("targetType", "AWS_LAMBDA") == "PAUSE":
        refused = [s for s in stages if s in _NO_PAUSE]
        return f"PAUSE hooks cannot be configured at {', '.join(refused)}." if refused else ""
    return "" if hook.get("hookTargetArn") else "hookTargetArn must be specified for an AWS_LAMBDA lifecycle hook."
