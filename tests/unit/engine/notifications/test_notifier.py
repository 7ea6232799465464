"""Notifying: everything is told at least once, over crashes and overflows too, and nobody waits for a sink."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT, RELEASE, RELEASE_SET
from ecs_release.api.notification import Notification
from ecs_release.domain.model.errors import Blocked, Denied, Retryable
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.notifications.outbox import LATE, LIMIT, LIMIT_BYTES
from ecs_release.engine.store.store import Store
from tests.builders.objects import environment_object, release_object, release_set_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

ARN = "arn:aws:sns:eu-west-1:111122223333:releases"


@dataclass
class FakeSink:
    """A sink, and the adapter that makes it. While `problem` is set nothing is accepted, and never what is about one of `refuses`."""

    at_once: int = 10
    problem: Exception | None = None
    hangs_s: float = 0.0
    refuses: set[str] = field(default_factory=set)
    accepted: list[str] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    def sink(self, *_: object) -> FakeSink:
        return self

    async def send(self, notifications: Sequence[Notification]) -> int:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.hangs_s or 0.01)
        if self.problem is not None:
            raise self.problem
        taken = list(takewhile(lambda n: n.data.name not in self.refuses, notifications[: self.at_once]))
        if not taken:
            raise Blocked("RejectedByAWS", f"{notifications[0].data.name}: too long")
        self.accepted += [n.id for n in taken]
        return len(taken)


class Surroundings:
    """What outlives a crash: the cluster's objects and the sink. `start` begins a new process."""

    def __init__(self, sink: FakeSink) -> None:
        self.sink = sink
        self.objects: dict[ObjectKey, dict[str, Any]] = {}
        self.refused: dict[str, float] = {}
        """Until when reads of some names are refused, by the event loop's time."""
        self.environment("prod")

    def environment(self, name: str, arn: str = ARN) -> None:
        key = ObjectKey(ENVIRONMENT, "", name)
        generation = self.objects[key]["metadata"]["generation"] + 1 if key in self.objects else 1
        status = self.objects[key].get("status", {}) if key in self.objects else {}
        made = environment_object(name, **({"notify": {"snsTopicARN": arn}} if arn else {}))
        made["metadata"]["generation"] = generation
        self.objects[key] = made | {"status": status}

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        if asyncio.get_running_loop().time() < self.refused.get(key.name, 0.0):
            raise Denied("may not get it")
        return self.objects.get(key)

    def release(self, name: str, *history: dict[str, Any], environment: str = "prod", **status: Any) -> ObjectKey:
        key = ObjectKey(RELEASE, "shop", name)
        self.objects[key] = release_object(name, environmentRef={"name": environment}, status={"history": list(history), **status})
        return key

    def start(self) -> Process:
        return Process(self)


class Process:
    """One process: a store that the watch fills, and a notifier."""

    def __init__(self, world: Surroundings) -> None:
        self.world = world
        self.clock = SimulatedClock()
        self.store = Store()
        self.changed: list[ObjectKey] = []
        self.notifier = Notifier(self.store, world, world.sink, self.clock, "default", self.changed.append)  # type: ignore[arg-type]
        self.store.on_transition = self.notifier.on_transition
        for key in list(world.objects):
            self.watch(key)
        self.keep()

    def watch(self, key: ObjectKey) -> None:
        self.store.changed(key.kind, self.world.objects[key])

    def keep(self) -> None:
        self.notifier.keep(e for e in self.store.environments.values() if isinstance(e, Environment))

    def sweep(self, name: str = "prod") -> datetime | None:
        """Write the Environment's status, as `Statuses` does."""
        time = self.notifier.notified_time(name)
        if time is not None:
            self.world.objects[ObjectKey(ENVIRONMENT, "", name)]["status"]["notifiedTime"] = to_time(time)
        return time

    def said(self, name: str = "prod") -> tuple[str, str]:
        environment = self.store.environments[name]
        assert isinstance(environment, Environment)
        (said,) = self.notifier.conditions(environment)
        return said.status, said.reason

    def die(self) -> None:
        self.notifier.keep(())


def attempt(number: int, outcome: str | None = None, *, begun: datetime, ended: datetime | None = None) -> dict[str, Any]:
    found = {"attemptID": f"a{number}", "cause": "Requested", "startTime": to_time(begun)}
    return found | ({"outcome": outcome, "completionTime": to_time(ended)} if outcome and ended else {})


async def roll_out(process: Process, name: str = "web", number: int = 1, outcome: str = "Succeeded") -> None:
    """A rollout of ten seconds, as it is seen in the Release's status."""
    begun = process.clock.now()
    history = (process.world.objects.get(ObjectKey(RELEASE, "shop", name)) or {}).get("status", {}).get("history", [])
    process.watch(process.world.release(name, attempt(number, begun=begun), *history[:9]))
    await asyncio.sleep(10)
    process.watch(process.world.release(name, attempt(number, outcome, begun=begun, ended=process.clock.now()), *history[:9]))


def ids(name: str, number: int = 1, word: str = "succeeded") -> list[str]:
    return [f"uid-{name}.a{number}.started", f"uid-{name}.a{number}.{word}"]


def test_what_happens_is_told_once_and_in_order() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        world.release("web")
        process = world.start()
        await asyncio.sleep(1)
        assert process.said() == ("Unknown", "NotAttempted")
        await roll_out(process)
        await roll_out(process, number=2, outcome="RolledBack")
        # The watch's echo of what we have written ourselves.
        process.watch(ObjectKey(RELEASE, "shop", "web"))
        await asyncio.sleep(1)
        assert process.said() == ("True", "Valid")
        assert process.changed == [ObjectKey(ENVIRONMENT, "", "prod")] * 2, "it begins, and the first was accepted"
        process.die()

    run_simulated(main())
    assert sink.accepted == [*ids("web"), *ids("web", 2, "rolled-back")]


def test_the_past_is_not_told_where_notify_is_new() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        world.environment("prod", arn="")
        world.release("web")
        process = world.start()
        await roll_out(process)
        await asyncio.sleep(2)
        world.environment("prod")
        process.watch(ObjectKey(ENVIRONMENT, "", "prod"))
        process.keep()
        await asyncio.sleep(5)
        assert process.sweep() == process.clock.now() - timedelta(seconds=5)
        await roll_out(process, number=2)
        await asyncio.sleep(1)
        process.die()

    run_simulated(main())
    assert sink.accepted == ids("web", 2)


def test_a_sink_that_is_down_is_asked_ever_less_and_told_everything_after_it(caplog: pytest.LogCaptureFixture) -> None:
    sink = FakeSink(at_once=1, problem=Denied("sns:Publish on releases: not authorized"))

    async def main() -> None:
        world = Surroundings(sink)
        world.release("web")
        process = world.start()
        await asyncio.sleep(1)
        await roll_out(process)
        sink.problem = Denied("sns:Publish on releases: in other words")
        await asyncio.sleep(600)
        assert process.said() == ("False", "AccessDenied")
        mark = process.sweep()
        assert mark is not None
        assert mark < process.clock.now() - timedelta(seconds=605), "it stays before what was not accepted"
        sink.problem = None
        await asyncio.sleep(61)
        assert process.said() == ("True", "Valid")
        await asyncio.sleep(120)
        assert process.sweep() == process.clock.now() - LATE
        process.die()

    with caplog.at_level(logging.INFO):
        run_simulated(main())
    assert sink.accepted == ids("web")
    pauses = [round(b - a) for a, b in zip(sink.asked, sink.asked[1:], strict=False)]
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [r.levelname for r in caplog.records if "releases" in r.getMessage()] == ["WARNING", "INFO"], "logged once a change"


def test_a_sink_that_does_not_answer_holds_nobody_up() -> None:
    sink = FakeSink(hangs_s=1e6)

    async def main() -> None:
        world = Surroundings(sink)
        world.environment("other")
        world.release("web")
        process = world.start()
        begun = process.clock.monotonic()
        await asyncio.sleep(1)
        await roll_out(process)
        assert process.clock.monotonic() - begun == pytest.approx(11)
        await asyncio.sleep(300)
        assert process.said() == ("False", "ProgressingWithRetry")
        sink.hangs_s = 0
        await asyncio.sleep(300)
        process.die()

    run_simulated(main())
    assert sink.accepted == ids("web")


def test_what_was_not_accepted_before_a_crash_is_told_after_it() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        for name in ("web", "api", "old"):
            world.release(name)
        first = world.start()
        await roll_out(first, "old")
        await asyncio.sleep(1000)
        first.sweep()
        assert sink.accepted == ids("old")
        sink.problem = Retryable("down")
        await roll_out(first, "web")
        await asyncio.sleep(1000)
        first.sweep()
        first.die()
        sink.problem = None
        # While nobody runs a status changes still: another replica's last write.
        now = first.clock.now()
        world.release("api", attempt(1, "Succeeded", begun=now - timedelta(seconds=30), ended=now))
        await asyncio.sleep(5)
        second = world.start()
        await roll_out(second, "web", 2)
        await asyncio.sleep(5)
        second.sweep()
        second.die()
        # Nothing is lost, each Release's in order, and no more told again than what happened about two minutes before.
        assert [i for i in sink.accepted if "web" in i] == [*ids("web"), *ids("web", 2)]
        assert [i for i in sink.accepted if "web" not in i] == [*ids("old"), *ids("api")]
        third = world.start()
        await asyncio.sleep(5)
        third.die()
        assert sorted(sink.accepted[8:]) == sorted([*ids("api"), *ids("web", 2)]), "with the same ids"

    run_simulated(main())


def test_what_the_queue_cannot_hold_is_made_again_from_statuses() -> None:
    sink = FakeSink(problem=Retryable("down"))
    names = [f"s{n}" for n in range(LIMIT)]

    async def main() -> None:
        world = Surroundings(sink)
        for name in names:
            world.release(name)
        process = world.start()
        await asyncio.sleep(1)
        begun = process.clock.now()
        await asyncio.gather(*(roll_out(process, name) for name in names))
        (channel,) = process.notifier._channels.values()
        assert len(channel.outbox) <= LIMIT
        await asyncio.sleep(500)
        mark = process.sweep()
        assert mark is not None
        assert mark < begun, "the mark stays behind what was dropped"
        sink.problem = None
        await asyncio.sleep(500)
        assert process.sweep() == process.clock.now() - LATE
        process.die()

    run_simulated(main())
    assert set(sink.accepted) == {i for name in names for i in ids(name)}


def test_a_changed_sink_is_told_what_the_old_one_did_not_accept() -> None:
    sink = FakeSink(problem=Denied("no such topic"))

    async def main() -> None:
        world = Surroundings(sink)
        world.release("web")
        process = world.start()
        await asyncio.sleep(1)
        await roll_out(process)
        await asyncio.sleep(100)
        sink.problem = None
        world.environment("prod", arn=ARN + "2")
        process.watch(ObjectKey(ENVIRONMENT, "", "prod"))
        process.keep()
        await asyncio.sleep(1)
        process.die()

    run_simulated(main())
    assert sink.accepted == ids("web")


def test_sets_and_drift_are_told_of_and_found_again() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        key = ObjectKey(RELEASE_SET, "shop", "all")
        world.objects[key] = release_set_object("all")
        world.release("web")
        process = world.start()
        await asyncio.sleep(1)
        entry = {"id": "d1", "startTime": to_time(process.clock.now())}
        world.objects[key] |= {"status": {"history": [entry]}}
        process.watch(key)
        drift = {"startTime": to_time(process.clock.now())}
        process.watch(world.release("web", lastDrift=drift))
        await asyncio.sleep(1)
        process.watch(world.release("web", lastDrift=drift | {"endTime": to_time(process.clock.now())}))
        await asyncio.sleep(1)
        process.sweep()
        process.die()
        told = ["uid-all.d1.set-started", "uid-web.20260101t000001.drifted", "uid-web.20260101t000001.in-sync"]
        assert sink.accepted == told
        again = world.start()
        await asyncio.sleep(1)
        again.die()
        assert sink.accepted == told * 2

    run_simulated(main())


def test_what_cannot_be_read_is_left_out_and_silences_nobody(caplog: pytest.LogCaptureFixture) -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        world.release("web")
        world.release("odd")
        process = world.start()
        await asyncio.sleep(1)
        process.watch(world.release("odd", attempt(1, begun=process.clock.now()), running=7))
        await roll_out(process)
        await asyncio.sleep(1)
        process.die()

    run_simulated(main())
    assert sink.accepted == ids("web")
    assert "cannot tell of Release shop/odd" in caplog.text


def test_a_sink_that_fails_now_and_then_does_not_flap() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        world.release("web")
        process = world.start()
        await roll_out(process)
        await asyncio.sleep(1)
        begun = len(process.changed)
        for number in range(2, 12):
            sink.problem = Retryable("a hiccup")
            await roll_out(process, number=number)
            assert process.said() == ("True", "Valid")
            await asyncio.sleep(2)
            sink.problem = None
            await asyncio.sleep(10)
        assert len(process.changed) == begun, "the Environment is not written"
        process.die()

    run_simulated(main())
    assert len(sink.accepted) == 22


def test_what_a_sink_refuses_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    sink = FakeSink(refuses={"odd"})

    async def main() -> None:
        world = Surroundings(sink)
        for name in ("odd", "web"):
            world.release(name)
        process = world.start()
        await asyncio.sleep(1)
        await asyncio.gather(roll_out(process, "odd"), roll_out(process, "web"))
        await asyncio.sleep(1)
        assert sink.accepted == ids("web") and process.said() == ("True", "Valid")
        await asyncio.gather(roll_out(process, "odd", 2), roll_out(process, "web", 2))
        await asyncio.sleep(600)
        assert sink.accepted == [*ids("web"), *ids("web", 2)]
        mark = process.sweep()
        assert mark is not None and mark < process.clock.now() - timedelta(seconds=620), "it stays before what is refused"
        process.die()
        again = world.start()
        sink.accepted.clear()
        await asyncio.sleep(10)
        assert [i for i in sink.accepted if "web" in i][:4] == [*ids("web"), *ids("web", 2)], "nor what is told again"
        sink.refuses.clear()
        await asyncio.sleep(61)
        assert [i for i in sink.accepted if "odd" in i] == [*ids("odd"), *ids("odd", 2)], "its order is kept"
        again.die()

    run_simulated(main())
    said = [r.getMessage() for r in caplog.records if "refuses an entry: odd: too long" in r.getMessage()]
    assert len(said) == 2, "logged once by each process"


def test_a_sink_that_is_gone_is_asked_once_a_minute_however_much_waits() -> None:
    """It refuses each notification for a cause of its own: a topic that was deleted, say."""
    sink = FakeSink()
    names = [f"s{n}" for n in range(40)]
    sink.refuses = set(names)

    async def main() -> None:
        world = Surroundings(sink)
        for name in names:
            world.release(name)
        process = world.start()
        await asyncio.sleep(1)
        await asyncio.gather(*(roll_out(process, name) for name in names))
        await asyncio.sleep(600)
        assert process.said() == ("False", "RejectedByAWS")
        assert len(sink.asked) < len(names) + 25, "each Release's news once, and once a minute in all"
        asked = len(sink.asked)
        await asyncio.sleep(600)
        assert len(sink.asked) - asked == 10
        sink.refuses.clear()
        await asyncio.sleep(61)
        assert process.said() == ("True", "Valid")
        process.die()

    run_simulated(main())
    assert sorted(sink.accepted) == sorted(i for name in names for i in ids(name))


def test_a_queue_takes_no_more_than_so_many_bytes() -> None:
    sink = FakeSink(problem=Retryable("down"))
    long = {"message": "\N{SNOWMAN}" * 1024, "description": "\N{SNOWMAN}" * 1024}

    async def main() -> None:
        world = Surroundings(sink)
        for n in range(LIMIT // 2):
            world.release(f"s{n}")
        process = world.start()
        await asyncio.sleep(1)
        begun = process.clock.now()
        for n in range(LIMIT // 2):
            process.watch(world.release(f"s{n}", attempt(1, "Succeeded", begun=begun, ended=begun) | long))
        (channel,) = process.notifier._channels.values()
        waiting = [w.notification for w in channel.outbox._waiting.values()]
        assert 0 < len(waiting) < LIMIT // 2
        assert sum(len(n.to_json()) for n in waiting) <= LIMIT_BYTES
        sink.problem = None
        await asyncio.sleep(200)
        assert process.sweep() == process.clock.now() - LATE
        process.die()

    run_simulated(main())
    assert set(sink.accepted) == {i for n in range(LIMIT // 2) for i in ids(f"s{n}")}


def test_what_may_not_be_read_for_a_while_is_told_again_all_the_same_and_what_never_may_be_keeps_nobody_waiting() -> None:
    sink = FakeSink()

    async def main() -> None:
        world = Surroundings(sink)
        for name in ("never", "later", "web"):
            world.release(name)
        process = world.start()
        await asyncio.sleep(1)
        process.sweep()
        sink.problem = Retryable("down")
        for name in ("never", "later", "web"):
            await roll_out(process, name)
        process.die()
        sink.problem = None
        now = asyncio.get_running_loop().time()
        world.refused = {"prod": now + 40, "never": math.inf, "later": now + 180}
        process = world.start()
        await asyncio.sleep(600)
        assert process.said() == ("True", "Valid")
        process.die()

    run_simulated(main())
    assert set(sink.accepted) == {*ids("later"), *ids("web")}
