"""Project: a team's service sets, their services, and the containers and repositories of each. Written by the team."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field

from ecs_release.api.commits import ProjectGit
from ecs_release.api.conditions import Condition
from ecs_release.api.meta import ECS_NAME, REPOSITORY, ContainerName, Model, ObjectMeta, ObjectName, ServiceName
from ecs_release.api.rollout import Rollout
from ecs_release.api.schema import list_map, rules
from ecs_release.api.view_sinks import ProjectNotify


class Container(Model):
    """A container whose image is released. Containers that are not listed are not changed."""

    name: Annotated[ContainerName, Field(description="Name of the container in the task definition.")]
    repository: Annotated[
        str, Field(min_length=2, max_length=256, pattern=REPOSITORY, description="ECR repository, without registry and tag.")
    ]


class ServiceTarget(Model):
    """The ECS service in one Environment, if its template does not fit."""

    environment: Annotated[ObjectName, Field(description="Name of the Environment.")]
    cluster: Annotated[
        str | None, Field(min_length=1, max_length=255, pattern=ECS_NAME, description="ECS cluster; absent: the Environment's.")
    ] = None
    service_name: Annotated[
        str | None, Field(min_length=1, max_length=255, pattern=ECS_NAME, description="ECS service; absent: by the Environment's template.")
    ] = None


class Service(Model):
    """A service: one ECS service in each Environment."""

    name: Annotated[ServiceName, Field(description="Name of the service, unique in the Project.")]
    containers: Annotated[
        list[Container],
        Field(min_length=1, max_length=10, description="Containers that are released.", json_schema_extra=list_map("name")),
    ]
    targets: Annotated[
        list[ServiceTarget] | None,
        Field(max_length=50, description="ECS services that the template does not name.", json_schema_extra=list_map("environment")),
    ] = None
    rollout: Annotated[
        Rollout | None, Field(description="How it is rolled out, as far as that differs from the Environment's settings.")
    ] = None


class ServiceSet(Model):
    """Services that are released together."""

    name: Annotated[ServiceName, Field(description="Name of the service set.")]
    services: Annotated[list[Service], Field(min_length=1, max_length=50, description="Its services.", json_schema_extra=list_map("name"))]


class ProjectSpec(Model):
    """What a Project consists of."""

    # Each pair of sets once: comparing every service with every other costs more than the API server allows a rule.
    model_config = rules(
        (
            "self.serviceSets.all(a, self.serviceSets.all(b, a.name >= b.name"
            " || !sets.intersects(a.services.map(s, s.name), b.services.map(s, s.name))))",
            "a service must be in one service set only: its name is unique in the Project",
        )
    )

    repository: Annotated[str | None, Field(max_length=2048, description="Where the code is, for people.")] = None
    git: Annotated[ProjectGit | None, Field(description="Where its commits are, for Environments that ask the commit graph.")] = None
    notify: Annotated[ProjectNotify | None, Field(description="Where its deployment sets are shown.")] = None
    service_sets: Annotated[
        list[ServiceSet], Field(min_length=1, max_length=10, description="Its service sets.", json_schema_extra=list_map("name"))
    ]

    @cached_property
    def by_service(self) -> Mapping[str, tuple[str, Service]]:
        """Its services by name, with the name of their service set."""
        return {service.name: (group.name, service) for group in reversed(self.service_sets) for service in reversed(group.services)}


class ProjectStatus(Model):
    """The observed state of a Project."""

    observed_generation: Annotated[int | None, Field(ge=-1, le=2**62, description="The generation that this status is about.")] = None
    conditions: Annotated[
        list[Condition] | None, Field(max_length=32, description="Ready, Reconciling, Stalled.", json_schema_extra=list_map("type"))
    ] = None
    services: Annotated[int | None, Field(ge=0, le=100000, description="How many services it has.")] = None
    releases: Annotated[int | None, Field(ge=0, le=1000000, description="How many Releases refer to it.")] = None


class Project(Model):
    """A team's service sets, their services, and the containers and repositories of each."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta
    spec: ProjectSpec
    status: ProjectStatus | None = None
