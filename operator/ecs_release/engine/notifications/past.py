"""What has happened in an Environment since a time, by the statuses of its Releases and ReleaseSets."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from pydantic import ValidationError

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.api.notification import Notification
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.model.errors import Blocked, Problem, Retryable
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.notifications.notifications import Origin, release_notifications, set_notifications
from ecs_release.domain.ports.commits import Commit
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.engine.store.store import ReleaseFacts, SetStoreFacts, Store

log = logging.getLogger(__name__)

Listed: TypeAlias = Callable[[Environment, Project, AttemptCommits], Sequence[Commit]]
_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0


def none_listed(_environment: Environment, _project: Project, _commits: AttemptCommits) -> Sequence[Commit]:
    """List no commits."""
    return ()


class Past:
    """Finds what happened: which objects have transitions, and their notifications."""

    def __init__(self, store: Store, cluster: Cluster, installation: str, listed: Listed) -> None:
        """`store` has the time of each object's last transition, `cluster` the statuses.

        `listed` returns the newest of the commits that an attempt brings, as far as they are known.
        """
        self._listed = listed
        self._store = store
        self._cluster = cluster
        self._installation = installation

    def keys_since(self, environment: str, since: str) -> list[ObjectKey]:
        """List the objects of an Environment with transitions since a time; the one whose last is the oldest comes first."""
        sets = self._store.sets_of(ObjectKey(ENVIRONMENT, "", environment))
        found: list[ReleaseFacts | SetStoreFacts] = [self._store.sets[key] for key in sets]
        found += self._store.of_environment(environment)
        ours = [f for f in found if f.last_transition.time and f.last_transition.time >= since]
        return [f.key for f in sorted(ours, key=lambda f: f.last_transition.time)]

    async def read(self, key: ObjectKey, refusals_taken: float = math.inf) -> Mapping[str, Any] | None:
        """Read an object, and retry until the API server answers; after so many refusals that is logged, and it is as if it were gone."""
        pause_s, refusals = _FIRST_PAUSE_S, 0
        while True:
            try:
                return await self._cluster.get(key)
            except Problem as problem:
                refusals += not isinstance(problem, Retryable)
                if refusals > refusals_taken:
                    log.warning("cannot tell of %s %s: %s", key.kind, key, problem.message)
                    return None
                log.debug("cannot read %s %s: %s", key.kind, key, problem.message)
                await asyncio.sleep(pause_s)
                pause_s = min(_LAST_PAUSE_S, 2 * pause_s)

    def notifications_since(self, key: ObjectKey, body: Mapping[str, Any], since: str) -> list[Notification]:
        """List the notifications of an object's status since a time. Does not raise: what cannot be read is logged and left out."""
        try:
            found = self._notifications(key, body)
        except Blocked as problem:
            log.warning("cannot tell of %s %s: %s", key.kind, key, problem.message)
            return []
        except ValidationError as error:
            log.warning("cannot tell of %s %s: %s", key.kind, key, error.errors(include_url=False)[0]["msg"])
            return []
        return [one for one in found if to_time(one.time) >= since]

    def _notifications(self, key: ObjectKey, body: Mapping[str, Any]) -> tuple[Notification, ...]:
        environment = self._store.environments.get(body["spec"]["environmentRef"]["name"])
        if not isinstance(environment, Environment):
            return ()
        project = self._store.project(key.namespace, body["spec"]["projectRef"]["name"])
        listed = partial(self._listed, environment, project) if isinstance(project, Project) else lambda _: ()
        if key.kind != RELEASE:
            return set_notifications(read_object(ReleaseSet, body), Origin(self._installation, environment, listed=listed))
        release = read_object(Release, body)
        sets = project.spec.service_sets if isinstance(project, Project) else ()
        its_set = next((s.name for s in sets if any(x.name == release.spec.service for x in s.services)), "")
        return release_notifications(release, Origin(self._installation, environment, its_set, listed))
