"""Token buckets: what they let through, how they slow down and recover, and who goes first."""

from __future__ import annotations

import asyncio

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ecs_release.aws.sessions.error_codes import overloaded
from ecs_release.aws.sessions.pacing import Bucket, Rate, RateLimiter
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.protocols import Priority
from tests.builders.simulated_time import SimulatedClock, run_simulated


def taken(bucket: Bucket, begin: float, seconds: float) -> int:
    """Count the tokens that are there to take in a while."""
    now, count = begin, 0
    while now <= begin + seconds:
        wait = bucket.take(now)
        count += wait == 0
        now += wait
    return count


@pytest.mark.parametrize(("share", "in_a_minute"), [(1.0, 100 + 60 * 20), (0.5, 50 + 60 * 10), (0.01, 1 + 12)])
def test_a_share_of_the_rate_is_used_and_no_more(share: float, in_a_minute: int) -> None:
    assert taken(Bucket(Rate(100, 20), share, 0.0), 0.0, 60.0) == pytest.approx(in_a_minute, abs=1)


def test_throttling_halves_the_rate_and_a_minute_later_it_is_whole_again() -> None:
    bucket = Bucket(Rate(10, 10), 1.0, 0.0)
    taken(bucket, 0.0, 10.0)
    bucket.slow_down(10.0)
    assert taken(bucket, 10.0, 2.0) == pytest.approx(2 * 5, abs=2)
    assert taken(bucket, 12.0, 60.0) > 60 * 5
    assert taken(bucket, 80.0, 10.0) == pytest.approx(10 + 10 * 10, abs=2)


def test_calls_that_fail_together_slow_down_once() -> None:
    bucket = Bucket(Rate(10, 10), 1.0, 0.0)
    taken(bucket, 0.0, 1.0)
    for _ in range(24):
        bucket.slow_down(1.0)
    assert taken(bucket, 1.0, 2.0) >= 2 * 5 - 1


def test_one_that_never_recovers_still_lets_something_through() -> None:
    bucket = Bucket(Rate(10, 10), 1.0, 0.0)
    for second in range(100):
        bucket.slow_down(float(second))
    assert taken(bucket, 100.0, 10.0) >= 5


def client_error(status: int, code: str = "X") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeServices")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "slows"),
    [
        (client_error(503), True),
        (client_error(500, "ServerException"), True),
        (TimeoutError(), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (client_error(400, "ClusterNotFoundException"), False),
        (client_error(403, "AccessDenied"), False),
        (ConnectionRefusedError(), False),
    ],
)
def test_what_says_that_aws_cannot_keep_up(error: Exception, slows: bool) -> None:
    assert overloaded(error) is slows


def test_rollouts_go_first() -> None:
    """A sweep that waits for its turn does not hold up a look for a rollout, whoever came first."""
    done: list[str] = []

    async def acquire(limiter: RateLimiter, priority: Priority, name: str) -> None:
        await limiter.acquire(priority, name)
        done.append(name)

    async def main() -> None:
        clock = SimulatedClock()
        limiter = RateLimiter(Bucket(Rate(1, 1), 1.0, clock.monotonic()), clock, 60)
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(acquire(limiter, Priority.OBSERVATION, f"sweep {number}"))
            await asyncio.sleep(1.5)
            group.create_task(acquire(limiter, Priority.ROLLOUT, "rollout"))

    run_simulated(main())
    assert done == ["sweep 0", "sweep 1", "rollout", "sweep 2", "sweep 3", "sweep 4"]


def test_nobody_waits_for_ever() -> None:
    async def main() -> None:
        clock = SimulatedClock()
        limiter = RateLimiter(Bucket(Rate(1, 0.001), 1.0, clock.monotonic()), clock, 60)
        await limiter.acquire(Priority.OBSERVATION, "first")
        with pytest.raises(Retryable, match="no turn within 60 s"):
            await limiter.acquire(Priority.OBSERVATION, "second")

    run_simulated(main())
