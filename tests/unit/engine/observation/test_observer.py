"""The observer: batches, culprits, and that an error of ours is no end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Access, ServiceKey, Task
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")


@dataclass
class FakeAws:
    """ECS that answers for every service, but for those that may not be read."""

    denied: set[str] = field(default_factory=set)
    broken: Exception | None = None
    calls: list[list[str]] = field(default_factory=list)
    account_problem: Problem | None = None
    rolls: bool = False
    lists: int = 0
    untold: dict[str, Exception] = field(default_factory=dict)
    """Services whose tasks cannot be listed."""

    def ecs(self, _: Access) -> FakeAws:
        return self

    async def caller(self, _: Access) -> str:
        if self.account_problem is not None:
            raise self.account_problem
        return "arn:aws:sts::111122223333:assumed-role/r/s"

    async def describe_services(self, cluster: str, names: Sequence[str], **_: Any) -> ServicesAnswer:
        self.calls.append(list(names))
        await asyncio.sleep(0.05)
        if self.broken is not None:
            raise self.broken
        if self.denied & set(names):
            raise Denied("ecs:DescribeServices: no")
        rolling = deployment(2, state="IN_PROGRESS", running=len(self.calls)) if self.rolls else deployment(1)
        return ServicesAnswer({name: service(rolling, name=name, arn=f"arn/{name}", running=2) for name in names}, NOW)

    async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
        self.lists += 1
        if name in self.untold:
            raise self.untold[name]
        return ["a", "b"]

    async def list_cluster_tasks(self, *_: Any, **__: Any) -> None:
        return None

    async def describe_tasks(self, _: str, arns: Sequence[str], **__: Any) -> list[Task]:
        return [Task(a, "td", "ecs-svc/1", "RUNNING", "RUNNING") for a in arns]


def key(number: int) -> ServiceKey:
    return ServiceKey("111122223333", "eu-west-1", "main", f"s{number:02}")


def observer(aws: FakeAws, services: int = 25) -> tuple[Observer, list[ServiceKey]]:
    changed: list[ServiceKey] = []
    made = Observer("prod", aws, SimulatedClock(), EngineSettings(), changed=changed.append, swept=lambda _: None)  # type: ignore[arg-type]
    made.watch(ACCESS, {key(n): ACCESS for n in range(services)})
    return made, changed


def run(aws: FakeAws, seconds: float, services: int = 25) -> tuple[Observer, list[ServiceKey]]:
    async def main() -> tuple[Observer, list[ServiceKey]]:
        made, changed = observer(aws, services)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return made, changed

    return run_simulated(main())


def test_services_are_read_by_ten_once_an_interval() -> None:
    aws = FakeAws()
    run(aws, 60 * 10)
    in_steady_state = aws.calls[3:]
    assert len(in_steady_state) <= 3 * 10
    assert sorted(len(c) for c in in_steady_state[-3:]) == [5, 10, 10]


def test_a_look_that_shows_nothing_new_tells_nobody() -> None:
    _, changed = run(FakeAws(), 60 * 10, services=3)
    assert sorted(map(str, changed)) == sorted(str(key(n)) for n in range(3))


def test_the_culprit_stands_alone() -> None:
    aws = FakeAws(denied={"s03"})
    made, _ = run(aws, 1, services=10)
    unread = {str(k.service) for k in (key(n) for n in range(10)) if (w := made.latest(k)) is not None and w.unread is not None}
    assert unread == {"s03"}
    assert [len(c) for c in aws.calls][:3] == [10, 5, 2]


@pytest.mark.parametrize("fault", [Retryable("500"), KeyError("a bug of ours")])
def test_what_fails_for_all_is_told_for_all_and_tried_again(fault: Exception) -> None:
    aws = FakeAws(broken=fault)

    async def main() -> None:
        made, _ = observer(aws, 3)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        assert len(made.unread) == 3
        aws.broken = None
        await asyncio.sleep(61)
        assert made.unread == []
        task.cancel()

    run_simulated(main())


def test_a_role_is_checked_before_anything_is_done_with_it() -> None:
    aws = FakeAws(account_problem=Denied("another account"))

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        assert isinstance(await made.identity.refusal(), Denied)
        aws.account_problem = None
        await asyncio.sleep(61)
        assert await made.identity.refusal() is None
        aws.account_problem = Retryable("STS is away")
        await asyncio.sleep(61)
        assert await made.identity.refusal() is None, "it was known before where the role leads"
        made.watch(Access("111122223333", "eu-west-1", "arn:other"), {})
        assert isinstance(await made.identity.refusal(), Retryable)
        task.cancel()

    run_simulated(main())


def test_those_who_ask_at_the_same_time_share_a_call() -> None:
    aws = FakeAws()

    async def main() -> None:
        made, _ = observer(aws, 5)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        before = len(aws.calls)
        looks = await asyncio.gather(*(made.look(key(n)) for n in range(5)))
        assert [look.service is not None for look in looks] == [True] * 5
        assert len(aws.calls) - before == 1
        task.cancel()

    run_simulated(main())


def test_while_a_rollout_goes_on_tasks_are_read_now_and_then() -> None:
    """ListTasks has a tight limit, and tasks decide only when the rollout is done."""
    aws = FakeAws(rolls=True)

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        made.hurry(key(0), fast=True)
        before = aws.lists
        await asyncio.sleep(100)
        assert len(aws.calls) > 15
        assert 4 <= aws.lists - before <= 6
        aws.rolls = False
        before = aws.lists
        await asyncio.sleep(6)
        assert aws.lists - before == 1, "the end is looked at at once"
        await made.look(key(0))
        assert aws.lists - before == 1, "nothing has moved"
        await made.look(key(0), tasks=True)
        assert aws.lists - before == 2
        task.cancel()

    run_simulated(main())


def test_an_event_during_a_look_that_began_before_it_has_one_more_follow() -> None:
    """The sweep comes between two events: its look answers the first, and cannot know of the second."""
    aws = FakeAws()

    async def main() -> list[float]:
        made, _ = observer(aws, 1)
        looks: list[float] = []
        describe = aws.describe_services

        async def described(*arguments: Any, **named: Any) -> ServicesAnswer:
            looks.append(asyncio.get_running_loop().time())
            return await describe(*arguments, **named)

        aws.describe_services = described  # type: ignore[method-assign]
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        watched = made.latest(key(0))
        assert watched is not None
        sweep = watched.due
        await asyncio.sleep(sweep - 0.05 - made._clock.monotonic())
        made.heard(key(0), tasks=False, author=None)
        await asyncio.sleep(0.07)
        assert len(looks) == 2, "the sweep's look is under way, and the event's moment has not come"
        made.heard(key(0), tasks=False, author=None)
        await asyncio.sleep(2)
        task.cancel()
        return [at - sweep for at in looks[1:]]

    assert run_simulated(main()) == [pytest.approx(0, abs=0.011), pytest.approx(0.05, abs=0.011)]


@pytest.mark.parametrize("fault", [Retryable("500"), Denied("ecs:ListTasks: no"), KeyError("a bug of ours")])
def test_tasks_that_cannot_be_read_leave_their_service_unread_and_no_other(fault: Exception) -> None:
    aws = FakeAws(untold={"s03": fault})

    async def main() -> None:
        made, _ = observer(aws, 10)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(2)
        unread = [n for n in range(10) if (w := made.latest(key(n))) is not None and w.unread is not None]
        assert (unread == [3]) if isinstance(fault, Problem) else (3 in unread)
        assert len(aws.calls) == 1, "the services themselves were answered: nothing is asked for again in halves"
        aws.untold.clear()
        await asyncio.sleep(61)
        assert made.unread == []
        task.cancel()

    run_simulated(main())


def test_a_service_whose_tasks_are_known_does_not_wait_for_the_tasks_of_others() -> None:
    aws = FakeAws()

    async def main() -> None:
        made, _ = observer(aws, 10)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        lists = aws.list_tasks

        async def slow(*arguments: Any, **named: Any) -> list[str]:
            await asyncio.sleep(30)
            return await lists(*arguments, **named)

        aws.list_tasks = slow  # type: ignore[method-assign]
        looks = [asyncio.create_task(made.look(key(n), tasks=n == 3)) for n in range(10)]
        done, _ = await asyncio.wait(looks, timeout=1)
        assert len(done) == 9
        assert (await looks[3]).service is not None
        task.cancel()

    run_simulated(main())


def test_an_error_of_ours_over_tasks_takes_back_no_look_that_was_taken_in() -> None:
    aws = FakeAws()

    async def main() -> None:
        made, _ = observer(aws, 2)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        aws.untold["s01"] = KeyError("a bug of ours")
        known = asyncio.create_task(made.look(key(0)))
        with pytest.raises(Retryable, match="observation failed"):
            await made.look(key(1), tasks=True)
        assert (await known).serial == 2
        watched = made.latest(key(0))
        assert watched is not None and watched.unread is None
        task.cancel()

    run_simulated(main())


def test_whoever_wants_the_tasks_read_gets_them_with_the_look_after_one_that_failed() -> None:
    aws = FakeAws()

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        aws.broken = Retryable("500")
        made.heard(key(0), tasks=True, author=None)
        await asyncio.sleep(1)
        assert len(made.unread) == 1
        aws.broken = None
        before = aws.lists
        await asyncio.sleep(61)
        assert aws.lists == before + 1
        task.cancel()

    run_simulated(main())


def test_what_a_set_asked_about_is_still_known_when_its_releases_are_made() -> None:
    aws = FakeAws()

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        made.watch_also(key(7), ACCESS)
        await made.look(key(7))
        made.watch(ACCESS, {key(0): ACCESS})
        assert made.latest(key(7)) is not None
        await asyncio.sleep(301)
        made.watch(ACCESS, {key(0): ACCESS})
        assert made.latest(key(7)) is None
        task.cancel()

    run_simulated(main())


def test_sweeps_that_take_longer_than_the_interval_say_so() -> None:
    """The rate allows a batch in 20 s: 50 services take 100 s, not 60, and none is forgotten meanwhile."""

    class Slow(FakeAws):
        turn = 0.0

        async def describe_services(self, cluster: str, names: Sequence[str], **_: Any) -> ServicesAnswer:
            now = asyncio.get_running_loop().time()
            self.turn = max(now, self.turn + 20)
            await asyncio.sleep(self.turn - now)
            return await super().describe_services(cluster, names)

    async def main(aws: FakeAws) -> tuple[float, float]:
        made, _ = observer(aws, 50)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(900)
        task.cancel()
        oldest = min(w.look.seen_time for w in made._watched.values() if w.look)
        return made.sweep_s, (made._clock.now() - oldest).total_seconds()

    sweep_s, age_s = run_simulated(main(Slow()))
    assert 95 <= sweep_s <= 125
    assert age_s <= 121
    sweep_s, age_s = run_simulated(main(FakeAws()))
    assert max(sweep_s, age_s) <= 61
