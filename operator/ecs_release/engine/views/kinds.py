"""The kinds of sinks of views: where an Environment names one, where its documents go, and what makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.ports.views import Part, ViewSink
from ecs_release.domain.views.shown import Shown


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is of: one deployment set, its Project and Environment, and the place that it goes to."""

    shown: Shown
    environment: Environment
    project: Project
    address: str


async def no_details(_sink: ViewSink, _subject: Subject) -> None:
    """Find out nothing."""


@dataclass(frozen=True, slots=True)
class SinkKind:
    """A kind of sink. `name` is also the first part of a view's id.

    `credentials` returns the name of the connection that an Environment names, empty for none. `address` returns the repository or the
    channel, or raises Blocked(TargetNotAllowed), or Waiting if none is named. `details` finds out, by reads, what statuses do not have, and
    `document` is pure: it makes the parts, those first that others are below.
    """

    name: str
    condition: ConditionType
    credentials: Callable[[Environment], str]
    address: Callable[[Environment, Project, ViewSink], str]
    document: Callable[[Subject, Any], tuple[Part, ...]]
    details: Callable[[ViewSink, Subject], Awaitable[Any]] = no_details
