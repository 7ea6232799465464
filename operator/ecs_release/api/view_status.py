"""What is shown of deployment sets elsewhere: what was created there, and what it shows by now."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Count, Word
from ecs_release.api.meta import MicroTime, Model
from ecs_release.api.schema import list_map

MOST_VIEWS, MOST_PARTS = 10, 30


class ViewPart(Model):
    """One thing that is created once, and changed from then on: a Deployment, a comment, a message."""

    name: Annotated[Word, Field(description="What it is: deployment, pull/NUMBER, message, thread/NAME; more may come.")]
    key: Annotated[Word | None, Field(description="What it is found by again; it is sent when it is created.")] = None
    announced_time: Annotated[MicroTime | None, Field(description="When its creation was announced last, before the call.")] = None
    tries: Annotated[Count | None, Field(description="How often its creation was announced: after a doubt once more.")] = None
    receipt: Annotated[Word | None, Field(description="Its id there; absent until it is known.")] = None
    unverified_time: Annotated[
        MicroTime | None,
        Field(description="Since when it may be there twice, after a creation that was in doubt; absent once that was looked for."),
    ] = None
    hash: Annotated[Word | None, Field(description="Checksum of what it shows, as accepted there.")] = None


class View(Model):
    """What one deployment set (of a Release: one attempt), or what is overdue, is shown as at one sink."""

    id: Annotated[
        Word, Field(description="SINK/ID, such as github/ and the id of the deployment set; SINK/overdue: what waits for its promotion.")
    ]
    place: Annotated[Word | None, Field(description="Repository as owner/name, or id of the channel.")] = None
    outcome: Annotated[
        Word | None, Field(description="The outcome that is shown in full; of what is overdue a checksum of that. Absent while it is not.")
    ] = None
    parts: Annotated[
        list[ViewPart] | None, Field(max_length=MOST_PARTS, description="What was created.", json_schema_extra=list_map("name"))
    ] = None
