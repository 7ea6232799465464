"""Why something is released and who wants it: recorded with every attempt."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.commits import CommitHash
from ecs_release.api.meta import Model, ObjectName


class Change(Model):
    """The reason for a release. Changing it never deploys."""

    description: Annotated[str | None, Field(max_length=1024, description="Why, in a sentence.")] = None
    requested_by: Annotated[str | None, Field(max_length=256, description="Who asks for it.")] = None
    url: Annotated[str | None, Field(max_length=2048, description="The pull request or the build.")] = None
    revision: Annotated[str | None, Field(max_length=256, description="The git revision of the manifests.")] = None
    ticket: Annotated[str | None, Field(max_length=256, description="A ticket.")] = None
    rollback_from: Annotated[
        CommitHash | None,
        Field(description="Going back is meant, from this commit: it counts only while that is what runs, or is under way."),
    ] = None


class Reference(Model):
    """A reference to another resource, by name."""

    name: Annotated[ObjectName, Field(description="Name of the resource.")]
