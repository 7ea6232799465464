"""What the watch has reported: of Releases only the facts that decisions need; Projects and Environments whole, for there are few."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.store.fingerprint import fingerprint
from ecs_release.engine.store.last_transition import NEVER, LastTransition, last_transition
from ecs_release.engine.store.promotion_facts import OverduePromotion, overdue_promotion, proven_digests
from ecs_release.engine.store.status_facts import artifact_warning, controller, drift_time, says_overdue, shared, shown_by

log = logging.getLogger(__name__)

_CLAIMS = 10
# What reading an object raises that is not as its CRD says: one that is older than the CRD, or was written past it.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What the engine keeps of a Release between two passes."""

    key: ObjectKey
    uid: str
    created: datetime
    project: str
    service: str
    environment: str
    fingerprint: int
    phase: str = ""
    ready: str = ""
    in_flight: bool = False
    release_set: str = ""
    """Name of the ReleaseSet that is its controller, as it says itself."""
    owner_uid: str = ""
    """The uid of that ReleaseSet, as it says itself."""
    reason: str = ""
    conditions: tuple[tuple[str, str], ...] = ()
    """Type and status of each. One tuple is shared by all Releases with equal conditions."""
    last_transition: LastTransition = NEVER
    artifact_warning: str = ""
    """Reason of ArtifactAvailable if it is a warning."""
    proven: int = 0
    """A number for the digests that it proves to run; 0: it proves nothing."""
    overdue: OverduePromotion | None = None
    shown_by: tuple[str, ...] = ()
    """The kinds of sinks that show its latest attempt as it is."""
    says_overdue: bool = False
    drift_time: str = ""
    """When its latest drift has begun or ended, as `LastTransition.time`."""


@dataclass(frozen=True, slots=True)
class SetStoreFacts:
    """What the engine keeps of a ReleaseSet between two passes."""

    key: ObjectKey
    uid: str
    project: str
    environment: str
    fingerprint: int
    last_transition: LastTransition = NEVER
    shown_by: tuple[str, ...] = ()
    """The kinds of sinks that show its latest deployment set as it is."""
    says_overdue: bool = False


@dataclass(frozen=True, slots=True)
class Invalid:
    """A Project or Environment that this version cannot parse, and why."""

    message: str


def release_facts(body: Mapping[str, Any]) -> ReleaseFacts:
    """Extract the facts of a Release as the API server sent it."""
    meta, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    rollout = status.get("rollout") or {}
    conditions = status.get("conditions") or ()
    ready: Mapping[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    owner = controller(meta)
    return ReleaseFacts(
        key=ObjectKey(RELEASE, meta["namespace"], meta["name"]),
        uid=meta["uid"],
        created=datetime.fromisoformat(meta["creationTimestamp"]),
        project=sys.intern(spec["projectRef"]["name"]),
        service=sys.intern(spec["service"]),
        environment=sys.intern(spec["environmentRef"]["name"]),
        fingerprint=fingerprint(body),
        phase=sys.intern(status.get("phase", "")),
        ready=sys.intern(ready.get("status", "")),
        in_flight=bool(rollout) and not rollout.get("outcome"),
        release_set=owner.get("name", ""),
        owner_uid=owner.get("uid", ""),
        reason=sys.intern(ready.get("reason", "")),
        conditions=shared(tuple((sys.intern(c["type"]), sys.intern(c["status"])) for c in conditions)),
        last_transition=last_transition(status),
        artifact_warning=artifact_warning(conditions),
        proven=proven_digests(body),
        overdue=overdue_promotion(status),
        shown_by=shown_by(status),
        says_overdue=says_overdue(status),
        drift_time=drift_time(status),
    )


def set_facts(body: Mapping[str, Any]) -> SetStoreFacts:
    """Extract the facts of a ReleaseSet as the API server sent it."""
    meta, spec = body["metadata"], body["spec"]
    return SetStoreFacts(
        key=ObjectKey(RELEASE_SET, meta["namespace"], meta["name"]),
        uid=meta["uid"],
        project=sys.intern(spec["projectRef"]["name"]),
        environment=sys.intern(spec["environmentRef"]["name"]),
        fingerprint=fingerprint(body),
        last_transition=last_transition(body.get("status") or {}),
        shown_by=shown_by(body.get("status") or {}),
        says_overdue=says_overdue(body.get("status") or {}),
    )


class Store:
    """Everything that the watch has reported, by key."""

    def __init__(self) -> None:
        """Start empty."""
        self.on_transition: Callable[[ReleaseFacts | SetStoreFacts, str, Mapping[str, Any]], None] = lambda _facts, _since, _body: None
        """Called if a status has new transitions: with the facts, the time of the last transition before, and the object."""
        self.on_release: Callable[[ReleaseFacts], None] = lambda _facts: None
        """Called with the facts of each Release that is stored."""
        self.on_promotion: Callable[[ReleaseFacts | None, ReleaseFacts], None] = lambda _before, _facts: None
        """Called if what a Release proves, or its overdue promotion, has changed: with its facts before and now."""
        self.on_status: Callable[[ReleaseFacts | SetStoreFacts], None] = lambda _facts: None
        """Called with the facts of an object whose status says something new about a deployment."""
        self.releases: dict[ObjectKey, ReleaseFacts] = {}
        self.sets: dict[ObjectKey, SetStoreFacts] = {}
        self.projects: dict[ObjectKey, Project | Invalid] = {}
        self.environments: dict[str, Environment | Invalid] = {}
        self._uids: dict[ObjectKey, str] = {}
        self._generations: dict[ObjectKey, tuple[str, int]] = {}
        self._of_environment: dict[str, set[ObjectKey]] = defaultdict(set)
        self._of_project: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._of_namespace: dict[str, set[ObjectKey]] = defaultdict(set)
        self._of_set: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._of_service: dict[tuple[str, str, str], dict[str, set[ObjectKey]]] = defaultdict(lambda: defaultdict(set))
        self._sets_of: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._using: dict[str, set[tuple[str, str, str]]] = defaultdict(set)

    def changed(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Store an object. Return whether anything changed that a pass reads."""
        meta = body["metadata"]
        key = ObjectKey(kind, meta.get("namespace", ""), meta["name"])
        self._uids[key] = meta["uid"]
        if kind in (RELEASE, RELEASE_SET):
            return self._take_in(kind, key, body)
        version = (meta["uid"], meta.get("generation", 0))
        if self._generations.get(key) == version:
            return False
        self._generations[key] = version
        if kind == PROJECT:
            self._unlist_images(key)
            self.projects[key] = _parse(Project, key, body)
            for repository, service in _images(self.projects[key]):
                self._using[repository].add((key.namespace, key.name, service))
        elif kind == ENVIRONMENT:
            self.environments[key.name] = _parse(Environment, key, body)
        return True

    def _take_in(self, kind: str, key: ObjectKey, body: Mapping[str, Any]) -> bool:
        """Store the facts of a Release or a ReleaseSet. Those of one that cannot be read stay: a pass says why in its status."""
        try:
            if kind == RELEASE:
                return self._changed_release(release_facts(body), body)
            return self._changed_set(set_facts(body), body)
        except _UNREADABLE as error:
            log.warning("cannot read %s %s: %s: %s", kind, key, type(error).__name__, error, extra={"object": str(key)})
            if (before := self.releases.get(key) or self.sets.get(key)) and before.uid != self._uids[key]:
                self._drop(key)  # They are those of another object of that name.
            return True

    def knows(self, key: ObjectKey) -> bool:
        """Return whether the watch has told of an object, and not of its deletion."""
        return key in self._uids

    def deleted(self, key: ObjectKey) -> None:
        """Forget an object."""
        self._uids.pop(key, None)
        self._generations.pop(key, None)
        self._drop(key)

    def _drop(self, key: ObjectKey) -> None:
        if key.kind == RELEASE:
            facts = self.releases.pop(key, None)
            if facts is not None:
                self._unlist(facts)
        elif key.kind == RELEASE_SET:
            its_set = self.sets.pop(key, None)
            if its_set is not None:
                self._unlist_set(its_set)
        elif key.kind == PROJECT:
            self._unlist_images(key)
            self.projects.pop(key, None)
        elif key.kind == ENVIRONMENT:
            self.environments.pop(key.name, None)

    def wrote(self, body: Mapping[str, Any]) -> None:
        """Take in our own write, so that the watch's echo of it is no news."""
        if body["kind"] == RELEASE_SET:
            if (found := set_facts(body)).key in self.sets:
                self._changed_set(found, body)
            return
        facts = release_facts(body)
        if facts.key in self.releases:
            self._changed_release(facts, body)

    def known(self, kind: str) -> Iterable[tuple[str, str, str]]:
        """List (namespace, name, uid) of all objects of a kind."""
        return [(k.namespace, k.name, uid) for k, uid in self._uids.items() if k.kind == kind]

    def count(self, kind: str) -> int:
        """Count the objects of a kind."""
        return sum(k.kind == kind for k in self._uids)

    def project(self, namespace: str, name: str) -> Project | Invalid | None:
        """Find a Project."""
        return self.projects.get(ObjectKey(PROJECT, namespace, name))

    def of_environment(self, name: str) -> list[ReleaseFacts]:
        """List the Releases of an Environment."""
        return [self.releases[key] for key in self._of_environment.get(name, ())]

    def of_project(self, namespace: str, name: str) -> list[ReleaseFacts]:
        """List the Releases of a Project's services."""
        return [self.releases[key] for key in self._of_project.get(ObjectKey(PROJECT, namespace, name), ())]

    def count_of_project(self, key: ObjectKey) -> int:
        """Count the Releases of a Project's services."""
        return len(self._of_project.get(key, ()))

    def of_service(self, namespace: str, project: str, service: str) -> list[ReleaseFacts]:
        """List the Releases of a Project's service, in all Environments."""
        return [self.releases[key] for keys in self._of_service.get((namespace, project, service), {}).values() for key in keys]

    def of_service_in(self, environment: str, namespace: str, project: str, service: str) -> list[ReleaseFacts]:
        """List the Releases of a Project's service in an Environment, at most ten of them: one holds the service."""
        keys = self._of_service.get((namespace, project, service), {}).get(environment, ())
        return [self.releases[key] for key in islice(keys, _CLAIMS)]

    def promotes_from(self, environment: str) -> str:
        """Return the Environment that an Environment is promoted from; empty if none is known."""
        found = self.environments.get(environment)
        return found.spec.promotion.from_.name if isinstance(found, Environment) and found.spec.promotion is not None else ""

    def services_using(self, repository: str) -> list[tuple[str, str, str]]:
        """List the services that use a repository: namespace, Project and service."""
        return list(self._using.get(repository, ()))

    def of_namespace(self, namespace: str) -> list[ReleaseFacts]:
        """List the Releases in a namespace."""
        return [self.releases[key] for key in self._of_namespace.get(namespace, ())]

    def of_set(self, key: ObjectKey) -> list[ReleaseFacts]:
        """List the Releases that name a ReleaseSet as their controller."""
        return [self.releases[child] for child in self._of_set.get(key, ())]

    def services_of(self, environment: str) -> frozenset[tuple[str, str, str]]:
        """List the services that have a Release in an Environment: namespace, Project and service."""
        return frozenset((r.key.namespace, r.project, r.service) for r in self.of_environment(environment))

    def has_service(self, identity: tuple[str, str, str, str]) -> bool:
        """Return whether a service has a Release: Environment, namespace, Project and service."""
        environment, *service = identity
        return bool(self.of_service_in(environment, *service))

    @staticmethod
    def project_key(facts: ReleaseFacts) -> ObjectKey:
        """Return the key of the Project that a Release refers to."""
        return ObjectKey(PROJECT, facts.key.namespace, facts.project)

    def sets_of(self, key: ObjectKey) -> list[ObjectKey]:
        """List the ReleaseSets that refer to a Project or an Environment."""
        return list(self._sets_of.get(key, ()))

    def _changed_set(self, facts: SetStoreFacts, body: Mapping[str, Any]) -> bool:
        before, self.sets[facts.key] = self.sets.get(facts.key), facts
        if before is not None and before.uid != facts.uid:
            self._unlist_set(before)
        for key in _referred(facts):
            self._sets_of[key].add(facts.key)
        self._notify(before, facts, body)
        if before is not None and before.fingerprint != facts.fingerprint:
            self.on_status(facts)
        return before is None or before.fingerprint != facts.fingerprint

    def _notify(self, before: ReleaseFacts | SetStoreFacts | None, facts: ReleaseFacts | SetStoreFacts, body: Mapping[str, Any]) -> None:
        if before is not None and before.uid == facts.uid and before.last_transition.sum != facts.last_transition.sum:
            self.on_transition(facts, before.last_transition.time, body)

    def _changed_release(self, facts: ReleaseFacts, body: Mapping[str, Any]) -> bool:
        before = self.releases.get(facts.key)
        self.releases[facts.key] = facts
        if before is not None and before.uid != facts.uid:
            self._unlist(before)
        self._of_environment[facts.environment].add(facts.key)
        self._of_project[self.project_key(facts)].add(facts.key)
        self._of_namespace[facts.key.namespace].add(facts.key)
        self._of_service[(facts.key.namespace, facts.project, facts.service)][facts.environment].add(facts.key)
        if before is not None and before.release_set != facts.release_set:
            _discard(self._of_set, _set_key(before), facts.key)
        if facts.release_set:
            self._of_set[_set_key(facts)].add(facts.key)
        self.on_release(facts)
        if before is None or (before.proven, before.in_flight, before.overdue) != (facts.proven, facts.in_flight, facts.overdue):
            self.on_promotion(before, facts)
        self._notify(before, facts, body)
        if before is not None and _standing(before) != _standing(facts):
            self.on_status(facts)
        return before is None or before.fingerprint != facts.fingerprint

    def _unlist(self, facts: ReleaseFacts) -> None:
        """Take a Release out of the lists, and drop those that are empty: names in specs are anybody's."""
        _discard(self._of_environment, facts.environment, facts.key)
        _discard(self._of_project, self.project_key(facts), facts.key)
        _discard(self._of_namespace, facts.key.namespace, facts.key)
        _discard(self._of_set, _set_key(facts), facts.key)
        its_service = (facts.key.namespace, facts.project, facts.service)
        _discard(self._of_service[its_service], facts.environment, facts.key)
        if not self._of_service[its_service]:
            del self._of_service[its_service]

    def _unlist_set(self, facts: SetStoreFacts) -> None:
        for key in _referred(facts):
            _discard(self._sets_of, key, facts.key)

    def _unlist_images(self, key: ObjectKey) -> None:
        for repository, service in _images(self.projects.get(key)):
            _discard(self._using, repository, (key.namespace, key.name, service))


def _standing(facts: ReleaseFacts) -> tuple[object, ...]:
    """Return what views show of a Release, not its task counts; and which show it, for one may show what another has found out."""
    return facts.last_transition, facts.phase, facts.reason, facts.in_flight, facts.conditions, facts.overdue, facts.shown_by


def _set_key(facts: ReleaseFacts) -> ObjectKey:
    return ObjectKey(RELEASE_SET, facts.key.namespace, facts.release_set)


def _referred(facts: SetStoreFacts) -> tuple[ObjectKey, ObjectKey]:
    """Return the keys of the Project and the Environment that a ReleaseSet refers to."""
    return ObjectKey(PROJECT, facts.key.namespace, facts.project), ObjectKey(ENVIRONMENT, "", facts.environment)


def _images(project: Project | Invalid | None) -> set[tuple[str, str]]:
    """List repositories and the services of a Project that use them."""
    if not isinstance(project, Project):
        return set()
    return {(c.repository, name) for name, (_, service) in project.spec.by_service.items() for c in service.containers}


_K = TypeVar("_K")
_V = TypeVar("_V")


def _discard(lists: dict[_K, set[_V]], name: _K, key: _V) -> None:
    listed = lists.get(name)
    if listed is not None:
        listed.discard(key)
        if not listed:
            del lists[name]


_Model = TypeVar("_Model", Project, Environment)


def _parse(model: type[_Model], key: ObjectKey, body: Mapping[str, Any]) -> _Model | Invalid:
    try:
        return read_object(model, body)
    except Blocked as problem:
        log.warning("%s", problem.message, extra={"object": str(key)})
        return Invalid(problem.message)
