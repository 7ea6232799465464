"""Promotion: where an Environment's releases come from, what has not been promoted yet, and when that is overdue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.bounded_types import Count, StatusDigest, Text, Word
from ecs_release.api.meta import Model, ObjectName, Time
from ecs_release.api.schema import list_map

TimeOfDay = Annotated[str, Field(min_length=5, max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

WAITING, OVERDUE, UNPROVEN = "Waiting", "Overdue", "Unproven"


class PromotedFrom(Model):
    """The Environment that releases are promoted from."""

    name: Annotated[ObjectName, Field(description="Its name. It may belong to another shard.")]


class WorkingHours(Model):
    """When people are there to promote: no other time counts."""

    days: Annotated[
        list[Day],
        Field(
            min_length=1,
            max_length=7,
            description="Days on which they begin to work.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ["Mon", "Tue", "Wed", "Thu", "Fri"]
    from_: Annotated[TimeOfDay, Field(alias="from", description="When work begins, as HH:MM.")] = "09:00"
    to: Annotated[
        TimeOfDay,
        Field(description="When it ends. Not later than `from`: on the next day; the same as `from`: it lasts the whole day."),
    ] = "17:00"
    time_zone: Annotated[str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$", description="IANA time zone; absent: UTC.")] = None


class Promotion(Model):
    """Where releases come from, and how long what is proven to run there may wait for its promotion."""

    from_: Annotated[PromotedFrom, Field(alias="from", description="The Environment that they are promoted from.")]
    overdue_after_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=2592000,
            description="Working time after which it is overdue; absent: it never is, but status says since when it waits.",
        ),
    ] = None
    working_hours: Annotated[WorkingHours | None, Field(description="When people work; absent: always.")] = None


class AwaitedImage(Model):
    """An image that is proven to run in the other Environment."""

    container: Annotated[Word, Field(description="Container.")]
    digest: Annotated[StatusDigest | None, Field(description="Digest.")] = None
    release_hash: Annotated[Word | None, Field(description="Release hash.")] = None


class AwaitedPromotion(Model):
    """What is proven to run in the Environment that releases are promoted from, and does not run here."""

    environment: Annotated[Word | None, Field(description="The Environment that it runs in.")] = None
    release: Annotated[Word | None, Field(description="The Release there.")] = None
    hash: Annotated[Word | None, Field(description="Its release hash there, else a short digest.")] = None
    images: Annotated[
        list[AwaitedImage] | None, Field(max_length=10, description="Its images there.", json_schema_extra=list_map("container"))
    ] = None
    state: Annotated[
        Word | None,
        Field(
            description="Waiting; Overdue; Unproven: what runs there now is not proven, and nothing is overdue until it is. More may come."
        ),
    ] = None
    since_time: Annotated[
        Time | None, Field(description="Since when something that does not run here has been proven to run there, without a break.")
    ] = None
    due_time: Annotated[Time | None, Field(description="When it is overdue; absent: not within a year.")] = None
    told_time: Annotated[Time | None, Field(description="When it was last said to be overdue: by a notification, and by an Event.")] = None
    told: Annotated[Count | None, Field(description="How often that was said since it began to wait.")] = None


class OverdueRelease(Model):
    """A Release whose promotion is overdue."""

    namespace: Annotated[Word, Field(description="Its namespace.")]
    name: Annotated[Word | None, Field(description="Its name.")] = None
    hash: Annotated[Word | None, Field(description="What is proven to run in the other Environment.")] = None
    since_time: Annotated[Time | None, Field(description="Since when it waits.")] = None


class PromotionStatus(Model):
    """What has waited too long for its promotion."""

    overdue: Annotated[Count | None, Field(description="Releases whose promotion is overdue.")] = None
    releases: Annotated[list[OverdueRelease] | None, Field(max_length=20, description="Those that have waited longest.")] = None
    message: Annotated[Text | None, Field(description="What is wrong with spec.promotion.")] = None
