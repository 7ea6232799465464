"""Leader election by a Lease (coordination.k8s.io/v1): one process of each shard is active, until a time that it knows.

The rules are client-go's (tools/leaderelection). A candidate takes over if nobody holds the Lease, or if the record has not changed for
the holder's whole lease duration. The clocks of two machines are never compared: times in the record are for people.

For the holder itself, holding ends at the renew deadline, counted from when its last successful renewal was sent, some seconds before
another process may take over; `check` is the fence, called right before each change. kubernetes.aio's own leaderelection writes naive
local times, measures with a clock that may be set, and has no fence.

Beyond client-go, the Lease has a digest of the table of shards, which must be the same for all operators of an installation. A process
that has taken a Lease reads the others before it acts, and waits while one is held with another digest. As it writes before it reads, of
two that start together at least one sees the other.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.meta import to_microtime
from ecs_release.api.names import GROUP
from ecs_release.cluster.api_server import ApiServer
from ecs_release.domain.model.api_paths import group_path
from ecs_release.domain.model.errors import Conflict, NotFound, NotLeading, Problem

log = logging.getLogger(__name__)

_RELEASE_S = 3.0
_INSTALLATION, _SHARDS = f"{GROUP}/installation", f"{GROUP}/shards"


class LeaseLost(RuntimeError):
    """The process has lost the Lease: it must end, and be restarted."""


def since_boot() -> float:
    """Return seconds of a monotonic clock that includes suspend (if the system has such a clock)."""
    number = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if number is None else time.clock_gettime(number)


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds, by default client-go's: duration > renew deadline > retry."""

    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Candidacy:
    """A candidate for a Lease: `identity` is unique to this process, across restarts; `shards` is the digest of the table of shards."""

    namespace: str
    installation: str
    shard: str
    shards: str
    identity: str

    @property
    def lease(self) -> str:
        """The Lease's name, which is unique because neither part contains a dot."""
        return f"ecs-release.{self.installation}.{self.shard}"


class Elector:
    """One candidate for one Lease. It is the fence of all changes that its process makes."""

    def __init__(self, server: ApiServer, candidacy: Candidacy, timing: Timing, clock: Callable[[], float] = since_boot) -> None:
        """Nothing is held before `run`."""
        self._server = server
        self._collection = group_path("coordination.k8s.io", "namespaces", candidacy.namespace, "leases")
        self._path = self._collection.below(candidacy.lease)
        self._name = f"{candidacy.namespace}/{candidacy.lease}"
        self._candidacy = candidacy
        self._identity = candidacy.identity
        self._timing = timing
        self._clock = clock
        self._lease: Mapping[str, Any] | None = None
        self._observed: tuple[Mapping[str, Any], float] = ({}, 0.0)
        self._held_until = float("-inf")
        self._taken = self._agreed = False
        self._others: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._last_logged = ""

    def held(self) -> bool:
        """Return whether this process is certainly the only active one. May be called from any thread."""
        return self._agreed and self._renewed()

    def check(self, what: str) -> None:
        """Raise NotLeading if this process may not change anything (any more)."""
        if not self.held():
            raise NotLeading(f"{what} was not sent: this process does not hold Lease {self._name} (any more)")

    async def run(self, leading: asyncio.Event) -> None:
        """Wait for the Lease, set `leading`, and renew until cancelled. Raises LeaseLost once it is held no longer."""
        await self._acquire()
        self._taken = True
        while self._renewed():
            if not self._agreed and await self._agrees():
                self._agreed = True
                log.info("this process is the active one: it holds Lease %s as %s", self._name, self._identity)
                leading.set()
            await asyncio.sleep(min(self._timing.retry_s, max(0.0, self._held_until - self._clock())))
            # Once it has expired it is lost, even if it could be taken again: others may have held it, and the state here is stale.
            if self._renewed() and not await self._attempt() and self._observed_holder() != self._identity:
                break
        self._held_until = float("-inf")
        raise LeaseLost(
            f"Lease {self._name} is lost: it was not renewed within {self._timing.renew_deadline_s:g} s, or somebody else"
            f" holds it ({self._observed_holder() or 'nobody'}); this process ends, to begin anew as a candidate"
        )

    async def _acquire(self) -> None:
        while True:
            if await self._attempt():
                return
            await asyncio.sleep(self._until_next_look())

    async def release(self) -> None:
        """Release the Lease, so that the next process need not wait. Nothing is changed from now on. A failure is only logged."""
        held, self._held_until = self._renewed(), float("-inf")
        if not held:
            return
        try:
            async with asyncio.timeout(_RELEASE_S):
                # Read again: a renewal that was cancelled may have been carried out.
                self._lease = await self._server.request("GET", self._path)
                spec = self._lease.get("spec") or {}
                if spec.get("holderIdentity") == self._identity:
                    await self._put({**spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": to_microtime(datetime.now(UTC))})
                    log.info("released Lease %s", self._name)
        except (Problem, Conflict, NotFound, TimeoutError) as problem:
            log.warning("Lease %s was not released, others wait until it ends: %s", self._name, problem)

    async def _attempt(self) -> bool:
        """Try once to take or renew the Lease, for at most half the renew deadline. Returns whether this process holds it now."""
        begun = self._clock()
        half = self._timing.renew_deadline_s / 2
        try:
            async with asyncio.timeout(min(half, self._held_until - begun) if self._renewed() else half):
                written = await self._take()
        except (Problem, Conflict, NotFound, TimeoutError) as problem:
            # A Conflict means that another process was faster, or that the answer to an earlier write of ours was lost: read again.
            self._lease = None
            self._log_once(f"it cannot be had or renewed at present: {type(problem).__name__} {problem}", logging.WARNING)
            return False
        if written:
            self._last_logged = ""
            self._held_until = begun + self._timing.renew_deadline_s
        return written

    async def _take(self) -> bool:
        """Write this process into the Lease if that is allowed."""
        if self._lease is None or not self._renewed():
            try:
                self._lease = await self._server.request("GET", self._path)
            except NotFound:
                self._lease = await self._server.request(
                    "POST", self._collection, body=self._body({"kind": "Lease"}, self._spec({})), fenced=False
                )
                self._observed = (self._lease["spec"], self._clock())
                return True
        spec = self._lease.get("spec") or {}
        if spec != self._observed[0]:
            self._observed = (spec, self._clock())
        holder = self._observed_holder()
        if holder != self._identity and (self._taken or (holder and self._left() > 0)):
            self._log_once(f"held by {holder or 'nobody'}")
            return False
        await self._put(self._spec(spec))
        self._observed = (self._lease["spec"], self._clock())
        return True

    async def _put(self, spec: Mapping[str, Any]) -> None:
        assert self._lease is not None
        self._lease = await self._server.request("PUT", self._path, body=self._body(self._lease, spec), fenced=False)

    def _body(self, before: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        meta = before.get("metadata") or {"name": self._candidacy.lease, "namespace": self._candidacy.namespace}
        labels = {**(meta.get("labels") or {}), _INSTALLATION: self._candidacy.installation}
        annotations = {**(meta.get("annotations") or {}), _SHARDS: self._candidacy.shards}
        metadata = {**meta, "labels": labels, "annotations": annotations}
        return {**before, "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}

    def _spec(self, before: Mapping[str, Any]) -> dict[str, Any]:
        now, again = to_microtime(datetime.now(UTC)), before.get("holderIdentity") == self._identity
        return {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.duration_s),
            "acquireTime": before.get("acquireTime", now) if again else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if before and not again else 0),
        }

    async def _agrees(self) -> bool:
        """Return whether all active operators have our table of shards; otherwise two might act on the same account."""
        query = [("labelSelector", f"{_INSTALLATION}={self._candidacy.installation}")]
        try:
            async with asyncio.timeout(self._timing.retry_s):
                found = await self._server.request("GET", self._collection, query=query)
        except (Problem, Conflict, NotFound, TimeoutError) as problem:
            self._log_once(f"it cannot be told whether other shards agree: {type(problem).__name__} {problem}", logging.WARNING)
            return False
        other = [lease["metadata"]["name"] for lease in found["items"] if self._disagrees(lease)]
        if other:
            self._log_once(
                f"waiting, for Lease {other[0]} is held by an operator with another table of shards: give all the same", logging.WARNING
            )
        return not other

    def _disagrees(self, lease: Mapping[str, Any]) -> bool:
        """Return whether a Lease is held with another table: not if its record has not changed for its duration, as for taking over."""
        meta, spec, now = lease["metadata"], lease.get("spec") or {}, self._clock()
        same = (meta.get("annotations") or {}).get(_SHARDS) == self._candidacy.shards
        if same or meta["name"] == self._candidacy.lease or not spec.get("holderIdentity"):
            return False
        before, seen = self._others.get(meta["name"], ({}, now))
        self._others[meta["name"]] = (spec, seen if before == spec else now)
        return before != spec or now - seen < self._longest(spec)

    def _renewed(self) -> bool:
        return self._clock() < self._held_until

    def _longest(self, spec: Mapping[str, Any]) -> float:
        """Return the longer of the holder's duration and ours."""
        return max(self._timing.duration_s, float(spec.get("leaseDurationSeconds") or 0))

    def _observed_holder(self) -> str:
        return str(self._observed[0].get("holderIdentity") or "")

    def _left(self) -> float:
        """Return for how many seconds nobody may take over."""
        spec, seen = self._observed
        return seen + self._longest(spec) - self._clock()

    def _until_next_look(self) -> float:
        """Return how many seconds to sleep: with jitter, so that candidates spread, and never past the end of the Lease."""
        pause = self._timing.retry_s * random.uniform(0.8, 1.2)  # noqa: S311
        held = self._observed_holder() not in ("", self._identity)
        return min(pause, max(0.05, self._left())) if held else pause

    def _log_once(self, what: str, level: int = logging.INFO) -> None:
        """Log why the Lease is not held, once for each reason."""
        if what != self._last_logged:
            self._last_logged = what
            log.log(level, "Lease %s: %s", self._name, what)
