"""An index of claims: the ECS service that each Release names as its target, and the Releases of each service.

It is kept as single Releases change: an event costs the same however many Releases there are.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.names import RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.domain.ecs.service import Access, ServiceKey
from ecs_release.domain.environments.claims import Admission, Claim
from ecs_release.domain.environments.targets import access_of, namespace_allowed, selects_by_label, service_key
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.sets.child_manifests import is_child
from ecs_release.engine.store.namespace_labels import NamespaceLabels
from ecs_release.engine.store.release_counter import ReleaseCounter
from ecs_release.engine.store.store import ReleaseFacts, Store

_TOLD = 10
"""How many Releases are told of another claim on their service; the others find it when they are looked at for some other reason."""


@dataclass(slots=True)
class _ServiceClaims:
    """The claims on one service, by Release."""

    admitted: dict[ObjectKey, Claim] = field(default_factory=dict)
    unknown: dict[ObjectKey, Claim] = field(default_factory=dict)
    by_age: list[tuple[Claim, int, ObjectKey]] = field(default_factory=list)
    """A heap of the admitted ones. Those that were removed since are dropped when they come up."""

    def put(self, key: ObjectKey, claim: Claim) -> None:
        self.remove(key)
        if not claim.is_known:
            self.unknown[key] = claim
            return
        self.admitted[key] = claim
        heapq.heappush(self.by_age, (claim, id(claim), key))
        if len(self.by_age) > 2 * len(self.admitted) + 64:
            self.by_age = [(c, id(c), k) for k, c in self.admitted.items()]
            heapq.heapify(self.by_age)

    def remove(self, key: ObjectKey) -> None:
        self.admitted.pop(key, None)
        self.unknown.pop(key, None)

    def oldest(self) -> ObjectKey | None:
        while self.by_age and self.admitted.get(self.by_age[0][2]) is not self.by_age[0][0]:
            heapq.heappop(self.by_age)
        return self.by_age[0][2] if self.by_age else None

    def __len__(self) -> int:
        return len(self.admitted) + len(self.unknown)

    def __iter__(self) -> Iterator[ObjectKey]:
        return chain(self.admitted, self.unknown)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the index has of a Release."""

    environment: str
    created: datetime
    admission: Admission
    service: ServiceKey | None


class ClaimIndex:
    """Services by Release and Releases by service, kept as Releases, Projects, Environments and labels of namespaces change."""

    def __init__(self, store: Store, labels: NamespaceLabels) -> None:
        """Follow the Releases of the store; call `refresh` for those whose Project, Environment, namespace or set has changed."""
        self._store = store
        self._labels = labels
        self._entries: dict[ObjectKey, _Entry] = {}
        self._claims: dict[ServiceKey, _ServiceClaims] = {}
        self._services_in: defaultdict[str, Counter[ServiceKey]] = defaultdict(Counter)
        self.counts = ReleaseCounter()
        self.on_change: Callable[[str, list[ObjectKey]], None] = lambda _environment, _releases: None
        """Called if a Release has got another target or admission: with its Environment, and with the Releases that this concerns."""
        store.on_release = self.refresh

    def refresh(self, facts: ReleaseFacts) -> None:
        """Compute again what a Release claims. A Release that its Environment does not admit claims nothing."""
        key, before = facts.key, self._entries.get(facts.key)
        admission, service = self._judge(facts)
        self.counts.put(facts, admission)
        after = _Entry(facts.environment, facts.created, admission, service)
        if before == after:
            return
        self._entries[key] = after
        concerned = self._withdraw(key, before) if before is not None else []
        if service is not None:
            self._services_in[facts.environment][service] += 1
            claims = self._claims.setdefault(service, _ServiceClaims())
            oldest = claims.oldest()
            claims.put(key, Claim(facts.created, str(key), admission is Admission.ADMITTED))
            if claims.oldest() != oldest or admission is Admission.UNKNOWN:
                concerned += islice(claims, _TOLD)
        self.on_change(facts.environment, list(dict.fromkeys((key, *concerned))))

    def forget(self, key: ObjectKey) -> None:
        """Remove a Release that was deleted."""
        entry = self._entries.pop(key, None)
        self.counts.remove(key)
        if entry is not None:
            self.on_change(entry.environment, list(dict.fromkeys(self._withdraw(key, entry))))

    def service_of(self, key: ObjectKey) -> ServiceKey | None:
        """Return the service that a Release claims."""
        entry = self._entries.get(key)
        return entry.service if entry is not None else None

    def admission(self, key: ObjectKey) -> Admission:
        """Return whether a Release may act, as far as that is known. The labels of some namespaces may be given up."""
        entry = self._entries.get(key)
        if entry is None or (entry.admission is Admission.UNKNOWN and self._labels.is_given_up(key.namespace)):
            return Admission.REFUSED
        return entry.admission

    def contenders(self, service: ServiceKey, release: ObjectKey, owner: ObjectKey | None = None) -> tuple[Claim, ...]:
        """Return the claims that decide whether a Release holds a service: its own, the oldest, the owner's of the running revision.

        And all of which it is not known whether they count, until they are given up.
        """
        claims = self._claims.get(service)
        if claims is None:
            return ()
        keys = dict.fromkeys((claims.oldest(), release, owner))
        known = [claims.admitted[key] for key in keys if key is not None and key in claims.admitted]
        return (*known, *(claim for key, claim in claims.unknown.items() if not self._labels.is_given_up(key.namespace)))

    def unknown_namespaces(self, service: ServiceKey) -> set[str]:
        """List the namespaces with a claim on a service whose labels are to be read before anything begins there."""
        claims = self._claims.get(service)
        return {key.namespace for key in claims.unknown} if claims is not None else set()

    def releases_of(self, service: ServiceKey) -> list[ObjectKey]:
        """List the Releases that claim a service."""
        return list(self._claims.get(service, ()))

    def services_in(self, environment: str) -> dict[ServiceKey, Access]:
        """Return the services of an Environment that Releases claim, and how to access them."""
        found = self._store.environments.get(environment)
        if not isinstance(found, Environment):
            return {}
        return dict.fromkeys(self._services_in.get(environment, ()), access_of(found))

    def _withdraw(self, key: ObjectKey, entry: _Entry) -> list[ObjectKey]:
        """Take back what a Release claims. Returns the Releases that this concerns: one of them may hold the service now."""
        if entry.service is None:
            return []
        services, claims = self._services_in[entry.environment], self._claims[entry.service]
        services[entry.service] -= 1
        if not services[entry.service]:
            del services[entry.service]
            if not services:
                del self._services_in[entry.environment]
        claims.remove(key)
        oldest = claims.oldest()
        if not claims:
            del self._claims[entry.service]
        return [*([oldest] if oldest is not None else ()), *islice(claims, _TOLD)]

    def _judge(self, facts: ReleaseFacts) -> tuple[Admission, ServiceKey | None]:
        """Return whether a Release may act in its Environment, and the service that it claims."""
        environment = self._store.environments.get(facts.environment)
        if not isinstance(environment, Environment):
            return Admission.REFUSED, None
        admission = self._by_namespace(environment, facts.key.namespace) if self._has_right_owner(facts) else Admission.REFUSED
        project = self._store.project(facts.key.namespace, facts.project)
        if admission is Admission.REFUSED or not isinstance(project, Project):
            return admission, None
        try:
            return admission, service_key(environment, project, facts.service)
        except Problem as problem:
            # What may be corrected in the Project is no refusal.
            return Admission.REFUSED if problem.reason == Reason.TARGET_NOT_ALLOWED else admission, None

    def _has_right_owner(self, facts: ReleaseFacts) -> bool:
        """Return whether the ReleaseSet that a Release names as its controller, if it names one, is there and has made it."""
        if not facts.owner_uid:
            return True
        its_set = self._store.sets.get(ObjectKey(RELEASE_SET, facts.key.namespace, facts.release_set))
        if its_set is None or its_set.uid != facts.owner_uid:
            return False
        place = (its_set.project, its_set.environment)
        return is_child(its_set.key.name, place, facts.key.name, (facts.project, facts.environment), facts.service)

    def _by_namespace(self, environment: Environment, namespace: str) -> Admission:
        known = self._labels.known(namespace)
        if known is None and selects_by_label(environment):
            return Admission.UNKNOWN
        return Admission.ADMITTED if namespace_allowed(environment, namespace, known.labels if known else None) else Admission.REFUSED
