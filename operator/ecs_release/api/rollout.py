"""How services are rolled out: set by the Environment, overridden by a Project's service field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.meta import Model


class Rollout(Model):
    """How a service is rolled out; absent fields are as the Environment sets them."""

    method: Annotated[
        Literal["TaskDefinition", "EnvironmentTag"] | None,
        Field(description="TaskDefinition registers a revision with digests; EnvironmentTag moves a tag and deploys anew."),
    ] = None
    base_revision: Annotated[
        Literal["Service", "Latest"] | None,
        Field(
            description="What a revision is built on: the service's own, or the newest of the family that the operator did not register."
        ),
    ] = None
    progress_deadline_seconds: Annotated[int | None, Field(ge=30, le=86400, description="How long a rollout may go without progress.")] = (
        None
    )
    settle_seconds: Annotated[int | None, Field(ge=0, le=86400, description="How long a wave must be Ready before the next begins.")] = None
    on_drift: Annotated[Literal["Report", "Correct"] | None, Field(description="What to do if something else runs.")] = None
    correct_after_seconds: Annotated[
        int | None,
        Field(ge=1, le=604800, description="How long a foreign deployment, or a newer base, must have stood before it is corrected."),
    ] = None


class RolloutDefaults(Rollout):
    """How an Environment's services are rolled out, unless their Project overrides it."""
