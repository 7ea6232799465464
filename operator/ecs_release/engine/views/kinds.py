"""The kinds of sinks of views: where an Environment names one, where its documents go, and what makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.view_status import View
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.views import Part, ViewSink
from ecs_release.domain.views.shown import Shown


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is of: one deployment set, its Project and Environment, the place that it goes to, and what status says of it.

    `views` are what status says of all documents of the object, at all sinks.
    """

    shown: Shown
    environment: Environment
    project: Project
    address: str
    view: View | None = None
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """What statuses do not have: the numbers of pull requests. `again_s`: not all is known, and may be after so many seconds.

    `problem`: the sink refuses to tell, and all else goes on.
    """

    pull_requests: frozenset[int] = frozenset()
    again_s: float | None = None
    problem: Blocked | None = None


async def no_details(_sink: ViewSink, _subject: Subject) -> Details:
    """Find out nothing."""
    return Details()


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
    document: Callable[[Subject, Details], tuple[Part, ...]]
    details: Callable[[ViewSink, Subject], Awaitable[Details]] = no_details
