"""Suspensions: why changes are stopped on purpose and when that ends by itself, and what a status says of that end."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Word
from ecs_release.api.meta import Model, Time

UNTIL = (
    "When the suspension ends by itself, by AWS's clock; the spec stays as it is. A time that is past suspends nothing; absent: it ends"
    " when it is lifted."
)


class Suspension(Model):
    """Why and until when changes are suspended. It has no effect unless `suspend` is true."""

    reason: Annotated[str | None, Field(min_length=1, max_length=512, description="Why nothing may be released now.")] = None
    until: Annotated[Time | None, Field(description=UNTIL)] = None


class EnvironmentSuspension(Model):
    """Stops all changes in AWS while it is set, for the platform team."""

    reason: Annotated[str, Field(min_length=1, max_length=512, description="Why nothing may be released now; shown on every Release.")]
    until: Annotated[Time | None, Field(description=f"{UNTIL} Its Releases go on one after another, within a minute.")] = None


class SuspensionEnd(Model):
    """The end of a suspension, and what Events have said of it."""

    until: Annotated[Time | None, Field(description="When the suspension ends, or has ended, by itself.")] = None
    state: Annotated[Word | None, Field(description="Suspended, EndsSoon (within 15 minutes), Ended; more may come.")] = None
