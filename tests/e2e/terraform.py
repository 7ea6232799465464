"""Terraform's part."""

from __future__ import annotations

from tests.aws_simulator.client import image_name
from tests.e2e.bed import Place


def terraform(place: Place, tag: str = "v1", cpu: str = "256") -> str:
    """Register a revision of the service's family as Terraform would, without deploying it. Returns its ARN."""
    image = image_name(place.repository(), f"ref.{tag}", account=place.account, region=place.region)
    container = {"name": "app", "image": image, "memory": 128, "essential": True, "environment": [{"name": "CPU", "value": cpu}]}
    made = place.ecs().register_task_definition(family=f"{place.name}-web", containerDefinitions=[container])
    return str(made["taskDefinition"]["taskDefinitionArn"])
