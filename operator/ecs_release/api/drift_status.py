"""What a Release's status says of drift: that something else runs than what the Release deployed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.meta import MicroTime, Model, Time
from ecs_release.api.words import Text, Word


class Drift(Model):
    """That something else runs than what this Release deployed, and when that is corrected."""

    deployment_id: Annotated[Word | None, Field(description="The PRIMARY deployment, which this Release did not start.")] = None
    since_time: Annotated[Time | None, Field(description="When that deployment began.")] = None
    completed_time: Annotated[MicroTime | None, Field(description="Since when it has been seen completed.")] = None
    correct_time: Annotated[
        MicroTime | None, Field(description="From when on it is corrected, if nothing holds that; absent where it is not.")
    ] = None


class LastDrift(Model):
    """When it last was that something else ran than what this Release deployed."""

    deployment_id: Annotated[Word | None, Field(description="The PRIMARY deployment at its beginning.")] = None
    message: Annotated[Text | None, Field(description="What ran instead of what.")] = None
    start_time: Annotated[Time | None, Field(description="When it was seen first.")] = None
    end_time: Annotated[Time | None, Field(description="When the Release was Ready again; absent while it goes on.")] = None
