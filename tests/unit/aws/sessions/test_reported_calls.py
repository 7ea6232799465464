"""Every call to AWS is told of, and every wait for a token."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.pacing import Pacing
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.protocols import Priority
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")


def test_waits_are_told_those_turned_away_too() -> None:
    waits: list[tuple[str, str, str, float]] = []

    async def main() -> None:
        limiter = Pacing(SimulatedClock(), share=0.5, deadline_s=3, on_wait=lambda *wait: waits.append(wait)).limiter(
            ACCESS.account_id, ACCESS.region, pacing.TASK_DEFINITION_MODIFY
        )
        outcomes = await asyncio.gather(*(limiter.acquire(Priority.ROLLOUT, "x") for _ in range(12)), return_exceptions=True)
        assert [type(o) for o in outcomes].count(Retryable) == 1

    run_simulated(main())
    assert {told[:3] for told in waits} == {("111122223333", "eu-west-1", "task-definition-modify")}
    # A burst of ten, then one every two seconds; the last one's turn does not come in time.
    assert sorted(round(told[3]) for told in waits) == [0] * 10 + [2, 3]


class Client:
    """A client whose one call goes as it is told."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def client(self, *_: Any, **__: Any) -> Client:
        return self

    def describe_services(self) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "DescribeServices")


@pytest.mark.parametrize(
    ("outcome", "result", "times"),
    [({}, "ok", 1), (error("ThrottlingException"), "Throttled", 3), (error("AccessDeniedException"), "Denied", 1)],
)
async def test_calls_are_told_as_they_went(outcome: Any, result: str, times: int) -> None:
    told: list[tuple[Any, ...]] = []
    threads = Threads(1)
    caller = Caller(Client(outcome), threads, Pacing(SimulatedClock()), lambda *call: told.append(call))  # type: ignore[arg-type]
    try:
        await caller.call(ACCESS, "ecs", "describe_services", pacing.SERVICE_READ, parameters={})
    except Problem:
        assert result != "ok"
    threads.close()
    assert [call[:3] for call in told] == [(ACCESS, "ecs:DescribeServices", result)] * times, "each request by itself"
