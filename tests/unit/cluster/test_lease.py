"""The Lease: who holds it, for how long, and that nobody ever does so together with somebody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from copy import deepcopy
from typing import Any

import pytest

from ecs_release.cluster.lease import Candidacy, Elector, LeaseLost, Timing
from ecs_release.domain.model.errors import Conflict, NotFound, NotLeading, Retryable
from tests.builders.simulated_time import run_simulated


def candidacy(identity: str) -> Candidacy:
    return Candidacy("ops", "default", "default", "table 1", identity)


class Api:
    """Leases with optimistic concurrency, as the API server has them."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.leases: list[dict[str, Any]] = []
        self.version = 0
        self.writes = 0

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        return dict(self.lease["spec"])

    def answer(self, method: str, body: Any) -> dict[str, Any]:
        if method == "GET":
            if self.lease is None:
                raise NotFound("no lease")
            return deepcopy(self.lease)
        if method == "POST" and self.lease is not None:
            raise Conflict("already exists")
        if method == "PUT" and self.lease is None:
            raise NotFound("no lease")
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("it has been changed")
        self.version += 1
        self.writes += 1
        self.lease = deepcopy(dict(body))
        self.lease["metadata"] = {**self.lease["metadata"], "resourceVersion": str(self.version)}
        return deepcopy(self.lease)


class Connection:
    """One candidate's way to it, which may be cut, slow, or lose answers."""

    def __init__(self, api: Api, chance: random.Random | None = None) -> None:
        self.api = api
        self.chance = chance
        self.cut = False
        self.asked = 0

    async def request(self, method: str, path: Any, *, body: Any = None, fenced: bool = True, query: Any = ()) -> dict[str, Any]:
        self.asked += 1
        assert method == "GET" or not fenced
        if str(path).endswith("/leases") and method == "GET":
            assert query == [("labelSelector", "ecs-release.dev/installation=default")]
            return {"items": deepcopy([*self.api.leases, *([self.api.lease] if self.api.lease else [])])}
        if self.cut:
            await asyncio.sleep(3600)
        if self.chance is None:
            return self.api.answer(method, body)
        await asyncio.sleep(self.chance.choice((0, 0.01, 0.5, 3, 9)))
        fate = self.chance.random()
        if fate < 0.1:
            raise Retryable("500")
        answer = self.api.answer(method, body)
        await asyncio.sleep(self.chance.choice((0, 0.01, 2, 6)))
        if fate < 0.25:
            raise Retryable("the answer was lost")
        return answer


class Slow(random.Random):
    """Two seconds for each request, half of them on the way back, and no faults."""

    def choice(self, seq: Any) -> Any:
        return 1

    def random(self) -> float:
        return 1.0


class Candidate:
    """An elector at work."""

    def __init__(self, api: Api, identity: str, timing: Timing = Timing(), chance: random.Random | None = None) -> None:  # noqa: B008
        self.connection = Connection(api, chance)
        loop = asyncio.get_running_loop()
        self.elector = Elector(self.connection, candidacy(identity), timing, loop.time)  # type: ignore[arg-type]
        self.leading = asyncio.Event()
        self.task = asyncio.create_task(self.elector.run(self.leading))

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def leave(self) -> None:
        await self.end()
        await self.elector.release()


def simulated(main: Coroutine[Any, Any, None]) -> None:
    run_simulated(main)


def test_the_first_holds_it_and_the_second_waits() -> None:
    async def main() -> None:
        api = Api()
        one = Candidate(api, "one")
        await asyncio.sleep(1)
        two = Candidate(api, "two")
        await asyncio.sleep(300)
        assert (one.elector.held(), two.elector.held(), two.leading.is_set()) == (True, False, False)
        assert (api.spec["holderIdentity"], api.spec["leaseDurationSeconds"], api.spec["leaseTransitions"]) == ("one", 15, 0)
        # One write a renewal, and nobody else writes.
        assert api.writes == pytest.approx(300 / 2, rel=0.05)
        one.elector.check("x")
        with pytest.raises(NotLeading, match=r"x was not sent: this process does not hold Lease ops/ecs-release\.default\.default"):
            two.elector.check("x")
        await one.end()
        await two.end()

    simulated(main())


@pytest.mark.parametrize("seed", range(5))
def test_after_a_kill_the_next_one_takes_over_within_its_duration_and_a_look(seed: int) -> None:
    async def main() -> None:
        random.seed(seed)
        api = Api()
        one, two = Candidate(api, "one"), Candidate(api, "two")
        await asyncio.sleep(random.uniform(20, 30))
        first, other = (one, two) if one.leading.is_set() else (two, one)
        killed = asyncio.get_running_loop().time()
        await first.end()
        await other.leading.wait()
        took = asyncio.get_running_loop().time() - killed
        assert 15 - 2 <= took <= 15 + 2.4 + 0.1
        assert api.spec["leaseTransitions"] == 1
        await other.end()

    simulated(main())


def test_one_that_leaves_gives_it_up() -> None:
    async def main() -> None:
        api = Api()
        one = Candidate(api, "one")
        await asyncio.sleep(5)
        two = Candidate(api, "two")
        await asyncio.sleep(5)
        await one.leave()
        assert not one.elector.held()
        assert api.spec["holderIdentity"] == ""
        async with asyncio.timeout(2.5):
            await two.leading.wait()
        await two.end()

    simulated(main())


def test_one_that_never_held_it_writes_nothing_when_it_leaves() -> None:
    async def main() -> None:
        api = Api()
        one, two = Candidate(api, "one"), Candidate(api, "two")
        await asyncio.sleep(5)
        writes = api.writes
        waiting = two if one.leading.is_set() else one
        await waiting.leave()
        assert api.writes == writes
        assert api.spec["holderIdentity"] != ""
        await (one if waiting is two else two).end()

    simulated(main())


def test_one_that_is_cut_off_stops_before_the_next_begins_and_ends() -> None:
    async def main() -> None:
        api, loop = Api(), asyncio.get_running_loop()
        one = Candidate(api, "one")
        await asyncio.sleep(5)
        two = Candidate(api, "two")
        await asyncio.sleep(20)
        cut = loop.time()
        one.connection.cut = True
        with pytest.raises(LeaseLost, match="not renewed within 10 s"):
            await one.task
        ended = loop.time()
        assert ended - cut <= 10 + 0.01
        assert not two.elector.held()
        # A way back does not bring it back.
        one.connection.cut = False
        await two.leading.wait()
        assert loop.time() - ended >= 15 - 10 - 2
        await one.elector.release()
        assert api.spec["holderIdentity"] == "two"
        await two.end()

    simulated(main())


@pytest.mark.parametrize("holder", ["a person", ""])
def test_one_whose_lease_somebody_else_has_or_had_ends_at_its_next_renewal(holder: str) -> None:
    """Where it was given up again, too: what was done meanwhile is not known here."""

    async def main() -> None:
        api = Api()
        one = Candidate(api, "one")
        await asyncio.sleep(5)
        assert api.lease is not None
        api.answer("PUT", {**api.lease, "spec": {**api.spec, "holderIdentity": holder}})
        writes = api.writes
        with pytest.raises(LeaseLost, match=holder or "nobody"):
            async with asyncio.timeout(6):
                await one.task
        assert not one.elector.held()
        await one.elector.release()
        assert api.writes == writes

    simulated(main())


def test_an_api_server_that_is_down_for_a_moment_costs_nothing() -> None:
    async def main() -> None:
        api = Api()
        one = Candidate(api, "one")
        await asyncio.sleep(5)
        one.connection.cut = True
        await asyncio.sleep(4)
        one.connection.cut = False
        await asyncio.sleep(60)
        assert one.elector.held()
        assert not one.task.done()
        await one.end()

    simulated(main())


def test_a_holder_with_a_longer_duration_is_waited_for() -> None:
    async def main() -> None:
        api = Api()
        one = Candidate(api, "one", Timing(60, 40, 10))
        await asyncio.sleep(1)
        two = Candidate(api, "two")
        await asyncio.sleep(30)
        begun = asyncio.get_running_loop().time()
        await one.end()
        await two.leading.wait()
        assert asyncio.get_running_loop().time() - begun >= 60 - 10
        await two.end()

    simulated(main())


def test_it_is_held_from_when_the_renewal_was_sent_not_from_when_it_was_answered() -> None:
    async def main() -> None:
        api, loop = Api(), asyncio.get_running_loop()
        one = Candidate(api, "one", chance=Slow())
        await one.leading.wait()
        # GET tells at once that there is none, POST takes two seconds.
        assert loop.time() == 3
        one.connection.cut = True
        await asyncio.sleep(6.9)
        assert one.elector.held()
        await asyncio.sleep(0.2)
        assert not one.elector.held()
        await one.end()

    simulated(main())


def test_one_that_wakes_too_late_writes_nothing_even_where_nobody_took_over() -> None:
    async def main() -> None:
        api, loop = Api(), asyncio.get_running_loop()
        asleep = 0.0
        elector = Elector(Connection(api), candidacy("one"), Timing(), lambda: loop.time() + asleep)  # type: ignore[arg-type]
        leading = asyncio.Event()
        task = asyncio.create_task(elector.run(leading))
        await asyncio.sleep(5)
        writes, asleep = api.writes, 11.0
        with pytest.raises(NotLeading):
            elector.check("x")
        with pytest.raises(LeaseLost):
            async with asyncio.timeout(60):
                await task
        await elector.release()
        assert api.writes == writes

    simulated(main())


def other_lease(table: str, holder: str = "other", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "ecs-release.default.prod", "annotations": {"ecs-release.dev/shards": table}}
    return {"metadata": metadata, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, **spec}}


def test_one_with_another_table_of_shards_is_waited_for() -> None:
    async def main() -> None:
        api = Api()
        api.leases = [other_lease("table 2", renewTime="begun")]
        one = Candidate(api, "one")
        for second in range(60):
            await asyncio.sleep(1)
            api.leases = [other_lease("table 2", renewTime=f"at {second // 2}")]
            # The Lease is taken, so that the other, were it to begin now, would see it; nothing is done.
            assert api.spec["holderIdentity"] == "one"
            assert not one.leading.is_set()
            with pytest.raises(NotLeading):
                one.elector.check("x")
        api.leases = [other_lease("table 1", renewTime="at last")]
        async with asyncio.timeout(2.1):
            await one.leading.wait()
        one.elector.check("x")
        # From now on it is the others who look.
        api.leases = [other_lease("table 2")]
        await asyncio.sleep(60)
        one.elector.check("x")
        assert api.lease is not None
        assert api.lease["metadata"]["annotations"] == {"ecs-release.dev/shards": "table 1"}
        assert api.lease["metadata"]["labels"] == {"ecs-release.dev/installation": "default"}
        await one.end()

    simulated(main())


@pytest.mark.parametrize(
    ("lease", "seconds"),
    [
        (other_lease("table 1"), 0),
        (other_lease("table 2", holder=""), 0),
        (other_lease("table 2"), 16),
        (other_lease("", leaseDurationSeconds=60), 60),
    ],
)
def test_one_that_is_gone_is_not_waited_for_longer_than_it_may_act(lease: dict[str, Any], seconds: int) -> None:
    async def main() -> None:
        api = Api()
        api.leases = [lease]
        one = Candidate(api, "one")
        await one.leading.wait()
        assert asyncio.get_running_loop().time() == seconds
        await one.end()

    simulated(main())


@pytest.mark.parametrize("seed", range(150))
def test_never_two_at_once_whatever_the_network_does(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        random.seed(seed)
        api, loop = Api(), asyncio.get_running_loop()
        candidates = [Candidate(api, str(number), chance=chance) for number in range(3)]
        held = set()
        while loop.time() < 400:
            await asyncio.sleep(chance.choice((0.05, 0.3, 1)))
            holders = [c for c in candidates if c.elector.held()]
            assert len(holders) <= 1
            held |= {id(c) for c in holders}
            for number, candidate in enumerate(candidates):
                if candidate.task.done() or chance.random() < 0.01:
                    # Killed, or ended by itself: another process takes its place.
                    await (candidate.leave() if chance.random() < 0.3 else candidate.end())
                    candidates[number] = Candidate(api, f"{number} {loop.time()}", chance=chance)
        assert len(held) > 1
        for candidate in candidates:
            await candidate.end()

    simulated(main())
