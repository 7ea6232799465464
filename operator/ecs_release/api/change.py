"""Why something is released and who wants it: recorded with every attempt."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.meta import Model


class Change(Model):
    """The reason for a release. To change it never deploys."""

    description: Annotated[str | None, Field(max_length=1024, description="Why, in a sentence.")] = None
    requested_by: Annotated[str | None, Field(max_length=256, description="Who asks for it.")] = None
    url: Annotated[str | None, Field(max_length=2048, description="The pull request or the build.")] = None
    revision: Annotated[str | None, Field(max_length=256, description="The git revision of the manifests.")] = None
    ticket: Annotated[str | None, Field(max_length=256, description="A ticket.")] = None


class Reference(Model):
    """Names another resource."""

    name: Annotated[str, Field(min_length=1, max_length=63, description="Name of the resource.")]
