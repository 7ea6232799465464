"""What the operator is for, from beginning to end, and what must have come of it however often it died."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e.bed import Place
from tests.e2e.queues import Inbox, event_queue, topic

LEDGER = "ecs-release"
SETTINGS = {
    "ECS_RELEASE_LEDGER_TABLE": LEDGER,
    "ECS_RELEASE_LEDGER_REGION": REGION,
    "ECS_RELEASE_LEDGER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/ledger",
    "ECS_RELEASE_LEDGER_CREATE": "true",
    "ECS_RELEASE_CLOSING_SECONDS": "2",
}
_SETTLED = {"settleSeconds": 0}


@dataclass(frozen=True)
class Scenario:
    """`prepare` runs before the operator starts, `play` with it, to the end. How often ECS then has accepted what is in the fields.

    `history` has cause and outcome of the attempts of each service, the newest first; `if_late` what it may be, too, if the operator comes
    to it after ECS has ended.
    """

    prepare: Callable[[Place], None]
    play: Callable[[Place], None]
    history: Mapping[str, list[tuple[str, str]]]
    updates: int = 0
    revisions: int = 0
    answers: int = 0
    if_late: Mapping[str, list[tuple[str, str]]] | None = None


def _prepare(place: Place, **environment: Any) -> None:
    place.service("v1")
    place.push("v2")
    place.push("v3")
    place.environment(rollout={**_SETTLED, **environment.pop("rollout", {})}, **environment)
    place.project()
    place.release("v1")


def _release(place: Place, tag: str = "v2") -> None:
    place.wait("Succeeded")
    place.release(tag)
    place.wait("Succeeded")


def _prepare_with_sinks(place: Place) -> None:
    _prepare(place, notify={"snsTopicARN": topic(place, Inbox(place))},
             observation={"intervalSeconds": 5, "graceSeconds": 5, "eventQueueURL": event_queue(place)})  # fmt: skip


def _adopt(place: Place) -> None:
    place.wait("Succeeded")


def _roll_back(place: Place) -> None:
    place.wait("Succeeded")
    place.push("crash.v4", "v4")
    place.release("v4")
    place.wait("RolledBack")
    place.aws.wait_steady("web", cluster=place.name)


def _abort(place: Place) -> None:
    place.wait("Succeeded")
    # One that does not become healthy by itself while an answer in doubt is waited for.
    place.push("unhealthy.v4", "v4")
    place.release("v4")
    _until_deployed(place)
    place.annotate("web", abort="one")
    place.wait("Aborted")
    place.aws.wait_steady("web", cluster=place.name)


def _until_deployed(place: Place) -> None:
    """Wait for the deployment of what was requested; what was adopted before has one, too."""

    def is_deployed() -> bool:
        rollout = place.status().get("rollout") or {}
        return rollout.get("cause") == "Requested" and bool(rollout.get("deploymentID"))

    place.until(is_deployed, "a deployment")


def _correct(place: Place) -> None:
    _release(place)
    place.deploy("v3")
    place.until(lambda: (place.status().get("history") or [{}])[0].get("cause") == "DriftCorrection", "a correction")
    place.wait("Succeeded")


def _prepare_paused(place: Place) -> None:
    place.service("v1", deploymentConfiguration=strategy("CANARY", hooks=[pause_hook("PRE_PRODUCTION_TRAFFIC_SHIFT")]))
    place.push("v2")
    place.environment(rollout=_SETTLED)
    place.project()
    place.release("v1")


def _approve(place: Place) -> None:
    """A canary waits at two steps: each is answered by its own hook, as a person would, who looks first."""
    place.wait("Succeeded")
    place.release("v2")
    answered: list[str] = []

    def waits() -> str:
        hooks = (place.status().get("rollout") or {}).get("hooks") or ()
        return next((str(h["id"]) for h in hooks if h["id"] not in answered), "")

    for step in ("one", "two"):
        answered.append(place.until(waits, "a hook that waits"))
        place.annotate("web", **{"continue": f"{step}/{answered[-1]}/CONTINUE/step {step}"})
    place.wait("Succeeded")
    known = place.status()["history"][0]["interventions"]
    assert [(i["hookID"], bool(i.get("acceptedTime"))) for i in known] == [(hook, True) for hook in answered], known


def _restore(place: Place) -> None:
    place.wait("Succeeded")
    place.release("v2")
    _until_deployed(place)
    place.delete("release", "web")
    place.release("v2")
    place.wait("Succeeded")


def _prepare_tagged(place: Place) -> None:
    tag = f"env.{place.name}"
    place.push("v1", tag)
    place.push("v2")
    place.service("v1", push=False, containers={"app": image_name(place.repository(), tag, account=place.account, region=place.region)})
    place.environment(rollout={"method": "EnvironmentTag", **_SETTLED}, artifacts={"environmentTag": "env.{environment}"})
    place.project()
    place.release("v1")


def _prepare_set(place: Place) -> None:
    place.services("api", "web")
    place.push("v2", service="api")
    place.environment(rollout=_SETTLED)


def _set_back(place: Place) -> None:
    place.push("crash.v2", "v2", service="web")
    place.release_set("v2", strategy={"waves": [{"services": ["api"]}], "onFailure": "RollBack"})
    place.wait_set("RolledBack")


def _prepare_stages(place: Place) -> None:
    place.services("web")
    image = image_name(place.repository(), "ref.v1", account=place.account, region=place.region)
    place.aws.create_service("staging-web", {"app": image}, cluster=place.name, account=place.account, region=place.region)
    place.push("v2")
    place.environment(rollout=_SETTLED)
    place.environment(_staging(place), rollout=_SETTLED, target={"cluster": place.name, "serviceName": "staging-{service}"})


def _promote(place: Place) -> None:
    place.release_set("v2", "staging", environmentRef={"name": _staging(place)})
    place.wait_set("Succeeded", "staging")
    place.release_set({"environmentRef": {"name": _staging(place)}})
    place.wait_set("Succeeded")


def _staging(place: Place) -> str:
    return f"{place.name}-staging"


_ADOPTED, _REQUESTED = ("Adopted", "Succeeded"), ("Requested", "Succeeded")

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "adoption": Scenario(_prepare, _adopt, {"web": [_ADOPTED]}),
        "release": Scenario(_prepare_with_sinks, _release, {"web": [_REQUESTED, _ADOPTED]}, updates=1, revisions=1),
        "rollback": Scenario(_prepare, _roll_back, {"web": [("Requested", "RolledBack"), _ADOPTED]}, updates=1, revisions=1),
        "abort": Scenario(_prepare, _abort, {"web": [("Requested", "Aborted"), _ADOPTED]}, updates=1, revisions=1),
        "approval": Scenario(_prepare_paused, _approve, {"web": [_REQUESTED, _ADOPTED]}, updates=1, revisions=1, answers=2),
        "drift correction": Scenario(
            lambda place: _prepare(place, rollout={"onDrift": "Correct", "correctAfterSeconds": 1}),
            _correct, {"web": [("DriftCorrection", "Succeeded"), _REQUESTED, _ADOPTED]}, updates=2, revisions=2,
        ),
        "recovery without status": Scenario(_prepare, _restore, {"web": [_REQUESTED]}, updates=1, revisions=1, if_late={"web": [_ADOPTED]}),
        "EnvironmentTag": Scenario(_prepare_tagged, _release, {"web": [_REQUESTED, _ADOPTED]}, updates=1),
        "set with rollback": Scenario(
            _prepare_set, _set_back,
            {"api": [("Rollback", "Succeeded"), _REQUESTED], "web": [("Rollback", "Succeeded"), ("Requested", "RolledBack")]},
            updates=3, revisions=3,
        ),
        "promotion": Scenario(_prepare_stages, _promote, {"web": [_REQUESTED]}, updates=2, revisions=2),
    }
)  # fmt: skip
