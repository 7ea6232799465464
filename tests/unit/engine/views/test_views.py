"""Showing: whatever is lost, late or killed, there is one of each part in the end, and it shows what status says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
        github = {"credentials": "main", "repositories": [{"namespaces": ["*"], "repositories": ["acme/*"]}]}
        self.cluster.put(environment_object(notify={"github": github}))
        project = project_object()
        for namespace in ("shop", "mall"):
            metadata = {**project["metadata"], "namespace": namespace}
            self.cluster.put({**project, "metadata": metadata, "spec": {**project["spec"], "git": {"url": url}}})

    def history(self, *entries: dict[str, Any], of: ObjectKey = KEY) -> None:
        """Write a history, newest first, as a pass does."""
        before = self.cluster.objects.get(of)
        status = {**((before or {}).get("status") or {}), "history": list(entries), "services": self.services}
        body = self.cluster.put(release_set_object(of.name, namespace=of.namespace, status=status))
        for process in self.processes:
            process.store.changed(RELEASE_SET, body)

    processes: list[Process] = []
    services: list[dict[str, Any]] = []

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
        self.other = self.store.environments.get("staging", environment)
        assert isinstance(environment, Environment) and isinstance(self.other, Environment)
        since = self.views.keep({id(e): e for e in (environment, self.other)}.values())
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
async def test_what_the_history_has_no_room_for_is_inactive_once_the_next_runs(world: World) -> None:
    entries = [entry("one", outcome="Succeeded")]
    world.history()
    world.start()
    world.history(*entries)
    await asyncio.sleep(10)
    for n in range(1, 12):
        entries = [entry(f"failed-{n}", n * 100, "Failed"), *entries][:10]
        world.history(*entries)
        await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["success", *["failure"] * 11]
    world.history(entry("next", 1200, "Succeeded"), *entries[:9])
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["inactive", *["failure"] * 11, "success"]
    with counting(world.sink) as calls:
        await asyncio.sleep(600)
    assert calls == []


@simulated
async def test_a_promotion_is_inactive_once_the_next_runs(world: World) -> None:
    """Which commit it means is known while it is the latest."""
    world.history()
    world.start()
    image = {"container": "app", "repository": "store", "digest": f"sha256:{'a' * 64}", "releaseHash": COMMIT}
    world.services = [{"name": "web", "images": [image]}]
    promoted = entry("one", outcome="Succeeded", hash="as in staging")
    world.history(promoted)
    await asyncio.sleep(10)
    world.history(entry("two", 100, "Succeeded", hash="as in staging"), promoted)
    await asyncio.sleep(10)
    assert [c["state"] for c in world.sink.shown] == ["inactive", "success"]


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


def with_pulls(*numbers: int) -> SinkKind:
    """GitHub, where a deployment set brings these pull requests."""

    async def details(_sink: ViewSink, _subject: Subject) -> Details:
        return Details(frozenset(numbers))

    return replace(GITHUB, details=details)


@settings(max_examples=60)
@given(
    late_s=st.sampled_from([0.0, 5.0, 29.0, 45.0]),
    begins_s=st.lists(st.floats(0, 40), min_size=1, max_size=3),
    throttled_s=st.sampled_from([0.0, 100.0, 3600.0]),
    loses=st.integers(0, 3),
    killed_s=st.one_of(st.none(), st.floats(0, 90)),
)
@example(late_s=5.0, begins_s=[0.0, 0.0], throttled_s=0.0, loses=0, killed_s=None)
@example(late_s=0.0, begins_s=[0.0, 0.0], throttled_s=3600.0, loses=0, killed_s=None)
@example(late_s=29.0, begins_s=[0.0, 1.0, 25.0], throttled_s=0.0, loses=1, killed_s=2.0)
def test_sets_that_bring_one_pull_request_have_one_comment(
    late_s: float, begins_s: list[float], throttled_s: float, loses: int, killed_s: float | None
) -> None:
    """Whatever they begin together with, lose or wait for: each has a section in the oldest, with what it says last."""

    async def main() -> None:
        world = World()
        world.sink.late_s, world.sink.loses = late_s, loses
        keys = [replace(KEY, name=f"set-{n}") for n in range(len(begins_s))]
        for key in keys:
            world.history(of=key)
        process = world.start(with_pulls(7))

        async def begin(key: ObjectKey, at_s: float) -> None:
            await asyncio.sleep(at_s)
            world.history(entry(key.name), of=key)

        async def throttle() -> None:
            await asyncio.sleep(1.2)
            world.sink.problem = Throttled("slow down", 10) if throttled_s else None
            await asyncio.sleep(throttled_s)
            world.sink.problem = None

        async def kill() -> None:
            if killed_s is not None:
                await asyncio.sleep(killed_s)
                await world.processes[0].kill()
                world.start(with_pulls(7))

        await asyncio.gather(kill(), throttle(), *(begin(key, at_s) for key, at_s in zip(keys, begins_s, strict=True)))
        await asyncio.sleep(5)
        for key in keys:
            world.history(entry(key.name, outcome="Succeeded"), of=key)
        await asyncio.sleep(1800)
        (comment,) = (t for t in world.sink.things.values() if "owner" in t.content)
        said = [section["text"] for section in comment.sections.values()]
        assert len(said) == len(keys) and all("**Live**" in text for text in said)
        assert len(world.sink.things) == 1 + len(keys), "and a Deployment each"
        with counting(world.sink) as calls:
            await asyncio.sleep(1800)
        assert calls == []
        for process in world.processes:
            await process.kill()

    run_simulated(main())


def test_one_namespace_does_not_spend_the_hour_of_all() -> None:
    async def main() -> None:
        world = World()
        world.sink.hourly = 100
        many = [replace(KEY, name=f"set-{n}") for n in range(80)]
        other = replace(KEY, namespace="mall")
        for key in (*many, other):
            world.history(of=key)
        process = world.start()
        for key in many:
            world.history(entry(key.name), of=key)
        await asyncio.sleep(60)
        assert len(world.sink.things) == 50
        world.history(entry("other"), of=other)
        await asyncio.sleep(10)
        assert len(world.sink.things) == 51, "it is shown at once"
        await asyncio.sleep(3600)
        assert len(world.sink.things) == 81 and process.views.states()[0].waiting == 0
        await process.kill()

    run_simulated(main())


@simulated
async def test_deployments_of_all_come_before_comments_of_any(world: World) -> None:
    keys = [replace(KEY, name=f"set-{n}") for n in range(5)]
    for key in keys:
        world.history(of=key)
    world.start(with_pulls(7, 8, 9))
    for key in keys:
        world.history(entry(key.name), of=key)
    await asyncio.sleep(60)
    made = ["pull" if "owner" in t.content else "deployment" for t in world.sink.things.values()]
    assert made == ["deployment"] * 5 + ["pull"] * 3


@pytest.mark.parametrize("refused", ["deployment", "pull/7"])
def test_a_part_that_is_refused_is_the_only_one_that_is_missing(refused: str) -> None:
    async def main() -> None:
        world = World()
        world.sink.refuses[refused] = Blocked("RejectedBySink", "acme/store on GitHub has no such thing")
        world.history()
        process = world.start(with_pulls(7, 8))
        world.history(entry("one"))
        await asyncio.sleep(60)
        assert len(world.sink.things) == 2
        status, reason, message = process.condition()
        assert (status, reason) == ("False", "RejectedBySink") and "releases go on" in message
        assert "ReleaseSet shop/front-prod is not shown in full: acme/store on GitHub has no such thing" in message
        # What is there is changed, and the next deployment set is shown.
        world.history(entry("one", outcome="Succeeded"))
        await asyncio.sleep(60)
        others = [t.content for t in world.sink.things.values()]
        assert all(c.get("state") == "success" or "**Live**" in c.get("text", "") for c in others)
        world.history(entry("two", 100), entry("one", outcome="Succeeded"))
        await asyncio.sleep(60)
        with counting(world.sink) as calls:
            await asyncio.sleep(3600)
        assert 0 < len(calls) < 80, "it is tried again, each time later"
        world.history(entry("two", 100, "Succeeded"), entry("one", outcome="Succeeded"))
        await asyncio.sleep(10)
        others = [t.content for t in world.sink.things.values()]
        assert all(c.get("state", "success") in ("inactive", "success") for c in others), "what else has changed is shown at once"
        world.sink.refuses.clear()
        await asyncio.sleep(400)
        assert process.condition()[:2] == ("True", "Valid")
        with counting(world.sink) as calls:
            await asyncio.sleep(3600)
        assert calls == [] and process.views.states()[0].waiting == 0
        await process.kill()

    run_simulated(main())


def test_what_was_refused_and_has_been_replaced_is_given_up() -> None:
    async def main() -> None:
        world = World()
        world.sink.refuses["d" * 40] = Blocked("RejectedBySink", "no commit")
        world.history()
        process = world.start()
        world.history(entry("one", hash="d" * 40))
        await asyncio.sleep(60)
        assert process.condition()[0] == "False"
        world.history(entry("two", 100), entry("one", outcome="Superseded", hash="d" * 40))
        await asyncio.sleep(60)
        assert process.condition()[0] == "True"
        process.changed.clear()
        with counting(world.sink) as calls:
            world.history(entry("two", 100, "Succeeded"), entry("one", outcome="Superseded", hash="d" * 40))
            await asyncio.sleep(3600)
        assert [c["state"] for c in world.sink.shown] == ["success"] and len(calls) < 5
        assert process.changed == [], "the condition stays as it is"
        await process.kill()

    run_simulated(main())


def test_what_is_refused_of_one_object_is_told_in_its_environment_alone() -> None:
    async def main() -> None:
        world = World()
        body = world.cluster.objects[ObjectKey(ENVIRONMENT, "", "prod")]
        world.cluster.put(environment_object("staging", notify=body["spec"]["notify"]))
        world.history()
        process = world.start()
        world.sink.refuses["acme/store"] = Blocked("RejectedBySink", "acme/store on GitHub has no commit")
        world.history(entry("one"))
        await asyncio.sleep(120)
        (found,) = process.views.conditions(process.other)
        assert (found.status, found.message) == ("Unknown", "nothing was sent since the operator's start")
        assert process.condition()[:2] == ("False", "RejectedBySink")
        # The sink failed before, and it works: it refuses.
        world.sink.problem = Denied("bad credentials")
        await asyncio.sleep(400)
        assert process.condition()[:2] == ("False", "AccessDenied")
        world.sink.problem = None
        await asyncio.sleep(400)
        (found,) = process.views.conditions(process.other)
        assert found.status == "Unknown" and process.condition()[:2] == ("False", "RejectedBySink")
        # The object is deleted.
        process.changed.clear()
        process.views.deleted(KEY)
        assert process.condition()[0] == "Unknown" and ObjectKey(ENVIRONMENT, "", "prod") in process.changed
        await process.kill()

    run_simulated(main())


@simulated
async def test_what_is_deleted_while_it_is_refused_is_forgotten(world: World) -> None:
    world.history()
    process = world.start()
    world.sink.problem, world.sink.takes_s = Blocked("RejectedBySink", "no"), 5
    world.history(entry("one"))
    await asyncio.sleep(4)
    assert world.sink.calls == ["create"]
    process.views.deleted(KEY)
    await asyncio.sleep(60)
    assert process.condition()[0] == "Unknown"


def test_what_github_refuses_to_tell_delays_nothing_else() -> None:
    async def main() -> None:
        async def refused(_sink: ViewSink, _subject: Subject) -> Details:
            return Details(problem=Blocked("RejectedBySink", "no access to pull requests"))

        world = World()
        world.history()
        process = world.start(replace(GITHUB, details=refused))
        world.history(entry("one", outcome="Succeeded"))
        await asyncio.sleep(60)
        assert [c["state"] for c in world.sink.shown] == ["success"] and "outcome" not in world.view
        assert process.condition()[1] == "RejectedBySink" and "no access to pull requests" in process.condition()[2]
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
