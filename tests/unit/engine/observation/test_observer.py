"""The observer: batches, culprits, and that an error of ours is no end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Access, ServiceKey
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.observation.observer import Observer
from tests.builders.fake_observation import ACCESS, FakeServices, observer, service_key
from tests.builders.simulated_time import SimulatedClock, run_simulated


def run(aws: FakeServices, seconds: float, services: int = 25) -> tuple[Observer, list[ServiceKey]]:
    async def main() -> tuple[Observer, list[ServiceKey]]:
        made, changed = observer(aws, services)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return made, changed

    return run_simulated(main())


def test_services_are_read_by_ten_once_an_interval() -> None:
    aws = FakeServices()
    run(aws, 60 * 10)
    in_steady_state = aws.calls[3:]
    assert len(in_steady_state) <= 3 * 10
    assert sorted(len(c) for c in in_steady_state[-3:]) == [5, 10, 10]


def test_a_look_that_shows_nothing_new_tells_nobody() -> None:
    _, changed = run(FakeServices(), 60 * 10, services=3)
    assert sorted(map(str, changed)) == sorted(str(service_key(n)) for n in range(3))


def test_the_culprit_stands_alone() -> None:
    aws = FakeServices(denied={"s03"})
    made, _ = run(aws, 1, services=10)
    unread = {str(k.service) for k in (service_key(n) for n in range(10)) if (w := made.observed(k)) is not None and w.unread is not None}
    assert unread == {"s03"}
    assert [len(c) for c in aws.calls][:3] == [10, 5, 5]


@pytest.mark.parametrize(
    ("aws", "goes_on"),
    [
        (FakeServices(broken=Retryable("500")), True),
        (FakeServices(denied={"s00", "s01"}), True),
        (FakeServices(untold={"s01": Retryable("500")}), False),
        (FakeServices(), False),
    ],
    ids=["nothing answers", "nothing may be read", "one cannot be read", "all is well"],
)
def test_who_has_read_nothing_goes_on_from_the_sweep_of_the_process_before(aws: FakeServices, goes_on: bool) -> None:
    async def main() -> None:
        clock = SimulatedClock()
        before = clock.now() - timedelta(days=2)
        made, _ = observer(aws, 2, swept_before=before)
        assert made.observed_since is None
        task = asyncio.create_task(made.run())
        await asyncio.sleep(5)
        task.cancel()
        assert made.observed_since is not None
        assert (made.observed_since == before, made.unread_since(clock.now()) == before) == (goes_on, goes_on)
        assert (made.last_sweep_time is None) == bool(goes_on or aws.untold)

    run_simulated(main())


@pytest.mark.parametrize("fault", [Retryable("500"), KeyError("a bug of ours")])
def test_what_fails_for_all_is_told_for_all_and_tried_again(fault: Exception) -> None:
    aws = FakeServices(broken=fault)

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
    aws = FakeServices(account_problem=Denied("another account"))

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        assert isinstance(await made.role_check.refusal(), Denied)
        aws.account_problem = None
        await asyncio.sleep(61)
        assert await made.role_check.refusal() is None
        aws.account_problem = Retryable("STS is away")
        await asyncio.sleep(61)
        assert await made.role_check.refusal() is None, "it was known before where the role leads"
        made.set_targets(Access("111122223333", "eu-west-1", "arn:other"), {})
        assert isinstance(await made.role_check.refusal(), Retryable)
        task.cancel()

    run_simulated(main())


def test_those_who_ask_at_the_same_time_share_a_call() -> None:
    aws = FakeServices()

    async def main() -> None:
        made, _ = observer(aws, 5)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        before = len(aws.calls)
        looks = await asyncio.gather(*(made.look(service_key(n)) for n in range(5)))
        assert [look.service is not None for look in looks] == [True] * 5
        assert len(aws.calls) - before == 1
        task.cancel()

    run_simulated(main())


def test_while_a_rollout_goes_on_tasks_are_read_now_and_then() -> None:
    """ListTasks has a tight limit, and tasks decide only when the rollout is done."""
    aws = FakeServices(rolls=True)

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        made.set_fast(service_key(0), fast=True)
        before = aws.lists
        await asyncio.sleep(100)
        assert len(aws.calls) > 15
        assert 4 <= aws.lists - before <= 6
        aws.rolls = False
        before = aws.lists
        await asyncio.sleep(6)
        assert aws.lists - before == 1, "the end is looked at at once"
        await made.look(service_key(0))
        assert aws.lists - before == 1, "nothing has moved"
        await made.look(service_key(0), tasks=True)
        assert aws.lists - before == 2
        task.cancel()

    run_simulated(main())


def test_an_event_during_a_look_that_began_before_it_has_one_more_follow() -> None:
    """The sweep comes between two events: its look answers the first, and cannot know of the second."""
    aws = FakeServices()

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
        watched = made.observed(service_key(0))
        assert watched is not None
        sweep = watched.due
        await asyncio.sleep(sweep - 0.05 - made._clock.monotonic())
        made.event_received(service_key(0), tasks=False, author=None)
        await asyncio.sleep(0.07)
        assert len(looks) == 2, "the sweep's look is under way, and the event's moment has not come"
        made.event_received(service_key(0), tasks=False, author=None)
        await asyncio.sleep(2)
        task.cancel()
        return [at - sweep for at in looks[1:]]

    assert run_simulated(main()) == [pytest.approx(0, abs=0.011), pytest.approx(0.05, abs=0.011)]


@pytest.mark.parametrize("fault", [Retryable("500"), Denied("ecs:ListTasks: no"), KeyError("a bug of ours")])
def test_tasks_that_cannot_be_read_leave_their_service_unread_and_no_other(fault: Exception) -> None:
    aws = FakeServices(untold={"s03": fault})

    async def main() -> None:
        made, _ = observer(aws, 10)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(2)
        unread = [n for n in range(10) if (w := made.observed(service_key(n))) is not None and w.unread is not None]
        assert (unread == [3]) if isinstance(fault, Problem) else (3 in unread)
        assert len(aws.calls) == 1, "the services themselves were answered: nothing is asked for again in halves"
        aws.untold.clear()
        await asyncio.sleep(61)
        assert made.unread == []
        task.cancel()

    run_simulated(main())


def test_a_service_whose_tasks_are_known_does_not_wait_for_the_tasks_of_others() -> None:
    aws = FakeServices()

    async def main() -> None:
        made, _ = observer(aws, 10)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        lists = aws.list_tasks

        async def slow(*arguments: Any, **named: Any) -> list[str]:
            await asyncio.sleep(30)
            return await lists(*arguments, **named)

        aws.list_tasks = slow  # type: ignore[method-assign]
        looks = [asyncio.create_task(made.look(service_key(n), tasks=n == 3)) for n in range(10)]
        done, _ = await asyncio.wait(looks, timeout=1)
        assert len(done) == 9
        assert (await looks[3]).service is not None
        task.cancel()

    run_simulated(main())


def test_an_error_of_ours_over_tasks_takes_back_no_look_that_was_taken_in() -> None:
    aws = FakeServices()

    async def main() -> None:
        made, _ = observer(aws, 2)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        aws.untold["s01"] = KeyError("a bug of ours")
        known = asyncio.create_task(made.look(service_key(0)))
        with pytest.raises(Retryable, match="observation failed"):
            await made.look(service_key(1), tasks=True)
        assert (await known).serial == 2
        watched = made.observed(service_key(0))
        assert watched is not None and watched.unread is None
        task.cancel()

    run_simulated(main())


def test_whoever_wants_the_tasks_read_gets_them_with_the_look_after_one_that_failed() -> None:
    aws = FakeServices()

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        aws.broken = Retryable("500")
        made.event_received(service_key(0), tasks=True, author=None)
        await asyncio.sleep(1)
        assert len(made.unread) == 1
        aws.broken = None
        before = aws.lists
        await asyncio.sleep(61)
        assert aws.lists == before + 1
        task.cancel()

    run_simulated(main())


def test_what_a_set_asked_about_is_still_known_when_its_releases_are_made() -> None:
    aws = FakeServices()

    async def main() -> None:
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        made.observe_also(service_key(7), ACCESS)
        await made.look(service_key(7))
        made.set_targets(ACCESS, {service_key(0): ACCESS})
        assert made.observed(service_key(7)) is not None
        await asyncio.sleep(301)
        made.set_targets(ACCESS, {service_key(0): ACCESS})
        assert made.observed(service_key(7)) is None
        task.cancel()

    run_simulated(main())


def test_sweeps_that_take_longer_than_the_interval_say_so() -> None:
    """The rate allows a batch in 20 s: 50 services take 100 s, not 60, and none is forgotten meanwhile."""

    class Slow(FakeServices):
        turn = 0.0

        async def describe_services(self, cluster: str, names: Sequence[str], **_: Any) -> ServicesAnswer:
            now = asyncio.get_running_loop().time()
            self.turn = max(now, self.turn + 20)
            await asyncio.sleep(self.turn - now)
            return await super().describe_services(cluster, names)

    async def main(aws: FakeServices) -> tuple[float, float]:
        made, _ = observer(aws, 50)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(900)
        task.cancel()
        oldest = min(w.look.seen_time for w in made._services.values() if w.look)
        return made.sweep_s, (made._clock.now() - oldest).total_seconds()

    sweep_s, age_s = run_simulated(main(Slow()))
    assert 95 <= sweep_s <= 125
    assert age_s <= 121
    sweep_s, age_s = run_simulated(main(FakeServices()))
    assert max(sweep_s, age_s) <= 61


def test_a_look_is_as_old_as_the_question() -> None:
    """However long the tasks take to be read: what happened meanwhile it does not show."""

    class Slow(FakeServices):
        async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
            await asyncio.sleep(40)
            return await super().list_tasks(_, name)

    async def main() -> tuple[float, float]:
        made, _ = observer(Slow(), 1)
        task = asyncio.create_task(made.run())
        begun = made._clock.now()
        look = await made.look(service_key(0))
        task.cancel()
        return (look.as_of - begun).total_seconds(), (look.seen_time - begun).total_seconds()

    assert run_simulated(main()) == pytest.approx((0, 40.05))


def test_what_an_event_costs_does_not_depend_on_how_many_services_there_are() -> None:
    """Counted in services that are looked at, not in seconds: a team's events must not take the time of an Environment with thousands."""

    class Walked(dict[ServiceKey, Any]):
        count = 0

        def __getitem__(self, key: ServiceKey) -> Any:
            self.count += 1
            return super().__getitem__(key)

        def values(self) -> Any:
            self.count += len(self)
            return super().values()

    def walked(services: int) -> int:
        async def main() -> int:
            made, _ = observer(FakeServices(), services)
            made._services = counted = Walked(made._services)
            made._schedule._services = counted
            task = asyncio.create_task(made.run())
            await asyncio.sleep(made._sweep_due - made._clock.monotonic() + 30)
            counted.count = 0
            for number in range(20):
                made.event_received(service_key(number), tasks=False, author=None)
                await asyncio.sleep(0.5)
            task.cancel()
            return counted.count

        return run_simulated(main())

    assert walked(1000) <= walked(30) + 20


def test_a_service_is_read_once_at_a_time_whatever_is_heard_of_it_meanwhile() -> None:
    class Slow(FakeServices):
        async def describe_services(self, cluster: str, names: Sequence[str], **more: Any) -> ServicesAnswer:
            answer = await super().describe_services(cluster, names, **more)
            await asyncio.sleep(5)
            return answer

    async def main() -> None:
        aws = Slow()
        made, _ = observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        for number in range(3):
            made.event_received(service_key(0), tasks=False, author=None)
            await asyncio.sleep(0.5)
            made.observe_also(service_key(7 + number), ACCESS)
            await asyncio.sleep(0.5)
        assert [names for names in aws.calls if "s00" in names] == [["s00"]]
        await asyncio.sleep(3)
        assert [names for names in aws.calls if "s00" in names] == [["s00"]] * 2
        task.cancel()

    run_simulated(main())


def test_a_service_that_is_no_longer_wanted_is_not_read_any_more() -> None:
    async def main() -> None:
        aws = FakeServices()
        made, _ = observer(aws, 3)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1)
        made.event_received(service_key(1), tasks=False, author=None)
        made.set_targets(ACCESS, {service_key(0): ACCESS})
        aws.calls.clear()
        await asyncio.sleep(300)
        assert not task.done()
        assert {name for names in aws.calls for name in names} == {"s00"}
        task.cancel()

    run_simulated(main())
