"""Who may see what: the API server is asked, for the board decides nothing itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ecs_release.api.names import ENVIRONMENT, GROUP, PLURALS, RELEASE
from ecs_release.board.viewer import Viewer
from ecs_release.cluster.api_server import ApiServer
from ecs_release.domain.model.api_paths import group_path
from ecs_release.domain.model.errors import Conflict, NotFound, Problem
from ecs_release.domain.model.lru import Lru

log = logging.getLogger(__name__)

_REVIEWS = group_path("authorization.k8s.io", "subjectaccessreviews")
_KEPT_S = 40.0
"""An answer of this age is asked for anew. Streams ask every 15 s: who loses a right loses the stream within a minute."""
_OUTAGE_S = 3600.0
"""How long an answer is used while the API server cannot be asked."""
_AGAIN_S, _WAIT_S = 10.0, 5.0
_VIEWERS, _AT_ONCE = 2000, 4


class AccessUnknownError(Exception):
    """The API server cannot be asked what somebody may see, and has not said it lately."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see: Releases of some namespaces (None: of all), and whether Environments."""

    namespaces: frozenset[str] | None = frozenset()
    environments: bool = False

    def shows(self, namespace: str) -> bool:
        """Return whether a namespace may be seen."""
        return self.namespaces is None or namespace in self.namespaces


EVERYTHING = Sight(None, environments=True)


@dataclass(frozen=True, slots=True)
class _Answer:
    sight: Sight
    asked_at: float
    again_at: float


class Access:
    """What each viewer may see, by SubjectAccessReviews: one for all namespaces first, and one for each only if that is refused."""

    def __init__(self, server: ApiServer, namespaces: Callable[[], Iterable[str]], monotonic: Callable[[], float] = time.monotonic) -> None:
        """`namespaces` returns those that hold something to be seen."""
        self._server = server
        self._namespaces = namespaces
        self._monotonic = monotonic
        self._answers: Lru[Viewer, _Answer] = Lru(_VIEWERS)
        self._asking: dict[Viewer, asyncio.Task[Sight]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def sight(self, viewer: Viewer | None) -> Sight:
        """Return what a viewer may see; None is somebody who is not asked. Raises AccessUnknownError."""
        if viewer is None:
            return EVERYTHING
        answer = self._answers.get(viewer)
        now = self._monotonic()
        if answer is not None and now < answer.again_at:
            return answer.sight
        try:
            async with asyncio.timeout(_WAIT_S):
                return await asyncio.shield(self._asked(viewer))
        except (Problem, NotFound, Conflict, TimeoutError) as error:
            if answer is None or now - answer.asked_at > _OUTAGE_S:
                raise AccessUnknownError("the API server cannot be asked what you may see: try again in a moment") from error
            log.warning(
                "what %s may see is as it was %.0f s ago: %s", viewer.user, now - answer.asked_at, str(error) or "no answer in time"
            )
            self._answers.put(viewer, _Answer(answer.sight, answer.asked_at, now + _AGAIN_S))
            return answer.sight

    def _asked(self, viewer: Viewer) -> asyncio.Task[Sight]:
        """Return the question about a viewer that is under way, or ask it: many pages of one person are one question."""
        task = self._asking.get(viewer)
        if task is None:
            begun = self._monotonic()
            task = self._asking[viewer] = asyncio.create_task(self._ask(viewer))
            task.add_done_callback(lambda ended: self._ended(viewer, ended, begun))
        return task

    def _ended(self, viewer: Viewer, task: asyncio.Task[Sight], begun: float) -> None:
        """Keep an answer. It is as old as its question, however long that has waited among others."""
        del self._asking[viewer]
        if not task.cancelled() and task.exception() is None:
            self._answers.put(viewer, _Answer(task.result(), begun, begun + _KEPT_S))

    async def _ask(self, viewer: Viewer) -> Sight:
        everywhere, environments = await asyncio.gather(self._may_get(viewer, RELEASE), self._may_get(viewer, ENVIRONMENT))
        if everywhere:
            return Sight(None, environments)
        names = sorted(set(self._namespaces()))
        allowed = await asyncio.gather(*(self._may_get(viewer, RELEASE, name) for name in names))
        return Sight(frozenset(name for name, may in zip(names, allowed, strict=True) if may), environments)

    async def _may_get(self, viewer: Viewer, kind: str, namespace: str = "") -> bool:
        attributes = {"group": GROUP, "resource": PLURALS[kind], "verb": "get"} | ({"namespace": namespace} if namespace else {})
        spec = {"user": viewer.user, "groups": list(viewer.groups), "resourceAttributes": attributes}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        async with self._slots:
            answer = await self._server.request("POST", _REVIEWS, body=body)
        return (answer.get("status") or {}).get("allowed") is True
