"""ReleaseSet: a service set, released into one environment together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.change import Change, Reference
from ecs_release.api.meta import Model, ObjectMeta, ReleaseHash, ServiceName
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.api.schema import list_map, rules
from ecs_release.api.source import Source
from ecs_release.api.suspension import Suspension

ServiceNames = Annotated[list[ServiceName], Field(min_length=1, max_length=50, json_schema_extra={"x-kubernetes-list-type": "set"})]


class SetSource(Model):
    """Names the artifacts of a set. Exactly one of releaseHash, tag and environmentRef is set."""

    model_config = rules(
        (
            "[has(self.releaseHash), has(self.tag), has(self.environmentRef)].filter(x, x).size() == 1",
            "set exactly one of releaseHash, tag and environmentRef",
        )
    )

    release_hash: Annotated[ReleaseHash | None, Field(description="A git ref that all services were built from.")] = None
    tag: Annotated[ReleaseHash | None, Field(description="An image tag such as latest.")] = None
    environment_ref: Annotated[Reference | None, Field(description="Promote what runs in this Environment.")] = None


class Override(Model):
    """Another source for one service."""

    service: Annotated[ServiceName, Field(description="The service.")]
    source: Annotated[Source, Field(description="Its source.")]


class Wave(Model):
    """Services that go together, after the wave before."""

    services: Annotated[ServiceNames, Field(description="Services of the wave.")]


class Strategy(Model):
    """In which order services are rolled out, and what happens if one fails."""

    # Each pair of waves once, in the order of their first services, which differ: the API server bounds what a rule may cost.
    model_config = rules(
        (
            "!has(self.waves) || self.waves.all(a, self.waves.exists_one(b, a.services[0] == b.services[0])"
            " && self.waves.all(b, a.services[0] >= b.services[0] || !sets.intersects(a.services, b.services)))",
            "a service must be in one wave only",
        )
    )

    waves: Annotated[list[Wave] | None, Field(min_length=1, max_length=20, description="Waves, in order; services in none go last.")] = None
    max_parallel: Annotated[int, Field(ge=1, le=50, description="How many services are rolled out at once.")] = 10
    on_failure: Annotated[Literal["Halt", "RollBack", "Continue"], Field(description="What happens if a service fails.")] = "Halt"
    missing_artifacts: Annotated[
        Literal["Refuse", "KeepCurrent"], Field(description="What happens if a service has no image at the hash.")
    ] = "Refuse"


class ReleaseSetSpec(Model):
    """What should run where, for a service set."""

    model_config = rules(
        ("self.projectRef.name == oldSelf.projectRef.name", "projectRef is immutable: create another ReleaseSet"),
        ("self.serviceSet == oldSelf.serviceSet", "serviceSet is immutable: create another ReleaseSet"),
        ("self.environmentRef.name == oldSelf.environmentRef.name", "environmentRef is immutable: create another ReleaseSet"),
        ("has(self.source) || has(self.overrides)", "set source, or overrides for every service"),
    )

    project_ref: Annotated[Reference, Field(description="The Project, in the same namespace.")]
    service_set: Annotated[ServiceName, Field(description="The service set of that Project.")]
    services: Annotated[ServiceNames | None, Field(description="A subset of its services; absent: all.")] = None
    environment_ref: Annotated[Reference, Field(description="The Environment.")]
    source: Annotated[SetSource | None, Field(description="The artifacts that should run.")] = None
    overrides: Annotated[
        list[Override] | None,
        Field(min_length=1, max_length=50, description="Other sources for some services.", json_schema_extra=list_map("service")),
    ] = None
    change: Annotated[Change | None, Field(description="Why, and who wants it.")] = None
    strategy: Annotated[Strategy, Field(description="In which order, and what happens on failure.")] = Strategy()
    suspend: Annotated[bool, Field(description="While true no further service starts.")] = False
    suspension: Annotated[Suspension | None, Field(description="Why and until when it is suspended, if suspend is true.")] = None


class ReleaseSet(Model):
    """A service set, the artifacts that it is to run, and their release into one environment together."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta
    spec: ReleaseSetSpec
    status: ReleaseSetStatus | None = None
