"""Leader election by a Lease (coordination.k8s.io/v1): one process of a shard is the active one, and knows for certain how long.

The rules are client-go's (tools/leaderelection). A candidate takes over where nobody holds the Lease, or where it has seen the record
unchanged for the holder's whole lease duration. Nobody ever compares the clocks of two machines: times in the record are for people.

Holding ends for the holder itself at the renew deadline, counted from when its last successful renewal was sent, some seconds before
anybody may take over; `check` is the fence that asks for it right before each change. kubernetes.aio's own leaderelection writes naive
local times, measures with a clock that may be set, and has no fence.
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
from ecs_release.cluster.client import ApiServer
from ecs_release.domain.errors import Conflict, NotFound, NotLeading, Problem

log = logging.getLogger(__name__)

_RELEASE_S = 3.0


class LeaseLost(RuntimeError):
    """The process held the Lease and does no longer: it must end, and be started anew."""


def since_boot() -> float:
    """Return seconds that never go back, and go on while the machine sleeps (where the system has such a clock)."""
    number = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if number is None else time.clock_gettime(number)


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds, by default client-go's: duration > renew deadline > retry."""

    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


class Elector:
    """One candidate for one Lease. It is the fence of all that its process changes."""

    def __init__(
        self, server: ApiServer, namespace: str, name: str, identity: str, timing: Timing, clock: Callable[[], float] = since_boot
    ) -> None:
        """`identity` is this process's alone, restarts included."""
        self._server = server
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.name = name
        self._namespace = namespace
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._lease: Mapping[str, Any] | None = None
        self._observed: tuple[Mapping[str, Any], float] = ({}, 0.0)
        self._held_until = float("-inf")
        self._said = ""

    def held(self) -> bool:
        """Tell whether this process is certainly the only active one. May be asked from any thread."""
        return self._clock() < self._held_until

    def check(self, what: str) -> None:
        """Raise NotLeading where this process may not change anything (any more)."""
        if not self.held():
            raise NotLeading(f"{what} was not sent: this process does not hold Lease {self._namespace}/{self.name} (any more)")

    async def run(self, leading: asyncio.Event) -> None:
        """Wait for the Lease, set `leading`, and renew until cancelled. Raises LeaseLost once it is held no longer."""
        await self._acquire()
        log.info("this process is the active one: it holds Lease %s/%s as %s", self._namespace, self.name, self._identity)
        leading.set()
        while self.held():
            await asyncio.sleep(min(self._timing.retry_s, max(0.0, self._held_until - self._clock())))
            # Even where it could be had again: others may have held it meanwhile, and what is known here is old.
            if self.held() and not await self._attempt() and self._observed_holder() not in ("", self._identity):
                break
        self._held_until = float("-inf")
        raise LeaseLost(
            f"Lease {self._namespace}/{self.name} is lost: it was not renewed within {self._timing.renew_deadline_s:g} s, or somebody else"
            f" holds it ({self._observed_holder() or 'nobody'}); this process ends, to begin anew as a candidate"
        )

    async def _acquire(self) -> None:
        while True:
            if await self._attempt():
                return
            await asyncio.sleep(self._until_next_look())

    async def release(self) -> None:
        """Give the Lease up, so that the next one need not wait; changes nothing from now on. An API server that fails is no error."""
        held, self._held_until = self.held(), float("-inf")
        if not held:
            return
        try:
            async with asyncio.timeout(_RELEASE_S):
                # Read anew: a renewal that was cancelled may have been carried out.
                self._lease = await self._server.request("GET", f"{self._collection}/{self.name}")
                spec = self._lease.get("spec") or {}
                if spec.get("holderIdentity") == self._identity:
                    await self._put({**spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": to_microtime(datetime.now(UTC))})
                    log.info("released Lease %s/%s", self._namespace, self.name)
        except (Problem, Conflict, NotFound, TimeoutError) as problem:
            log.warning("Lease %s/%s was not released, others wait until it ends: %s", self._namespace, self.name, problem)

    async def _attempt(self) -> bool:
        """Try once to take or renew the Lease, for at most half the renew deadline. Tells whether this process holds it now."""
        begun = self._clock()
        half = self._timing.renew_deadline_s / 2
        try:
            async with asyncio.timeout(min(half, self._held_until - begun) if self.held() else half):
                written = await self._take()
        except (Problem, Conflict, NotFound, TimeoutError) as problem:
            # A Conflict is somebody else who was faster, or an earlier write of ours whose answer was lost: read again.
            self._lease = None
            self._say(f"it cannot be had or renewed at present: {type(problem).__name__} {problem}", logging.WARNING)
            return False
        if written:
            self._said = ""
            self._held_until = begun + self._timing.renew_deadline_s
        return written

    async def _take(self) -> bool:
        """Write ourselves into the Lease where that is allowed."""
        if self._lease is None or not self.held():
            try:
                self._lease = await self._server.request("GET", f"{self._collection}/{self.name}")
            except NotFound:
                self._lease = await self._server.request("POST", self._collection, body=self._body({}), fenced=False)
                return True
        spec = self._lease.get("spec") or {}
        if spec != self._observed[0]:
            self._observed = (spec, self._clock())
        if self._observed_holder() not in ("", self._identity) and self._left() > 0:
            self._say(f"held by {self._observed_holder()}")
            return False
        await self._put(self._spec(spec))
        self._observed = (self._lease["spec"], self._clock())
        return True

    async def _put(self, spec: Mapping[str, Any]) -> None:
        assert self._lease is not None
        self._lease = await self._server.request("PUT", f"{self._collection}/{self.name}", body={**self._lease, "spec": spec}, fenced=False)

    def _body(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        metadata = {"name": self.name, "namespace": self._namespace}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": self._spec(spec)}

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

    def _observed_holder(self) -> str:
        return str(self._observed[0].get("holderIdentity") or "")

    def _left(self) -> float:
        """For how many seconds nobody may take over: by the longer of the holder's duration and ours."""
        spec, seen = self._observed
        return seen + max(self._timing.duration_s, float(spec.get("leaseDurationSeconds") or 0)) - self._clock()

    def _until_next_look(self) -> float:
        """Return for how many seconds to sleep: jittered, so that candidates do not march in step, and never past the lease's end."""
        pause = self._timing.retry_s * random.uniform(0.8, 1.2)  # noqa: S311
        held = self._observed_holder() not in ("", self._identity)
        return min(pause, max(0.05, self._left())) if held else pause

    def _say(self, what: str, level: int = logging.INFO) -> None:
        """Log what keeps us from holding it, once."""
        if what != self._said:
            self._said = what
            log.log(level, "Lease %s/%s: %s", self._namespace, self.name, what)
