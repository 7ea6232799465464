"""Showing: whatever is lost, late or killed, there is one of each part in the end, and it shows what status says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE_SET
from ecs_release.domain.model.errors import Blocked, Denied, Retryable, ServerFault, Throttled
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.ports.views import ViewSink
from ecs_release.engine.store.store import Store
from ecs_release.engine.views.kinds import Details, SinkKind, Subject
from ecs_release.engine.views.sinks import GITHUB
from ecs_release.engine.views.views import Views
from tests.builders.objects import environment_object, project_object, release_set_object
from tests.builders.simulated_time import SimulatedClock, run_simulated
from tests.builders.views import FakeViewSink, StatusCluster, counting

START = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT = "5d6e7f8" + "0" * 33
KEY = ObjectKey(RELEASE_SET, "shop", "front-prod")


def entry(an_id: str, at_s: float = 0, outcome: str = "", **more: Any) -> dict[str, Any]:
    ended = {"outcome": outcome, "completionTime": to_time(START + timedelta(seconds=at_s + 60))} if outcome else {}
    return {"id": an_id, "hash": COMMIT, "cause": "Requested", "startTime": to_time(START + timedelta(seconds=at_s)), **ended, **more}


class World:
    """What outlives a crash: the cluster, and the sink. `start` begins a new process."""

    def __init__(self, *, url: str = "https://github.com/acme/store") -> None:
        self.sink, self.cluster = FakeViewSink(), StatusCluster()
        github = {"credentials": "main", "repositories": [{"namespaces": ["shop"], "repositories": ["acme/*"]}]}
        self.cluster.put(environment_object(notify={"github": github}))
        project = project_object()
        self.cluster.put({**project, "spec": {**project["spec"], "git": {"url": url}}})

    def history(self, *entries: dict[str, Any]) -> None:
        """Write a history, newest first, as a pass does."""
        before = self.cluster.objects.get(KEY)
        status = {**((before or {}).get("status") or {}), "history": list(entries)}
        body = self.cluster.put(release_set_object("front-prod", status=status))
        for process in self.processes:
            process.store.changed(RELEASE_SET, body)

    processes: list[Process] = []

    def start(self, shown_on: SinkKind = GITHUB) -> Process:
        process = Process(self, shown_on)
        self.processes = [process]
        return process

    @property
    def view(self) -> dict[str, Any]:
        return (self.cluster.objects[KEY]["status"].get("views") or [{}])[0]


class Process:
    def __init__(self, world: World, shown_on: SinkKind) -> None:
        self.store, self.changed = Store(), list[ObjectKey]()
        for kind in (ENVIRONMENT, PROJECT, RELEASE_SET):
            for key, body in world.cluster.objects.items():
                if key.kind == kind:
                    self.store.changed(kind, body)
        self.views = Views(
            self.store, world.cluster, SimulatedClock(), "default", (shown_on,), {("github", "main"): world.sink}, self.changed.append,  # type: ignore[arg-type]
        )  # fmt: skip
        self.store.on_status = self.views.status_changed
        environment = self.store.environments["prod"]
        assert isinstance(environment, Environment)
        since = self.views.keep([environment])
        assert since is None
        # The status writer's part.
        times = {k: to_time(v) for k, v in self.views.since_times(environment).items()}
        body = world.cluster.objects[ObjectKey(ENVIRONMENT, "", "prod")]
        world.cluster.put({**body, "status": {"githubSinceTime": times["github_since_time"]}})
        self.environment = environment

    def condition(self) -> tuple[str, str, str]:
        (found,) = self.views.conditions(self.environment)
        return found.status, found.reason, found.message

    async def kill(self) -> None:
        self.views.stop()
        await asyncio.sleep(0)


def simulated(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            world = World()
            await test(world)
            for process in world.processes:
                await process.kill()

        run_simulated(main())

    run.__name__ = test.__name__
    return run


@simulated
async def test_a_deployment_set_is_created_and_changed(world: World) -> None:
    world.history()
    world.start()
    world.history(entry("one"))
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["in_progress"]
    world.history(entry("one", outcome="Succeeded"))
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["success"]
    assert world.sink.calls == ["create", "change"]
    assert world.view["outcome"] == "Succeeded" and world.view["place"] == "acme/store"
    with counting(world.sink) as calls:
        await asyncio.sleep(600)
    assert calls == []


@simulated
async def test_what_ran_before_is_inactive_once_the_next_runs(world: World) -> None:
    world.history()
    world.start()
    world.history(entry("one", outcome="Succeeded"))
    await asyncio.sleep(10)
    world.history(entry("two", 100), entry("one", outcome="Succeeded"))
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["success", "in_progress"]
    world.history(entry("two", 100, "Failed"), entry("one", outcome="Succeeded"))
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["success", "failure"]
    world.history(entry("three", 200, "Succeeded"), entry("two", 100, "Failed"), entry("one", outcome="Succeeded"))
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["inactive", "failure", "success"]


@simulated
async def test_states_in_between_may_be_skipped(world: World) -> None:
    world.history()
    world.start()
    world.sink.busy_s = 30
    world.history(entry("one"))
    await asyncio.sleep(5)
    world.history(entry("one", outcome="Succeeded"))
    await asyncio.sleep(20)
    assert world.sink.calls == []
    world.sink.busy_s = 0
    await asyncio.sleep(60)
    assert world.sink.calls == ["create"] and [c["state"] for c in world.sink.shown] == ["success"]


@pytest.mark.parametrize("late_s", [0.0, 10.0])
@pytest.mark.parametrize("loses", [1, 2])
def test_a_lost_answer_makes_no_second_one(loses: int, late_s: float) -> None:
    async def main() -> None:
        world = World()
        world.sink.loses, world.sink.late_s = loses, late_s
        world.history()
        process = world.start()
        world.history(entry("one", outcome="Succeeded"))
        await asyncio.sleep(300)
        assert [c["state"] for c in world.sink.shown] == ["success"]
        assert world.sink.calls.count("create") == 1
        assert process.condition()[0] == "True"
        await process.kill()

    run_simulated(main())


@pytest.mark.parametrize("late_s", [0.0, 10.0, 45.0])
@pytest.mark.parametrize("after", range(1, 14))
def test_it_converges_to_one_wherever_it_is_killed(after: int, late_s: float) -> None:
    """`after` that many steps of 50 ms after the change the process is killed, twice; what it has sent is carried out all the same."""

    async def main() -> None:
        world = World()
        world.sink.late_s, world.sink.takes_s, world.sink.loses = late_s, 0.2, 1
        world.history()
        process = world.start()
        world.history(entry("one", outcome="Succeeded"))
        for _ in range(2):
            await asyncio.sleep(1.0 + after * 0.05)
            await process.kill()
            process = world.start()
        await asyncio.sleep(600)
        assert [c["state"] for c in world.sink.shown] == ["success"]
        with counting(world.sink) as calls:
            await asyncio.sleep(600)
        assert calls == []
        await process.kill()

    run_simulated(main())


@simulated
async def test_of_several_the_oldest_stays(world: World) -> None:
    """The sink shows nothing for longer than is waited for: the second creation is found out, and taken back."""
    world.sink.late_s, world.sink.loses = 50, 1
    world.history()
    world.start()
    world.history(entry("one"))
    await asyncio.sleep(300)
    assert world.sink.calls.count("create") == 2 and world.sink.removed == ["2"]
    assert list(world.sink.things) == ["1"] and world.view["parts"][0]["receipt"] == "1"


@simulated
async def test_conflicts_lose_no_receipt(world: World) -> None:
    world.history()
    world.start()
    world.cluster.conflicts = 8
    world.history(entry("one"))
    await asyncio.sleep(60)
    assert world.sink.calls == ["create"] and world.view["parts"][0]["receipt"] == "1"


@simulated
async def test_the_past_is_not_shown(world: World) -> None:
    world.history(entry("one", -3600, "Succeeded"))
    world.start()
    await asyncio.sleep(60)
    assert world.sink.calls == []
    world.history(entry("two", 60), entry("one", -3600, "Succeeded"))
    await asyncio.sleep(60)
    assert len(world.sink.things) == 1


@simulated
async def test_at_rest_a_restart_calls_nobody(world: World) -> None:
    world.history()
    process = world.start()
    world.history(entry("one", outcome="Succeeded"))
    await asyncio.sleep(60)
    await process.kill()
    with counting(world.sink) as calls:
        reads = world.cluster.reads
        world.start()
        await asyncio.sleep(600)
    assert calls == [] and world.cluster.reads == reads


@simulated
async def test_what_happened_while_nobody_ran_is_shown(world: World) -> None:
    world.history()
    process = world.start()
    world.history(entry("one"))
    await asyncio.sleep(30)
    await process.kill()
    world.processes = []
    world.history(entry("one", outcome="Failed"))
    world.start()
    await asyncio.sleep(30)
    assert [c["state"] for c in world.sink.shown] == ["failure"]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (Denied("bad credentials"), "AccessDenied"),
        (Retryable("no route"), "ProgressingWithRetry"),
        (ServerFault("502"), "ProgressingWithRetry"),
        (Blocked("RejectedBySink", "no such repository"), "RejectedBySink"),
    ],
)
def test_a_sink_that_fails_says_so_and_is_tried_again(problem: Exception, reason: str) -> None:
    async def main() -> None:
        world = World()
        world.sink.problem = problem
        world.history()
        process = world.start()
        world.history(entry("one"))
        await asyncio.sleep(120)
        status, why, message = process.condition()
        assert (status, why) == ("False", reason) and "releases go on" in message
        assert ObjectKey(ENVIRONMENT, "", "prod") in process.changed
        world.sink.problem = None
        await asyncio.sleep(200)
        assert len(world.sink.things) == 1 and process.condition()[:2] == ("True", "Valid")
        await process.kill()

    run_simulated(main())


@simulated
async def test_retry_after_is_honoured(world: World) -> None:
    world.sink.problem = Throttled("slow down", after_s=120)
    world.history()
    world.start()
    world.history(entry("one"))
    await asyncio.sleep(10)
    world.sink.problem = None
    with counting(world.sink) as calls:
        await asyncio.sleep(100)
    assert calls == []
    await asyncio.sleep(30)
    assert len(world.sink.things) == 1


def test_a_place_that_is_not_listed_is_refused_in_a_condition() -> None:
    async def main() -> None:
        world = World(url="https://github.com/victim/site")
        world.history()
        process = world.start()
        world.history(entry("one"))
        await asyncio.sleep(60)
        status, reason, message = process.condition()
        assert (status, reason) == ("False", "TargetNotAllowed")
        assert "ReleaseSet shop/front-prod is not shown" in message and "'victim/site'" in message
        assert world.sink.calls == []

        async def move(url: str) -> tuple[str, str]:
            key = ObjectKey(PROJECT, "shop", "store")
            body = world.cluster.objects[key]
            metadata = {**body["metadata"], "generation": body["metadata"].get("generation", 1) + 1}
            process.store.changed(PROJECT, world.cluster.put({**body, "spec": {**body["spec"], "git": {"url": url}}, "metadata": metadata}))
            process.views.object_changed(key)
            await asyncio.sleep(60)
            return process.condition()[:2]

        assert await move("https://github.com/acme/store") == ("True", "Valid")
        world.history(entry("one", outcome="Succeeded"))
        await asyncio.sleep(60)
        assert len(world.sink.things) == 1
        # All is shown, and no longer refused, though nothing of the set changes.
        assert await move("https://github.com/victim/site") == ("True", "Valid")
        (facts,) = process.store.sets.values()
        process.views.status_changed(facts)
        await asyncio.sleep(60)
        assert process.condition()[:2] == ("False", "TargetNotAllowed")
        assert await move("https://github.com/acme/store") == ("True", "Valid")
        await process.kill()

    run_simulated(main())


def test_a_connection_that_is_not_there() -> None:
    async def main() -> None:
        world, store = World(), Store()
        for key, body in world.cluster.objects.items():
            store.changed(key.kind, body)
        environment = store.environments["prod"]
        assert isinstance(environment, Environment)
        views = Views(store, world.cluster, SimulatedClock(), "default", (GITHUB,), {}, lambda _: None)  # type: ignore[arg-type]
        views.keep([environment])
        (found,) = views.conditions(environment)
        assert (found.status, found.reason) == ("False", "InvalidSpec") and "no connection 'main' to github" in found.message

    run_simulated(main())


def test_what_is_to_be_found_out_is_not_late() -> None:
    """The commits service does not answer: GitHub shows all that is known. A sink that refuses is late."""

    async def main() -> None:
        async def unknown(_sink: ViewSink, _subject: Subject) -> Details:
            return Details(again_s=15)

        world = World()
        world.history()
        process = world.start(replace(GITHUB, details=unknown))
        world.history(entry("one"))
        await asyncio.sleep(1000)
        (state,) = process.views.states()
        assert state.waiting == 1 and state.oldest_s < 20
        world.sink.problem = Blocked("RejectedBySink", "no such repository")
        world.history(entry("one", outcome="Succeeded"))
        await asyncio.sleep(1000)
        (state,) = process.views.states()
        assert state.oldest_s > 900
        await process.kill()

    run_simulated(main())
