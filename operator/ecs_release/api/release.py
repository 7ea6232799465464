"""Release: one service in one environment is to run one artifact."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.change import Change, Reference
from ecs_release.api.meta import Model, ObjectMeta, ServiceName
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.schema import rules
from ecs_release.api.source import Source
from ecs_release.api.suspension import Suspension


class ReleaseSpec(Model):
    """What should run where."""

    model_config = rules(
        ("self.projectRef.name == oldSelf.projectRef.name", "projectRef is immutable: create another Release"),
        ("self.service == oldSelf.service", "service is immutable: create another Release"),
        ("self.environmentRef.name == oldSelf.environmentRef.name", "environmentRef is immutable: create another Release"),
    )

    project_ref: Annotated[Reference, Field(description="The Project, in the same namespace.")]
    service: Annotated[ServiceName, Field(description="The service of that Project.")]
    environment_ref: Annotated[Reference, Field(description="The Environment.")]
    source: Annotated[Source, Field(description="The artifact that should run. Only a change of it deploys.")]
    change: Annotated[Change | None, Field(description="Why, and who wants it.")] = None
    suspend: Annotated[bool, Field(description="While true nothing is changed in AWS; what runs is still shown.")] = False
    suspension: Annotated[Suspension | None, Field(description="Why and until when it is suspended, if suspend is true.")] = None


class Release(Model):
    """One service in one environment, the artifact that it is to run, and what is running."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta
    spec: ReleaseSpec
    status: ReleaseStatus | None = None
