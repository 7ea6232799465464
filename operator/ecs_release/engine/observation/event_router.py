"""Turns what events tell into looks and passes: at the service that one is about, at whoever waits for an image or follows a family."""

from __future__ import annotations

from collections.abc import Callable

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.ecs.events import Heard
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.store.claim_index import Claims
from ecs_release.engine.store.store import Store


class Wakener:
    """Hears events for all Environments of this process."""

    def __init__(
        self,
        store: Store,
        claims: Claims,
        observer_of: Callable[[str], Observer | None],
        wake: Callable[[ObjectKey], None],
        pushed: Callable[[str, str, str], None],
    ) -> None:
        """`wake` has a Release gather anew what it reads now and then: tags, newer revisions; `pushed` looks a repository's images up."""
        self._pushed = pushed
        self._store = store
        self._claims = claims
        self._observer_of = observer_of
        self._wake = wake

    def heard(self, heard: Heard, queue_url: str) -> None:
        """Look where an event points to: for Environments that name the queue, and no others.

        What an event says of itself, its account too, is believed to who may send to that queue. One of development must not tell who has
        deployed to production, or have its repositories looked at.
        """
        is_theirs = False
        for name, environment in self._store.environments.items():
            if not isinstance(environment, Environment) or environment.spec.observation.event_queue_url != queue_url:
                continue
            observer = self._observer_of(name)
            if observer is None:
                continue
            where = (environment.spec.aws.account_id, environment.spec.aws.region)
            if heard.service and where == (heard.account, heard.region):
                self._look(observer, heard)
            elif heard.family and where == (heard.account, heard.region):
                self._wake_family(name, observer, heard.family)
            elif heard.repository and _registry(environment) == (heard.account, heard.region):
                is_theirs = True
                self._wake_repository(name, heard.repository)
        if is_theirs:
            self._pushed(heard.account, heard.region, heard.repository)

    def _look(self, observer: Observer, heard: Heard) -> None:
        if heard.cluster:
            keys = [ServiceKey(heard.account, heard.region, heard.cluster, heard.service)]
        else:
            keys = [k for k in observer.observed if k.service == heard.service]
        for key in keys:
            observer.heard(key, tasks=heard.tasks, author=heard.author)

    def _wake_family(self, environment: str, observer: Observer, family: str) -> None:
        for service in observer.running_family(family):
            for key in self._claims.releases_of(service):
                facts = self._store.releases.get(key)
                if facts is not None and facts.environment == environment:
                    self._wake(key)

    def _wake_repository(self, environment: str, repository: str) -> None:
        for facts in self._store.of_environment(environment):
            project = self._store.project(facts.key.namespace, facts.project)
            if isinstance(project, Project) and _uses(project, facts.service, repository):
                self._wake(facts.key)


def _registry(environment: Environment) -> tuple[str, str]:
    artifacts, aws = environment.spec.artifacts, environment.spec.aws
    return (artifacts.registry_id or aws.account_id, artifacts.region or aws.region)


def _uses(project: Project, service: str, repository: str) -> bool:
    listed = (s for its_set in project.spec.service_sets for s in its_set.services if s.name == service)
    return any(c.repository == repository for s in listed for c in s.containers)
