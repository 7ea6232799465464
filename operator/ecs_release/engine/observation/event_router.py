"""Routes events: to a look at their service, and to the Releases that wait for an image or follow a task definition family."""

from __future__ import annotations

from collections.abc import Callable

from ecs_release.api.environment import Environment
from ecs_release.domain.ecs.events import AwsEvent
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.store import Store


class EventRouter:
    """Routes events for all Environments of this process."""

    def __init__(
        self,
        store: Store,
        claims: ClaimIndex,
        observer_of: Callable[[str], Observer | None],
        reread: Callable[[ObjectKey], None],
        pushed: Callable[[str, str, str], None],
    ) -> None:
        """`reread` makes a Release read tags and newer revisions at its next pass; `pushed` checks a repository's images again."""
        self._pushed = pushed
        self._store = store
        self._claims = claims
        self._observer_of = observer_of
        self._reread = reread

    def route(self, event: AwsEvent, queue_url: str) -> None:
        """Route an event for the Environments that name the queue, and no others.

        An event's content, its account included, is only as trustworthy as those who may send to that queue: an event in a queue for
        development must not name who deployed to production, or cause reads of its repositories.
        """
        is_theirs = False
        for name, environment in self._store.environments.items():
            if not isinstance(environment, Environment) or environment.spec.observation.event_queue_url != queue_url:
                continue
            observer = self._observer_of(name)
            if observer is None:
                continue
            where = (environment.spec.aws.account_id, environment.spec.aws.region)
            if event.service and where == (event.account, event.region):
                self._look(observer, event)
            elif event.family and where == (event.account, event.region):
                self._reread_family(name, observer, event.family)
            elif event.repository and _registry(environment) == (event.account, event.region):
                is_theirs = True
                self._reread_repository(name, event.repository)
        if is_theirs:
            self._pushed(event.account, event.region, event.repository)

    def _look(self, observer: Observer, event: AwsEvent) -> None:
        if event.cluster:
            keys = [ServiceKey(event.account, event.region, event.cluster, event.service)]
        else:
            keys = [k for k in observer.services if k.service == event.service]
        for key in keys:
            observer.event_received(key, tasks=event.tasks, author=event.author, instruction=event.instruction)

    def _reread_family(self, environment: str, observer: Observer, family: str) -> None:
        for service in observer.services_running(family):
            for key in self._claims.releases_of(service):
                facts = self._store.releases.get(key)
                if facts is not None and facts.environment == environment:
                    self._reread(key)

    def _reread_repository(self, environment: str, repository: str) -> None:
        for service in self._store.services_using(repository):
            for facts in self._store.of_service(*service):
                if facts.environment == environment and self._claims.admission(facts.key) is not Admission.REFUSED:
                    self._reread(facts.key)


def _registry(environment: Environment) -> tuple[str, str]:
    artifacts, aws = environment.spec.artifacts, environment.spec.aws
    return (artifacts.registry_id or aws.account_id, artifacts.region or aws.region)
