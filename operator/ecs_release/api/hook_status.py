"""Lifecycle hooks in status: those at which ECS waits for somebody, and who had it go on or go back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Text, Word
from ecs_release.api.meta import MicroTime, Model, Time


class OpenHook(Model):
    """A lifecycle hook of the attempt's deployment that awaits action."""

    id: Annotated[Word, Field(description="ECS's id of it, which annotation continue names: each step of a deployment has one of its own.")]
    stage: Annotated[Word | None, Field(description="The lifecycle stage that it holds.")] = None
    expires_time: Annotated[Time | None, Field(description="When ECS ends the wait by itself.")] = None
    timeout_action: Annotated[Word | None, Field(description="What ECS does then: CONTINUE or ROLLBACK.")] = None


class Intervention(Model):
    """Somebody had ECS go on with an attempt's deployment, or take it back."""

    action: Annotated[Word, Field(description="CONTINUE or ROLLBACK.")]
    cause: Annotated[Word | None, Field(description="Requested: by annotation continue.")] = None
    hook_id: Annotated[Word | None, Field(description="The lifecycle hook that it answers.")] = None
    stage: Annotated[Word | None, Field(description="The lifecycle stage that the hook held.")] = None
    applied_by: Annotated[Word | None, Field(description="Who asked for it, as the API server authenticated them.")] = None
    reason: Annotated[Text | None, Field(description="Why, as the request says.")] = None
    time: Annotated[MicroTime | None, Field(description="When it was announced.")] = None
    accepted_time: Annotated[
        MicroTime | None, Field(description="When AWS had accepted it; absent: it is announced, and it is not known that AWS was asked.")
    ] = None
