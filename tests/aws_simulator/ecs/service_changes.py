"""What CreateService and UpdateService accept, and which changes begin a deployment (API reference, UpdateService)."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.strategies import mistake

_DEPLOYS = (
    "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "serviceConnectConfiguration", "volumeConfigurations",
    "vpcLatticeConfigurations",
)  # fmt: skip
_KEPT = (
    *_DEPLOYS, "deploymentConfiguration", "capacityProviderStrategy", "healthCheckGracePeriodSeconds", "placementConstraints",
    "placementStrategy", "enableExecuteCommand", "propagateTags", "enableECSManagedTags", "availabilityZoneRebalancing",
)  # fmt: skip
_FOREIGN_REFUSES = {"taskDefinition": "task definition", "networkConfiguration": "network configuration", "loadBalancers": "load balancers",
                    "platformVersion": "platform version", "forceNewDeployment": "deployment"}  # fmt: skip


def check_new(parameters: dict[str, Any]) -> None:
    """Refuse what CreateService refuses: InvalidParameterException."""
    daemon = parameters.get("schedulingStrategy") == "DAEMON"
    if daemon and parameters.get("desiredCount") is not None:
        raise errors.invalid("Daemon services do not support specifying desired count.")
    if daemon and parameters.get("launchType") == "FARGATE":
        raise errors.invalid("The daemon scheduling strategy is not supported with the FARGATE launch type.")
    if not daemon and parameters.get("desiredCount") is None:
        raise errors.invalid("The desired count must be specified.")
    if not parameters.get("taskDefinition") and (parameters.get("deploymentController") or {}).get("type", "ECS") != "EXTERNAL":
        raise errors.invalid("TaskDefinition cannot be empty.")
    if parameters.get("capacityProviderStrategy") and parameters.get("launchType"):
        raise errors.invalid("Specifying both a launch type and capacity provider strategy is not supported.")
    _check_configuration(parameters, parameters.get("deploymentConfiguration") or {})


def check_update(service: Service, parameters: dict[str, Any]) -> None:
    """Refuse what UpdateService refuses: InvalidParameterException."""
    controller = service.controller
    if controller != "ECS":
        refused = next((words for name, words in _FOREIGN_REFUSES.items() if parameters.get(name)), None)
        if refused is not None:
            hint = " Use AWS CodeDeploy to trigger a new deployment." if controller == "CODE_DEPLOY" else ""
            raise errors.invalid(f"Unable to update {refused} on services with {_article(controller)} deployment controller.{hint}")
    if service.daemon and parameters.get("desiredCount") is not None:
        raise errors.invalid("Daemon services do not support specifying desired count.")
    if (parameters.get("desiredCount") or 0) < 0:
        raise errors.invalid("Desired count cannot be negative.")
    if parameters.get("deploymentConfiguration"):
        _check_configuration({**service.settings, **parameters}, _merged(service, parameters))


def _merged(service: Service, parameters: dict[str, Any]) -> dict[str, Any]:
    return {**(service.settings.get("deploymentConfiguration") or {}), **(parameters.get("deploymentConfiguration") or {})}


def _article(controller: str) -> str:
    return f"an {controller}" if controller[0] in "AEIO" else f"a {controller}"


def _check_configuration(parameters: dict[str, Any], configuration: dict[str, Any]) -> None:
    found = mistake(configuration)
    if found:
        raise errors.invalid(found)
    if configuration.get("strategy", "ROLLING") != "ROLLING":
        controller = (parameters.get("deploymentController") or {}).get("type", "ECS")
        if controller != "ECS":
            raise errors.invalid(f"The deployment strategy {configuration['strategy']} needs the ECS deployment controller.")
        if parameters.get("schedulingStrategy") == "DAEMON":
            raise errors.invalid(f"The deployment strategy {configuration['strategy']} needs the REPLICA scheduling strategy.")
    least, most = configuration.get("minimumHealthyPercent"), configuration.get("maximumPercent")
    if least is not None and most is not None and (least > most or (least == 100 and most == 100)):
        raise errors.invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")


def starts_deployment(service: Service, task_definition: str, parameters: dict[str, Any]) -> bool:
    """Return whether an update begins a deployment: another revision, another place in the network, or force."""
    if service.controller != "ECS":
        return False
    primary = service.primary
    other_revision = primary is None or primary.task_definition != task_definition
    other_place = any(parameters.get(k) is not None and parameters[k] != service.settings.get(k) for k in _DEPLOYS)
    return bool(other_revision or other_place or parameters.get("forceNewDeployment"))


def keep(service: Service, task_definition: str, parameters: dict[str, Any]) -> None:
    """Take over the settings that were given; others stay as they are."""
    given = {k: v for k, v in parameters.items() if k in _KEPT and v is not None}
    if "deploymentConfiguration" in given:
        given["deploymentConfiguration"] = _merged(service, given)
    service.settings |= given
    service.settings["taskDefinition"] = task_definition
    if parameters.get("desiredCount") is not None:
        service.desired = int(parameters["desiredCount"])
