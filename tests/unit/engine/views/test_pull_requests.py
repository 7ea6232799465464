"""Which pull requests a deployment set brings, and when nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.project import Project
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.model.errors import Blocked, Denied, Retryable
from ecs_release.domain.ports.commits import Commit, CommitRange, FullHash, Repository, Span, Unknown, UnknownReason
from ecs_release.domain.views.documents import mark_of
from ecs_release.domain.views.services import ShownService
from ecs_release.domain.views.shown import Shown
from ecs_release.engine.views.kinds import Details, Subject
from ecs_release.engine.views.pull_requests import MOST_COMMITS, MOST_PULLS, PullRequestFinder
from tests.builders.objects import environment, project_object
from tests.builders.views import FakeViewSink

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPAN = Span("a" * 40, "b" * 40)


@dataclass
class Host(FakeViewSink):
    """A sink with repositories: of each commit its pull requests."""

    pulls: dict[str, Sequence[int]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    async def pull_requests(self, address: str, commit: str) -> Sequence[int]:
        assert address == "acme/store"
        self.calls.append(commit)
        if commit in self.missing:
            raise Blocked("RejectedBySink", f"no commit {commit}")
        return self.pulls.get(commit, ())


@dataclass
class Graph:
    """The commits service."""

    answer: Any = None
    asked: list[tuple[Repository, str, str]] = field(default_factory=list)

    async def between(self, repository: Repository, a: str, b: str) -> Any:
        self.asked.append((repository, a, b))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def full_hash(self, repository: Repository, abbreviated: str, max_age_s: float) -> Any:
        return FullHash(abbreviated.ljust(40, "0"), NOW) if abbreviated != "dead" * 3 else Unknown(UnknownReason.COMMIT_NOT_FOUND, "none")


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def commits(count: int) -> CommitRange:
    return CommitRange(count, tuple(Commit(f"{n:040x}", "s", "a", NOW) for n in range(count)))


def subject(*, wanted: bool = True, view: View | None = None, **more: Any) -> Subject:
    github: dict[str, Any] = {"credentials": "main", "repositories": [{"namespaces": ["*"], "repositories": ["*/*"]}]}
    body = project_object()
    one = Shown(
        id="s", kind="ReleaseSet", namespace="shop", name="front", uid="u", project="store", service_set="front", environment="prod",
        installation="default", is_latest=True, is_replaced=False, start_time=NOW, spans=(SPAN,),
    )  # fmt: skip
    place = environment(notify={"github": github | ({"pullRequests": {}} if wanted else {})})
    project = Project.model_validate({**body, "spec": {**body["spec"], "git": {"url": "https://github.com/acme/store"}}})
    return Subject(replace(one, **more), place, project, "acme/store", view)


async def found(graph: Graph | None, host: FakeViewSink, asked: Subject) -> Details:
    finder = PullRequestFinder(graph, Clock())  # type: ignore[arg-type]
    details = await finder.details(host, asked)
    while details.again_s == 1.0:
        # It is the turn of others.
        details = await finder.details(host, asked)
    return details


async def test_commits_between_and_their_pull_requests() -> None:
    graph, host = Graph(commits(3)), Host(pulls={f"{0:040x}": [7], f"{2:040x}": [7, 9]})
    assert await found(graph, host, subject()) == Details(frozenset({7, 9}))
    assert graph.asked == [(Repository("shop", "https://github.com/acme/store", "main"), SPAN.before, SPAN.after)]


async def test_short_hashes_are_resolved() -> None:
    graph = Graph(commits(1))
    await found(graph, Host(), subject(spans=(Span("abc1234", "b" * 40),)))
    assert graph.asked[0][1:] == ("abc1234".ljust(40, "0"), "b" * 40)
    details = await found(graph, Host(), subject(spans=(Span("dead" * 3, "b" * 40),)))
    assert details.again_s is not None and len(graph.asked) == 1


async def test_what_is_not_known_yet_is_asked_again() -> None:
    for answer in (Unknown(UnknownReason.PENDING, "not yet"), Retryable("down")):
        details = await found(Graph(answer), Host(), subject())
        assert details.pull_requests == frozenset() and details.again_s is not None


async def test_nobody_is_asked_where_nothing_is_to_be_found_out() -> None:
    view = View(id="github/s", outcome="Succeeded", parts=[ViewPart(name="deployment"), ViewPart(name="pull/7")])
    for graph, host, asked, numbers in (
        (None, Host(), subject(), set()),
        (Graph(), FakeViewSink(), subject(), set()),
        (Graph(), Host(), subject(wanted=False), set()),
        (Graph(), Host(), subject(is_latest=False, view=view), {7}),
        (Graph(), Host(), subject(outcome="Succeeded", completion_time=NOW, view=view), {7}),
        (Graph(), Host(), subject(outcome="Failed", completion_time=NOW - timedelta(hours=1), view=view), {7}),
    ):
        assert await found(graph, host, asked) == Details(frozenset(numbers))
        assert host.calls == [] and (graph is None or graph.asked == [])


async def test_it_has_bounds() -> None:
    host = Host(pulls={f"{n:040x}": [n + 1] for n in range(250)})
    details = await found(Graph(commits(250)), host, subject())
    assert len(details.pull_requests) == MOST_PULLS
    host = Host()
    await found(Graph(commits(250)), host, subject())
    assert len(set(host.calls)) == MOST_COMMITS
    host = Host()
    finder, details = PullRequestFinder(Graph(commits(250)), Clock()), Details(again_s=0)  # type: ignore[arg-type]
    for turn in range(1, 7):
        assert details.again_s is not None
        host.calls.clear()
        details = await finder.details(host, subject())
        assert len(host.calls) == 10 * turn, "those before are asked for again: they are kept"
    assert details.again_s is None


async def test_commits_of_one_object_are_asked_for_so_often_an_hour() -> None:
    class Later(Clock):
        now_s = 0.0

        def monotonic(self) -> float:
            return self.now_s

    clock, graph, host = Later(), Graph(), Host()
    finder = PullRequestFinder(graph, clock)  # type: ignore[arg-type]

    async def ask(of: int, **more: Any) -> Details:
        graph.answer = CommitRange(60, tuple(Commit(f"{of:02x}{n:038x}", "s", "a", NOW) for n in range(60)))
        asked = subject(spans=(Span("a" * 40, f"{of:040x}"),), **more)
        while (details := await finder.details(host, asked)).again_s == 1.0:
            pass
        return details

    assert [(await ask(of)).again_s for of in (1, 2, 3)] == [None, None, 15.0]
    assert len(set(host.calls)) == 120
    assert (await ask(4, uid="another")).again_s is None
    clock.now_s = 3600.0
    assert (await ask(3)).again_s is None


def waits(view: View | None = None, **more: Any) -> Subject:
    """What is overdue, said a minute ago."""
    usual: dict[str, Any] = {
        "id": "overdue",
        "told": 1,
        "services": (ShownService("web", "Overdue"),),
        "start_time": NOW - timedelta(minutes=1),
    }
    return subject(view=view, **usual | more)


def told_of(*numbers: int, **more: Any) -> View:
    return View(id="github/overdue", parts=[ViewPart(name=f"pull/{n}") for n in numbers], **more)


@pytest.mark.parametrize(
    ("answer", "view", "numbers"),
    [
        (commits(2), None, {1, 2}),
        # What waits no more is told so, unless that is not known.
        (commits(2), told_of(2, 9), {1, 2}),
        (Unknown(UnknownReason.PENDING, "not yet"), told_of(2, 9), {2, 9}),
        (commits(250), told_of(99), {99, *range(2, 21)}),
        # Status has room for 30.
        (commits(5), told_of(*range(100, 128)), {4, 5}),
    ],
)
async def test_pull_requests_that_wait(answer: Any, view: View | None, numbers: set[int]) -> None:
    host = Host(pulls={f"{n:040x}": [n + 1] for n in range(250)})
    assert (await found(Graph(answer), host, waits(view))).pull_requests == numbers


async def test_what_waits_is_asked_for_once() -> None:
    known = told_of(7, outcome=mark_of(waits().shown))
    for asked, details in (
        (waits(known), Details(frozenset({7}))),
        (waits(told_of(7), services=(), told=0), Details()),
        (waits(start_time=NOW - timedelta(hours=1)), Details()),
    ):
        host, graph = Host(), Graph(commits(1))
        assert await found(graph, host, asked) == details
        assert host.calls == [] and graph.asked == []
    late = waits(told_of(7), start_time=NOW - timedelta(hours=1))
    assert await found(Graph(Retryable("down")), Host(), late) == Details(frozenset({7})), "nobody knows, and it is not asked again"


async def test_a_commit_that_is_refused_is_the_only_one_that_is_missing() -> None:
    host = Host(pulls={f"{n:040x}": (n + 1,) for n in range(5)}, missing={f"{1:040x}"})
    finder = PullRequestFinder(Graph(commits(5)), Clock())  # type: ignore[arg-type]
    for _ in range(2):
        details = await finder.details(host, subject())
        assert details.pull_requests == {1, 3, 4, 5} and details.problem is not None and details.again_s is None
    assert host.calls.count(f"{1:040x}") == 1, "it is asked for again later"
    host.missing = set(host.pulls)
    details = await PullRequestFinder(Graph(commits(5)), Clock()).details(host, subject())  # type: ignore[arg-type]
    assert details.pull_requests == set() and len(host.calls) == 9 + 3, "all is refused: few are asked for"


async def test_credentials_that_are_refused_are_told() -> None:
    class Refusing(Host):
        async def pull_requests(self, address: str, commit: str) -> Sequence[int]:
            raise Denied("bad credentials")

    with pytest.raises(Denied):
        await PullRequestFinder(Graph(commits(5)), Clock()).details(Refusing(), subject())  # type: ignore[arg-type]
