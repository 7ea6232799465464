"""Lifecycle hooks in status: those at which ECS waits for somebody, and who had it go on or go back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Arn, Text, Word
from ecs_release.api.meta import MicroTime, Model, Time


class OpenHook(Model):
    """A lifecycle hook of the attempt's deployment that awaits action."""

    id: Annotated[Word, Field(description="ECS's id of it, which annotation continue names: each step of a deployment has one of its own.")]
    stage: Annotated[Word | None, Field(description="The lifecycle stage that it holds.")] = None
    expires_time: Annotated[Time | None, Field(description="When ECS ends the wait by itself.")] = None
    timeout_action: Annotated[Word | None, Field(description="What ECS does then: CONTINUE or ROLLBACK.")] = None


class Intervention(Model):
    """Somebody had ECS go on with an attempt's deployment, or take it back."""

    action: Annotated[Word, Field(description="CONTINUE, ROLLBACK or STOP.")]
    cause: Annotated[
        Word | None,
        Field(description="Requested: by annotation continue; Foreign: in AWS; TimedOut: by ECS, for nobody answered in time."),
    ] = None
    hook_id: Annotated[Word | None, Field(description="The lifecycle hook that it answers.")] = None
    stage: Annotated[Word | None, Field(description="The lifecycle stage that the hook held.")] = None
    applied_by: Annotated[Word | None, Field(description="Who asked for it, as the API server authenticated them.")] = None
    changed_by: Annotated[Arn | None, Field(description="Of a foreign one: who it was, by CloudTrail, which tells it late.")] = None
    user_agent: Annotated[Text | None, Field(description="Of a foreign one: with which tool.")] = None
    reason: Annotated[Text | None, Field(description="Why, as the request says.")] = None
    time: Annotated[MicroTime | None, Field(description="When it was announced; of a foreign one when it was made, else seen.")] = None
    accepted_time: Annotated[
        MicroTime | None, Field(description="When AWS had accepted it; absent: it is announced, and it is not known that AWS was asked.")
    ] = None
