"""Drift in a Release's status: something else runs than what the Release deployed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Text, Word
from ecs_release.api.meta import MicroTime, Model, Time


class Drift(Model):
    """Something else runs than what this Release deployed."""

    deployment_id: Annotated[Word | None, Field(description="The PRIMARY deployment, which this Release did not start.")] = None
    since_time: Annotated[Time | None, Field(description="When that deployment began.")] = None
    completed_time: Annotated[MicroTime | None, Field(description="When it was first seen completed.")] = None
    correct_time: Annotated[
        MicroTime | None, Field(description="When it is corrected, unless something holds that up; absent if it is not.")
    ] = None


class LastDrift(Model):
    """The last time that something else ran than what this Release deployed."""

    deployment_id: Annotated[Word | None, Field(description="The PRIMARY deployment at its beginning.")] = None
    message: Annotated[Text | None, Field(description="What ran instead of what.")] = None
    start_time: Annotated[Time | None, Field(description="When it was seen first.")] = None
    end_time: Annotated[Time | None, Field(description="When the Release was Ready again; absent while the drift lasts.")] = None
