"""Request rates: never more than our share, whoever asks and whenever; rollouts first, and nobody for ever."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.aws.pacing import RATES, SERVICE_READ, TASK_DEFINITION_MODIFY, Bucket, Line, Pacing, Priority, Rate
from ecs_release.domain.errors import Retryable
from tests.unit.simulated_time import SimulatedClock, run_simulated


@pytest.mark.parametrize(
    ("row", "burst", "per_s"),
    [
        ("service-read", 100, 20),
        ("service-modify", 50, 5),
        ("task-definition-read", 50, 20),
        ("task-definition-modify", 20, 1),
        ("service-deployment-read", 50, 20),
        ("cluster-resource-read", 100, 20),
    ],
)
def test_rates_are_those_that_aws_publishes(row: str, burst: float, per_s: float) -> None:
    assert RATES[row] == Rate(burst, per_s)


@given(
    waits=st.lists(st.floats(0, 5), min_size=1, max_size=150),
    throttled=st.sets(st.integers(0, 149), max_size=5),
    burst=st.integers(1, 30),
    per_s=st.floats(0.5, 50),
    share=st.sampled_from([0.25, 0.5, 1.0]),
)
def test_the_rate_is_never_exceeded(waits: list[float], throttled: set[int], burst: int, per_s: float, share: float) -> None:
    """Between any two calls that were let through there were no more than the burst and what time has brought."""
    bucket, now, taken = Bucket(Rate(burst, per_s), share, 0.0), 0.0, []
    for index, wait in enumerate(waits):
        now += wait
        if index in throttled:
            bucket.slow_down(now)
        while bucket.take(now) == 0.0:
            taken.append(now)
    taken = taken[-200:]

    for first, at in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= max(1.0, burst * share) + (taken[last] - at) * per_s * share + 1e-6


@given(burst=st.integers(1, 30), per_s=st.floats(0.5, 50), slow_downs=st.integers(0, 10))
def test_who_waits_as_told_is_let_through(burst: int, per_s: float, slow_downs: int) -> None:
    bucket, now = Bucket(Rate(burst, per_s), 1.0, 0.0), 0.0
    for _ in range(slow_downs):
        bucket.slow_down(now)
    for _ in range(burst + 5):
        wait = bucket.take(now)
        if wait:
            now += wait
            assert bucket.take(now) == 0.0


def test_throttling_halves_the_rate_and_it_recovers_within_a_minute() -> None:
    bucket = Bucket(Rate(10, 10), 1.0, 0.0)
    assert bucket.take(0.0) == 0.0
    bucket.slow_down(0.0)
    assert bucket.take(0.0) == 0.0, "one call may look whether it is over"
    assert bucket.take(0.0) == pytest.approx(0.2), "five a second instead of ten"
    bucket.slow_down(0.0)
    assert bucket.take(0.0) == pytest.approx(0.4)
    for _ in range(100):
        bucket.slow_down(0.0)
    assert bucket.take(0.0) == pytest.approx(2.0), "never so slow that nothing is found out"
    while bucket.take(60.0) == 0.0:
        pass
    assert bucket.take(60.0) == pytest.approx(0.1)


def served(*visitors: tuple[float, Priority, str], deadline_s: float = 60) -> list[tuple[str, float]]:
    """Let visitors come at their times; return who was let through and when, or -1 for who gave up."""

    async def main() -> list[tuple[str, float]]:
        clock = SimulatedClock()
        line, seen = Line(Bucket(Rate(1, 1), 1.0, clock.monotonic()), clock, deadline_s), []

        async def visit(at: float, priority: Priority, name: str) -> None:
            await asyncio.sleep(at)
            try:
                await line.enter(priority, name)
            except Retryable:
                seen.append((name, -1.0))
            else:
                seen.append((name, round(clock.monotonic(), 3)))

        await asyncio.gather(*(visit(*visitor) for visitor in visitors))
        return seen

    return run_simulated(main())


def test_rollouts_pass_observation_and_each_keeps_its_order() -> None:
    observers = [(0.1 + n / 10, Priority.OBSERVATION, f"look {n}") for n in range(3)]
    rollouts = [(1.5 + n / 10, Priority.ROLLOUT, f"act {n}") for n in range(2)]

    order = served((0.0, Priority.OBSERVATION, "first"), *observers, *rollouts)

    assert order == [("first", 0.0), ("look 0", 1.0), ("act 0", 2.0), ("act 1", 3.0), ("look 1", 4.0), ("look 2", 5.0)]


def test_nobody_waits_longer_than_the_deadline() -> None:
    order = served(*((0.0, Priority.OBSERVATION, str(n)) for n in range(5)), deadline_s=2.5)

    assert [name for name, at in order if at >= 0] == ["0", "1", "2"]
    assert [name for name, at in order if at < 0] == ["3", "4"]


def test_who_gives_up_takes_no_turn() -> None:
    async def main() -> float:
        clock = SimulatedClock()
        line = Line(Bucket(Rate(1, 1), 1.0, 0.0), clock, 60)
        await line.enter(Priority.ROLLOUT, "first")
        gone = [asyncio.create_task(line.enter(Priority.ROLLOUT, "gone")) for _ in range(20)]
        await asyncio.sleep(0.5)
        for task in gone:
            task.cancel()
        await line.enter(Priority.OBSERVATION, "last")
        return clock.monotonic()

    assert run_simulated(main()) == pytest.approx(1.0)


def test_rows_regions_and_accounts_have_buckets_of_their_own() -> None:
    async def main() -> None:
        pacing = Pacing(SimulatedClock(), 0.5)
        line = pacing.line("1", "eu-west-1", TASK_DEFINITION_MODIFY)
        assert pacing.line("1", "eu-west-1", TASK_DEFINITION_MODIFY) is line
        others = [("1", "eu-west-1", SERVICE_READ), ("1", "us-east-1", TASK_DEFINITION_MODIFY), ("2", "eu-west-1", TASK_DEFINITION_MODIFY)]
        assert line not in [pacing.line(*other) for other in others]

    run_simulated(main())


def test_a_hundred_revisions_take_half_of_what_aws_allows() -> None:
    """A burst of 10 and one every two seconds: the whole of AWS's bucket would be 20, then one a second."""

    async def main() -> float:
        clock = SimulatedClock()
        line = Pacing(clock, 0.5, deadline_s=1000).line("1", "eu-west-1", TASK_DEFINITION_MODIFY)
        await asyncio.gather(*(line.enter(Priority.ROLLOUT, "ecs:RegisterTaskDefinition") for _ in range(100)))
        return clock.monotonic()

    assert run_simulated(main()) == pytest.approx(180)
