"""What the watch has told, as few facts as decisions need: Releases slim, Projects and Environments whole (there are few)."""

from __future__ import annotations

import json
import logging
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, OUR_LABELS, PROJECT, RELEASE, RELEASE_SET, REQUEST_ANNOTATIONS
from ecs_release.api.project import Project
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.retention.image_availability import WARNED_OF

log = logging.getLogger(__name__)


class Happened(NamedTuple):
    """When something last happened that a status tells (RFC 3339, whole seconds; empty: never), and a sum of all that it tells."""

    time: str
    sum: int


NEVER = Happened("", 0)


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What the loop needs to know of a Release between two passes over it."""

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
    reason: str = ""
    conditions: tuple[tuple[str, str], ...] = ()
    """Type and status of each. Shared by all Releases that stand alike."""
    happened: Happened = NEVER
    artifact_warning: str = ""
    """Reason of ArtifactAvailable where it is one to be warned of."""


@dataclass(frozen=True, slots=True)
class SetStoreFacts:
    """What the loop needs to know of a ReleaseSet between two passes over it."""

    key: ObjectKey
    uid: str
    project: str
    environment: str
    fingerprint: int
    happened: Happened = NEVER


@dataclass(frozen=True, slots=True)
class Invalid:
    """A Project or Environment that this version cannot read, and why."""

    message: str


def _fingerprint(body: Mapping[str, Any]) -> int:
    """Sum up all that a pass looks at: an event that leaves this alone (our own write, a label) needs no pass."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    seen = (
        meta["uid"],
        meta.get("generation"),
        "deletionTimestamp" in meta,
        [annotations.get(name) for name in REQUEST_ANNOTATIONS],
        [(meta.get("labels") or {}).get(name) for name in OUR_LABELS],
        [owner["uid"] for owner in meta.get("ownerReferences") or ()],
        body.get("status"),
    )
    return zlib.crc32(json.dumps(seen, sort_keys=True, default=str).encode())


def _happened(status: Mapping[str, Any]) -> Happened:
    """Sum up the attempts (deployment sets) and the drift that a status tells of."""
    entries = status.get("history") or ()
    drift = status.get("lastDrift") or {}
    times = [e.get(name, "") for e in entries for name in ("startTime", "completionTime")]
    told = [(e.get("attemptID") or e.get("id"), e.get("outcome")) for e in entries], drift.get("startTime"), drift.get("endTime")
    last = max((*times, drift.get("startTime", ""), drift.get("endTime", "")))
    return Happened(last, zlib.crc32(repr(told).encode())) if last else NEVER


def _artifact_warning(conditions: Iterable[Mapping[str, Any]]) -> str:
    reason = next((c["reason"] for c in conditions if c["type"] == ConditionType.ARTIFACT_AVAILABLE), "")
    return sys.intern(reason) if reason in WARNED_OF else ""


@lru_cache(maxsize=1024)
def _shared(conditions: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the one tuple that all Releases share which stand alike: there are few, and thousands of Releases."""
    return conditions


def release_facts(body: Mapping[str, Any]) -> ReleaseFacts:
    """Take the facts out of a Release as the API server sent it."""
    meta, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    rollout = status.get("rollout") or {}
    conditions = status.get("conditions") or ()
    ready: Mapping[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    return ReleaseFacts(
        key=ObjectKey(RELEASE, meta["namespace"], meta["name"]),
        uid=meta["uid"],
        created=datetime.fromisoformat(meta["creationTimestamp"]),
        project=sys.intern(spec["projectRef"]["name"]),
        service=sys.intern(spec["service"]),
        environment=sys.intern(spec["environmentRef"]["name"]),
        fingerprint=_fingerprint(body),
        phase=sys.intern(status.get("phase", "")),
        ready=sys.intern(ready.get("status", "")),
        in_flight=bool(rollout) and not rollout.get("outcome"),
        release_set=next((o["name"] for o in meta.get("ownerReferences") or () if o.get("controller") and o["kind"] == RELEASE_SET), ""),
        reason=sys.intern(ready.get("reason", "")),
        conditions=_shared(tuple((sys.intern(c["type"]), sys.intern(c["status"])) for c in conditions)),
        happened=_happened(status),
        artifact_warning=_artifact_warning(conditions),
    )


def set_facts(body: Mapping[str, Any]) -> SetStoreFacts:
    """Take the facts out of a ReleaseSet as the API server sent it."""
    meta, spec = body["metadata"], body["spec"]
    return SetStoreFacts(
        key=ObjectKey(RELEASE_SET, meta["namespace"], meta["name"]),
        uid=meta["uid"],
        project=spec["projectRef"]["name"],
        environment=spec["environmentRef"]["name"],
        fingerprint=_fingerprint(body),
        happened=_happened(body.get("status") or {}),
    )


class Store:
    """Everything the watch has told, by key."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.on_happened: Callable[[ReleaseFacts | SetStoreFacts, str, Mapping[str, Any]], None] = lambda _facts, _since, _body: None
        """Told where a status says that something new has happened since a time: the facts, the time, and the object."""
        self.releases: dict[ObjectKey, ReleaseFacts] = {}
        self.sets: dict[ObjectKey, SetStoreFacts] = {}
        self.projects: dict[ObjectKey, Project | Invalid] = {}
        self.environments: dict[str, Environment | Invalid] = {}
        self._uids: dict[ObjectKey, str] = {}
        self._generations: dict[ObjectKey, tuple[str, int]] = {}
        self._of_environment: dict[str, set[ObjectKey]] = defaultdict(set)
        self._of_project: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)

    def changed(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Take in an object. Tell whether anything changed that a pass looks at."""
        meta = body["metadata"]
        key = ObjectKey(kind, meta.get("namespace", ""), meta["name"])
        self._uids[key] = meta["uid"]
        if kind == RELEASE:
            return self._changed_release(release_facts(body), body)
        if kind == RELEASE_SET:
            return self._changed_set(set_facts(body), body)
        version = (meta["uid"], meta.get("generation", 0))
        if self._generations.get(key) == version:
            return False
        self._generations[key] = version
        if kind == PROJECT:
            self.projects[key] = _parse(Project, key, body)
        elif kind == ENVIRONMENT:
            self.environments[key.name] = _parse(Environment, key, body)
        return True

    def deleted(self, key: ObjectKey) -> None:
        """Forget an object."""
        self._uids.pop(key, None)
        self._generations.pop(key, None)
        if key.kind == RELEASE:
            facts = self.releases.pop(key, None)
            if facts is not None:
                self._of_environment[facts.environment].discard(key)
                self._of_project[self.project_key(facts)].discard(key)
        elif key.kind == RELEASE_SET:
            self.sets.pop(key, None)
        elif key.kind == PROJECT:
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
        """List the Releases into an environment."""
        return [self.releases[key] for key in self._of_environment.get(name, ())]

    def of_project(self, namespace: str, name: str) -> list[ReleaseFacts]:
        """List the Releases of a Project's services."""
        return [self.releases[key] for key in self._of_project.get(ObjectKey(PROJECT, namespace, name), ())]

    def services_of(self, environment: str) -> frozenset[tuple[str, str, str]]:
        """List the services that have a Release in an environment: namespace, Project and service."""
        return frozenset((r.key.namespace, r.project, r.service) for r in self.of_environment(environment))

    def has_service(self, identity: tuple[str, str, str, str]) -> bool:
        """Tell whether a service has a Release: Environment, namespace, Project and service."""
        environment, namespace, project, service = identity
        return any((r.environment, r.service) == (environment, service) for r in self.of_project(namespace, project))

    @staticmethod
    def project_key(facts: ReleaseFacts) -> ObjectKey:
        """Name the Project that a Release refers to."""
        return ObjectKey(PROJECT, facts.key.namespace, facts.project)

    def sets_of(self, key: ObjectKey) -> list[ObjectKey]:
        """List the ReleaseSets that refer to a Project or an Environment."""
        if key.kind == PROJECT:
            return [s.key for s in self.sets.values() if (s.key.namespace, s.project) == (key.namespace, key.name)]
        return [s.key for s in self.sets.values() if s.environment == key.name] if key.kind == ENVIRONMENT else []

    def _changed_set(self, facts: SetStoreFacts, body: Mapping[str, Any]) -> bool:
        before, self.sets[facts.key] = self.sets.get(facts.key), facts
        self._tell(before, facts, body)
        return before is None or before.fingerprint != facts.fingerprint

    def _tell(self, before: ReleaseFacts | SetStoreFacts | None, facts: ReleaseFacts | SetStoreFacts, body: Mapping[str, Any]) -> None:
        if before is not None and before.uid == facts.uid and before.happened.sum != facts.happened.sum:
            self.on_happened(facts, before.happened.time, body)

    def _changed_release(self, facts: ReleaseFacts, body: Mapping[str, Any]) -> bool:
        before = self.releases.get(facts.key)
        self.releases[facts.key] = facts
        if before is not None and before.uid != facts.uid:
            self._of_environment[before.environment].discard(facts.key)
            self._of_project[self.project_key(before)].discard(facts.key)
        self._of_environment[facts.environment].add(facts.key)
        self._of_project[self.project_key(facts)].add(facts.key)
        self._tell(before, facts, body)
        return before is None or before.fingerprint != facts.fingerprint


_Model = TypeVar("_Model", Project, Environment)


def _parse(model: type[_Model], key: ObjectKey, body: Mapping[str, Any]) -> _Model | Invalid:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        log.warning("cannot read %s %s: %s at %s", key.kind, key, first["msg"], where)
        return Invalid(f"{key.kind} {key} cannot be read by this version: {first['msg']} at {where}")
