"""Whether appliedBy is authenticated: looked up once an hour for all, and said no sooner than it is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ecs_release.api.conditions import Condition
from ecs_release.api.names import APPLIED_BY_POLICIES
from ecs_release.domain.model.conditions import ConditionUpdate, merge
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.engine.environments.applied_by_check import AppliedByCheck
from tests.builders.ecs import NOW
from tests.builders.simulated_time import SimulatedClock, run_simulated

ALL = frozenset(APPLIED_BY_POLICIES)
MUTATING = frozenset(APPLIED_BY_POLICIES[:2])
KIND = "AppliedByAuthenticated"


class Policies:
    """The API server, as far as it has policies."""

    def __init__(self, there: frozenset[tuple[str, str]] = ALL, problem: Problem | None = None) -> None:
        self.there, self.problem = there, problem
        self.looks: list[str] = []

    async def has_policy(self, resource: str, name: str) -> bool:
        self.looks.append(resource)
        await asyncio.sleep(0.1)
        if self.problem is not None:
            raise self.problem
        return (resource, name) in self.there


def conditions(said: Sequence[ConditionUpdate]) -> list[Condition]:
    return merge(None, said, 1, NOW)


@pytest.mark.parametrize(
    ("there", "status", "reason", "words"),
    [
        (ALL, "True", "Stamped", "the API server stamps"),
        (ALL - MUTATING, "False", "NotStamped", "a forged one is refused. Not installed, or not served before Kubernetes 1.36: mutating"),
        (ALL - {APPLIED_BY_POLICIES[1]}, "False", "NotStamped", "1.36: mutatingadmissionpolicybindings/ecs-release-applied-by"),
        (MUTATING, "False", "NotStamped", "anybody who may annotate"),
        (ALL - {APPLIED_BY_POLICIES[3]}, "False", "NotStamped", "validatingadmissionpolicybindings/ecs-release-applied-by-is-true"),
        (frozenset(), "False", "NotStamped", "anybody who may annotate"),
    ],
)
def test_what_is_missing_is_said(there: frozenset[tuple[str, str]], status: str, reason: str, words: str) -> None:
    (said,) = run_simulated(_ask(Policies(there)))
    assert (said.type, said.status, said.reason) == (KIND, status, reason)
    assert words in said.message


async def _ask(policies: Policies, before: Sequence[Condition] | None = None) -> tuple[ConditionUpdate, ...]:
    return await AppliedByCheck(policies, SimulatedClock()).conditions(before)  # type: ignore[arg-type]


def test_who_may_not_look_does_not_know() -> None:
    (said,) = run_simulated(_ask(Policies(problem=Denied("forbidden"))))
    assert (said.status, said.reason) == ("Unknown", "NotObserved")


@pytest.mark.parametrize("before", [(), (ConditionUpdate(KIND, "True", "Stamped", "as before"),)])
def test_until_it_is_known_it_stays_as_it_was(before: tuple[ConditionUpdate, ...]) -> None:
    """A new process that meets a fault first writes nothing for it."""
    assert run_simulated(_ask(Policies(problem=Retryable("500")), conditions(before))) == before


def test_all_environments_share_a_look_an_hour() -> None:
    async def main() -> None:
        policies, clock = Policies(), SimulatedClock()
        check = AppliedByCheck(policies, clock)  # type: ignore[arg-type]
        assert len({*await asyncio.gather(*(check.conditions(None) for _ in range(100)))}) == 1
        assert len(policies.looks) == len(ALL)
        policies.there = frozenset()
        await asyncio.sleep(3590)
        assert (await check.conditions(None))[0].status == "True"
        await asyncio.sleep(20)
        assert (await check.conditions(None))[0].status == "False"
        assert len(policies.looks) == 2 * len(ALL)

    run_simulated(main())


def test_after_a_fault_it_is_tried_again_in_a_minute() -> None:
    async def main() -> None:
        policies, clock = Policies(), SimulatedClock()
        check = AppliedByCheck(policies, clock)  # type: ignore[arg-type]
        await check.conditions(None)
        policies.there, policies.problem = frozenset(), Retryable("500")
        await asyncio.sleep(3600)
        assert (await check.conditions(None))[0].status == "True", "what was known"
        await asyncio.sleep(59)
        assert len(policies.looks) == len(ALL) + 1
        policies.problem = None
        await asyncio.sleep(2)
        assert (await check.conditions(None))[0].status == "False"

    run_simulated(main())


@pytest.mark.parametrize("start", [Policies(frozenset()), Policies(problem=Denied("forbidden"))])
def test_what_is_lacking_is_looked_for_again_soon(start: Policies) -> None:
    """Whoever installs it, or allows it to be read, wants to see that."""

    async def main() -> None:
        check = AppliedByCheck(start, SimulatedClock())  # type: ignore[arg-type]
        assert (await check.conditions(None))[0].status != "True"
        start.there, start.problem = ALL, None
        await asyncio.sleep(290)
        assert (await check.conditions(None))[0].status != "True"
        await asyncio.sleep(20)
        assert (await check.conditions(None))[0].status == "True"

    run_simulated(main())
