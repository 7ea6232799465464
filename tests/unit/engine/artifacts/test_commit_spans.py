"""How the commits service is asked which commits lie between two: nobody waits, no answer is asked for twice, no other question waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.names import RELEASE
from ecs_release.api.project import Project
from ecs_release.domain.decision.commit_rules import Question
from ecs_release.domain.ports.commits import Relation, Repository, Span, Unknown, UnknownReason
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.artifacts import commit_spans
from ecs_release.engine.artifacts.commit_graph import CommitGraph
from ecs_release.engine.artifacts.commit_spans import CommitSpans
from tests.builders.fake_commits import FakeCommits
from tests.builders.objects import environment, project_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

ZERO, ONE, TWO, SIDE = ("0" * 40, "1" * 40, "2" * 40, "5" * 40)
HISTORY = {ZERO: [], ONE: [ZERO], TWO: [ONE], SIDE: [ONE]}
SHOP, BIG = Repository("shop", "https://git.example.com/shop", "main"), Repository("shop", "https://git.example.com/big", "main")
WEB, API = ObjectKey(RELEASE, "shop", "web"), ObjectKey(RELEASE, "shop", "api")
FORWARD = Span(ZERO, TWO)
FIRST, SECOND, THIRD = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3))
TWO_COMMITS = AttemptCommits(before=ZERO, after=TWO, added=2, first=ONE, last=TWO, first_time=FIRST, authors=1)


class Asked:
    """The spans of a commits service; objects that are called again are written down."""

    def __init__(self, commits: FakeCommits | None = None) -> None:
        self.commits = commits or FakeCommits(HISTORY, TWO)
        self.again: list[ObjectKey] = []
        self.spans = CommitSpans(self.commits, SimulatedClock(), lambda key, _: self.again.append(key))

    def __call__(self, *spans: Span, key: ObjectKey = WEB, of: Repository | None = SHOP) -> Mapping[Span, AttemptCommits]:
        return self.spans.known(key, of, spans)

    @property
    def questions(self) -> list[str]:
        return [q[0] for q in self.commits.asked]


def test_nobody_waits_and_who_asked_is_called_again_once_it_is_known() -> None:
    async def play() -> None:
        asked = Asked()
        assert asked(FORWARD) == {} and asked(FORWARD, key=API) == {}
        await asyncio.sleep(1)
        assert sorted(map(str, asked.again)) == sorted(map(str, (WEB, API))) and asked(FORWARD) == {FORWARD: TWO_COMMITS}
        await asyncio.sleep(3600)
        assert asked(FORWARD) == {FORWARD: TWO_COMMITS} and asked.questions == ["relation", "between"], "answers never change"

    run_simulated(play())


@pytest.mark.parametrize(
    ("what", "span", "expected"),
    [
        (
            "back",
            Span(TWO, ZERO),
            AttemptCommits(before=TWO, after=ZERO, added=0, removed=2, first=ONE, last=TWO, first_time=FIRST, authors=1),
        ),
        (
            "to another branch",
            Span(TWO, SIDE),
            AttemptCommits(before=TWO, after=SIDE, added=1, removed=1, first=SIDE, last=SIDE, first_time=THIRD, authors=1),
        ),
        (
            "abbreviated",
            Span(ONE[:8], TWO[:8]),
            AttemptCommits(before=ONE, after=TWO, added=1, first=TWO, last=TWO, first_time=SECOND, authors=1),
        ),
        ("the same in other words", Span(TWO[:8], TWO), None),
        ("not in the repository", Span(ONE, "7" * 40), None),
        ("abbreviated, and not on the branch", Span(ONE, "7" * 12), None),
    ],
)
def test_what_lies_between(what: str, span: Span, expected: AttemptCommits | None) -> None:
    async def play() -> None:
        asked = Asked()
        asked(span)
        await asyncio.sleep(1)
        assert asked(span).get(span) == expected and bool(asked.again) is (expected is not None), what
        before = len(asked.commits.asked)
        await asyncio.sleep(3600)
        asked(span)
        await asyncio.sleep(1)
        is_final = expected is not None or "same" in what
        assert (len(asked.commits.asked) == before) is is_final, "what the repository lacks may come, the rest never changes"

    run_simulated(play())


@pytest.mark.parametrize(
    ("commits", "pause_s"),
    [
        (FakeCommits(HISTORY, TWO, unknown=Unknown(UnknownReason.PENDING, "being fetched")), 5),
        (FakeCommits(HISTORY, TWO, unknown=Unknown(UnknownReason.NOT_ALLOWED, "no binding")), 60),
        (FakeCommits(HISTORY, TWO, down=True), 60),
    ],
    ids=["pending", "refused", "down"],
)
def test_what_is_not_known_is_asked_again_after_a_while_by_who_still_wants_it(commits: FakeCommits, pause_s: float) -> None:
    async def play() -> None:
        asked = Asked(commits)
        for _ in range(3):
            assert asked(FORWARD) == {}
            await asyncio.sleep(1)
        assert asked.questions == ["relation"] and asked.again == [], "nobody is called for nothing"
        await asyncio.sleep(pause_s - 2)
        commits.unknown, commits.down = None, False
        assert asked(FORWARD) == {}
        await asyncio.sleep(1)
        assert asked(FORWARD) == {FORWARD: TWO_COMMITS}

    run_simulated(play())


def test_one_that_hangs_holds_up_neither_others_nor_what_decisions_need() -> None:
    async def play() -> None:
        asked = Asked(FakeCommits(HISTORY, TWO, hanging={BIG.url}))
        graph = CommitGraph(asked.commits, SimulatedClock(), lambda *_: None)
        for number in range(commit_spans._AT_ONCE - 1):
            asked(Span(f"{number:040x}", TWO), of=BIG)
        await asyncio.sleep(1)
        assert asked.commits.under_way == 1, "one question of a repository is under way at a time"
        asked(FORWARD)
        await asyncio.sleep(1)
        assert asked(FORWARD) == {FORWARD: TWO_COMMITS}
        await asyncio.wait_for(graph.answers(WEB, BIG, [Question(ONE, TWO)]), 1.5)
        assert asked.commits.under_way == 2, "it is asked beside them"
        asked.commits.released.set()
        await asyncio.sleep(1)
        assert (await graph.answers(WEB, BIG, [Question(ONE, TWO)])).known == {Question(ONE, TWO): Relation(0, 1)}

    run_simulated(play())


def test_the_newest_of_the_latest_are_listed() -> None:
    async def play() -> None:
        hashes = [f"{n:040x}" for n in range(30)]
        asked = Asked(FakeCommits({c: hashes[n - 1 : n] for n, c in enumerate(hashes)}, hashes[-1]))
        place, body = environment(commits={"branch": "main"}), project_object()
        body["spec"] |= {"git": {"url": SHOP.url}}
        project = Project.model_validate(body)

        async def known(before: int, after: int) -> AttemptCommits:
            span = Span(hashes[before], hashes[after])
            asked(span)
            await asyncio.sleep(1)
            return asked(span)[span]

        many, few = await known(0, 29), await known(3, 5)
        assert [c.hash for c in asked.spans.listed(place, project, many)] == hashes[:9:-1], "20 of 29, newest first"
        assert [c.hash for c in asked.spans.listed(place, project, few)] == [hashes[5], hashes[4]]
        assert asked.spans.listed(place, project, few.model_copy(update={"after": "9" * 40})) == (), "what was not asked for"
        assert asked.spans.listed(environment(), project, few) == (), "nor where it is not asked for"

    run_simulated(play())


def test_it_is_bounded() -> None:
    async def play() -> None:
        asked = Asked(FakeCommits(HISTORY, TWO, hanging={SHOP.url}))
        for number in range(2 * commit_spans._MOST):
            asked(Span(f"{number:040x}", TWO))
        assert len(asked.spans._states) == commit_spans._MOST and len(asked.spans._tasks) == commit_spans._AT_ONCE
        asked.commits.released.set()
        await asyncio.sleep(5)
        assert not asked.spans._tasks and not asked.spans._turns._turns

    run_simulated(play())


def test_without_a_service_or_a_repository_nothing_is_asked() -> None:
    async def play() -> None:
        without = CommitSpans(None, SimulatedClock(), lambda *_: None)
        asked = Asked()
        assert without.known(WEB, SHOP, [FORWARD]) == {} and asked(FORWARD, of=None) == {} and asked() == {}
        await asyncio.sleep(1)
        assert not asked.commits.asked

    run_simulated(play())
