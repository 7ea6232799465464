"""Windows: when releases may start, and when not."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.bounded_types import LongText
from ecs_release.api.meta import Model, Time
from ecs_release.api.schema import rules


class ClosedWindow(Model):
    """A window that is closed now."""

    name: Annotated[LongText | None, Field(description="The window, or windows.")] = None
    reason: Annotated[LongText | None, Field(description="Why it is closed.")] = None
    next_open_time: Annotated[Time | None, Field(description="When releases may start again; absent: not within a year.")] = None


class Window(Model):
    """A span of time, once or recurring, in which releases may not (Deny) or may (Allow) start."""

    model_config = rules(
        ("has(self.cron) != has(self.startTime)", "set exactly one of cron and startTime"),
        ("has(self.cron) == has(self.durationSeconds)", "set durationSeconds with cron, and only with it"),
        ("has(self.startTime) == has(self.endTime)", "set endTime with startTime, and only with it"),
        ("!has(self.startTime) || !has(self.endTime) || self.startTime < self.endTime", "endTime must be after startTime"),
        # Wider than any plan, and within what every calendar and clock can count: the API server admits the year 0.
        (
            "!has(self.startTime) || self.startTime >= timestamp('1970-01-01T00:00:00Z')",
            "startTime must be in 1970 or later",
        ),
        ("!has(self.endTime) || self.endTime < timestamp('3000-01-01T00:00:00Z')", "endTime must be before the year 3000"),
    )

    name: Annotated[str, Field(min_length=1, max_length=63, description="Name of the window, shown by what it holds up.")]
    kind: Annotated[Literal["Deny", "Allow"], Field(description="Deny holds releases up inside it, Allow outside it.")]
    cron: Annotated[
        str | None,
        Field(min_length=9, max_length=128, pattern=r"^\S+ \S+ \S+ \S+ \S+$", description="When it opens: five fields."),
    ] = None
    duration_seconds: Annotated[int | None, Field(ge=60, le=31536000, description="How long it stays open.")] = None
    time_zone: Annotated[
        str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$", description="IANA time zone of cron; absent: UTC.")
    ] = None
    start_time: Annotated[Time | None, Field(description="When it opens, once.")] = None
    end_time: Annotated[Time | None, Field(description="When it closes.")] = None
    reason: Annotated[str | None, Field(max_length=512, description="Why, for people.")] = None
