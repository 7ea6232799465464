"""Client-side rate limits: a token bucket for each account, region and row of AWS's table of request rates, at half of them by default.

Rates: Amazon ECS API reference, "Request throttling for the Amazon ECS API". The other half is left to consoles, CI and other clients.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.protocols import Clock, Priority


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls in a burst, and calls a second."""

    burst: float
    per_s: float


SERVICE_READ, SERVICE_MODIFY = "service-read", "service-modify"
TASK_DEFINITION_READ, TASK_DEFINITION_MODIFY = "task-definition-read", "task-definition-modify"
SERVICE_DEPLOYMENT_READ, CLUSTER_RESOURCE_READ = "service-deployment-read", "cluster-resource-read"
REGISTRY_READ, REGISTRY_MODIFY, IMAGE_READ, IDENTITY = "registry-read", "registry-modify", "image-read", "identity"
QUEUE, TOPIC, EVENT_BUS = "queue", "topic", "event-bus"
LEDGER_READ, LEDGER_WRITE, LEDGER_TABLE = "ledger-read", "ledger-write", "ledger-table"

RATES = {
    SERVICE_READ: Rate(100, 20),
    SERVICE_MODIFY: Rate(50, 5),
    TASK_DEFINITION_READ: Rate(50, 20),
    TASK_DEFINITION_MODIFY: Rate(20, 1),
    SERVICE_DEPLOYMENT_READ: Rate(50, 20),
    CLUSTER_RESOURCE_READ: Rate(100, 20),
    # Not in the table: ECR publishes no rate for DescribeImages, STS none for GetCallerIdentity.
    REGISTRY_READ: Rate(200, 100),
    # ECR user guide, "Amazon ECR service quotas": 10 PutImage and 2000 BatchGetImage a second; it names no bursts.
    REGISTRY_MODIFY: Rate(10, 10),
    IMAGE_READ: Rate(2000, 2000),
    IDENTITY: Rate(50, 20),
    # Amazon SQS developer guide, "Amazon SQS message quotas": standard queues take nearly any number; this only bounds a mistake of ours.
    QUEUE: Rate(200, 100),
    # Both differ by region: these are the least of them. Amazon SNS endpoints and quotas, "API throttling": 300 messages a second to
    # standard topics. Amazon EventBridge user guide, "EventBridge quotas": 400 PutEvents a second. They name no bursts.
    TOPIC: Rate(300, 300),
    EVENT_BUS: Rate(400, 400),
    # Amazon DynamoDB developer guide, "Designing partition keys to distribute your workload": a partition takes 1,000 write and 3,000 read
    # units a second. Every entry goes to the one partition of index by-time, at a unit a KB: nearly always one or two. A consistent read of
    # a record is a unit for 4 KB. What is done to tables is rare: the last only bounds a mistake of ours.
    LEDGER_WRITE: Rate(250, 250),
    LEDGER_READ: Rate(750, 750),
    LEDGER_TABLE: Rate(10, 10),
}

# All shards may read the same registry, and all write the same ledger: each shard gets an equal part of these rates.
SHARED = frozenset({REGISTRY_READ, REGISTRY_MODIFY, IMAGE_READ, LEDGER_READ, LEDGER_WRITE, LEDGER_TABLE})

_SLOWEST, _SLOW_DOWN, _RECOVERY_S = 0.05, 0.5, 60.0
_SLOWED_S = 1.0
"""Concurrent calls fail together: slow down once for all of them."""


class Bucket:
    """A token bucket. It slows down on throttling and recovers within a minute."""

    def __init__(self, rate: Rate, share: float, now: float) -> None:
        """`share` of the rate is used; the burst is at least one."""
        self._burst = max(1.0, rate.burst * share)
        self._per_s = rate.per_s * share
        self._factor = 1.0
        self._tokens = self._burst
        self._at = now
        self._slowed_at = float("-inf")

    def take(self, now: float) -> float:
        """Take a token and return 0, or return how many seconds to wait before trying again."""
        self._fill(now)
        if self._tokens >= 1.0 - 1e-9:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / (self._per_s * self._factor)

    def slow_down(self, now: float) -> None:
        """Halve the rate and drop the burst, because AWS throttled a call or failed. At most once a second."""
        self._fill(now)
        if now - self._slowed_at < _SLOWED_S:
            return
        self._slowed_at = now
        self._factor = max(_SLOWEST, self._factor * _SLOW_DOWN)
        self._tokens = min(self._tokens, 1.0)

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        self._tokens = min(self._burst, self._tokens + passed * self._per_s * self._factor)
        self._factor = min(1.0, self._factor + passed / _RECOVERY_S)


OnWait: TypeAlias = Callable[[str, str, str, float], None]
"""Called after every wait for a token, successful or not: account, region, row, seconds waited."""


def ignore_wait(account: str, region: str, row: str, seconds: float) -> None:
    """Do nothing."""


class RateLimiter:
    """Lets calls wait for tokens of one bucket: by priority, then in order of arrival."""

    def __init__(self, bucket: Bucket, clock: Clock, deadline_s: float, waited: Callable[[float], None] = lambda _: None) -> None:
        """A call waits at most `deadline_s`. `waited` is called after each wait, successful or not, with its seconds."""
        self._waited = waited
        self._bucket = bucket
        self._clock = clock
        self._deadline_s = deadline_s
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._server: asyncio.Task[None] | None = None

    async def acquire(self, priority: Priority, what: str) -> None:
        """Wait for a token. Raises Retryable if there is none in time."""
        begun = self._clock.monotonic()
        try:
            await self._take_turn(priority, what)
        finally:
            self._waited(self._clock.monotonic() - begun)

    async def _take_turn(self, priority: Priority, what: str) -> None:
        if not self._waiting and self._bucket.take(self._clock.monotonic()) == 0.0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), future))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(self._deadline_s):
                await future
        except TimeoutError:
            raise Retryable(f"{what}: no turn within {self._deadline_s:.0f} s: AWS's request rate is used up") from None

    def slow_down(self) -> None:
        """Lower the rate, because AWS throttled a call or could not answer it."""
        self._bucket.slow_down(self._clock.monotonic())

    async def _serve(self) -> None:
        while self._waiting:
            if self._waiting[0][2].done():
                heapq.heappop(self._waiting)
                continue
            wait = self._bucket.take(self._clock.monotonic())
            if wait:
                await asyncio.sleep(wait)
                continue
            heapq.heappop(self._waiting)[2].set_result(None)


class Pacing:
    """All rate limiters, by account, region and row of the table."""

    def __init__(
        self, clock: Clock, share: float = 0.5, deadline_s: float = 60, on_wait: OnWait = ignore_wait, *, operators: int = 1
    ) -> None:
        """`share` of AWS's published rates is used; rates that all shards share are divided by the number of `operators`."""
        self._on_wait = on_wait
        self._clock = clock
        self._operators = operators
        self._share = share
        self._deadline_s = deadline_s
        self._limiters: dict[tuple[str, str, str], RateLimiter] = {}

    def limiter(self, account: str, region: str, row: str) -> RateLimiter:
        """Return the limiter of one row."""
        key = (account, region, row)
        if key not in self._limiters:
            share = self._share / (self._operators if row in SHARED else 1)
            bucket = Bucket(RATES[row], share, self._clock.monotonic())
            self._limiters[key] = RateLimiter(bucket, self._clock, self._deadline_s, partial(self._on_wait, account, region, row))
        return self._limiters[key]
