"""How the commits service is asked: nobody waits for long, no answer is asked for twice, and whoever waits is called again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.api.project import Project
from ecs_release.domain.decision.commit_rules import Answers, Question
from ecs_release.domain.ports.commits import Membership, Relation, Repository, Unknown, UnknownReason
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.artifacts.commit_graph import CommitGraph, repository_of
from tests.builders.fake_commits import FakeCommits
from tests.builders.objects import environment, project_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

ONE, TWO, SIDE = ("1" * 40, "2" * 40, "5" * 40)
HISTORY = {ONE: [], TWO: [ONE], SIDE: [ONE]}
SHOP, BIG = Repository("shop", "https://git.example.com/shop", "main"), Repository("shop", "https://git.example.com/big", "main")
WEB, API = ObjectKey(RELEASE, "shop", "web"), ObjectKey(RELEASE, "shop", "api")
BACK, MERGED = Question(ONE, TWO), Question(TWO)
FETCHING = Unknown(UnknownReason.PENDING, "being fetched")


class Asked:
    """The graph of a commits service; objects that are called again are written down."""

    def __init__(self, commits: FakeCommits | None = None) -> None:
        self.commits = commits or FakeCommits(HISTORY, TWO)
        self.again: list[ObjectKey] = []
        self.graph = CommitGraph(self.commits, SimulatedClock(), lambda key, _: self.again.append(key))

    async def __call__(self, *questions: Question, key: ObjectKey = WEB, of: Repository | None = SHOP) -> Answers:
        return await self.graph.answers(key, of, questions)


def simulated(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_simulated(test())

    run.__name__ = test.__name__
    return run


def now() -> float:
    return asyncio.get_running_loop().time()


@simulated
async def test_what_is_asked_is_answered_in_the_same_pass() -> None:
    asked = Asked()
    found = await asked(BACK, MERGED, Question(SIDE))
    assert found.known[BACK] == Relation(0, 1) and not found.awaited
    membership, side = found.known[MERGED], found.known[Question(SIDE)]
    assert isinstance(membership, Membership) and membership.on_branch
    assert isinstance(side, Membership) and not side.on_branch
    assert asked.again == [], "its pass goes on with them"


@simulated
async def test_how_commits_relate_is_asked_once_and_whether_one_is_merged_again() -> None:
    asked = Asked()
    await asked(BACK, MERGED)
    await asked(BACK, MERGED, key=API)
    assert len(asked.commits.asked) == 2
    await asyncio.sleep(31)
    await asked(BACK, MERGED)
    assert [q[0] for q in asked.commits.asked].count("membership") == 2 and len(asked.commits.asked) == 3


@simulated
async def test_abbreviated_hashes_are_looked_up() -> None:
    asked = Asked()
    found = await asked(Question(ONE[:8], TWO[:8]), Question("7" * 12))
    assert found.known[Question(ONE[:8], TWO[:8])] == Relation(0, 1)
    missing = found.known[Question("7" * 12)]
    assert isinstance(missing, Unknown) and missing.reason is UnknownReason.COMMIT_NOT_FOUND


@simulated
async def test_an_answer_that_comes_late_calls_whoever_waits() -> None:
    asked = Asked(FakeCommits(HISTORY, TWO, hanging={SHOP.url}))
    began = now()
    assert (await asked(BACK)).awaited == {BACK}
    assert now() - began <= 1.0
    assert (await asked(BACK, key=API)).awaited == {BACK}
    asked.commits.released.set()
    await asyncio.sleep(1)
    assert set(asked.again) == {API, WEB} and len(asked.commits.asked) == 1
    assert (await asked(BACK)).known[BACK] == Relation(0, 1)


@simulated
async def test_what_hangs_is_given_up_and_told_when_it_comes_nevertheless() -> None:
    asked = Asked(FakeCommits(HISTORY, TWO, hanging={SHOP.url}))
    await asked(BACK)
    await asyncio.sleep(31)
    found = await asked(BACK)
    given_up = found.known[BACK]
    assert isinstance(given_up, Unknown) and "no answer for 30 s" in given_up.message and not found.awaited
    asked.commits.released.set()
    await asyncio.sleep(1)
    assert WEB in asked.again and (await asked(BACK)).known[BACK] == Relation(0, 1)


@simulated
async def test_a_repository_that_is_being_fetched_is_waited_for_and_asked_again() -> None:
    asked = Asked(FakeCommits(HISTORY, TWO, unknown=FETCHING))
    assert (await asked(BACK)).awaited == {BACK}
    await asyncio.sleep(6)
    assert (await asked(BACK)).awaited == {BACK} and len(asked.commits.asked) == 2
    await asyncio.sleep(31)
    assert (await asked(BACK)).known[BACK] == FETCHING, "whoever does not care goes on"
    asked.commits.unknown = None
    await asyncio.sleep(6)
    assert (await asked(BACK)).known[BACK] == Relation(0, 1)


@simulated
async def test_a_service_that_is_down_is_unknown_at_once_and_asked_again_soon() -> None:
    asked = Asked(FakeCommits(HISTORY, TWO, down=True))
    for _ in range(3):
        found = (await asked(BACK)).known[BACK]
        assert isinstance(found, Unknown) and found.reason is UnknownReason.UNREADABLE and "connection refused" in found.message
    assert len(asked.commits.asked) == 1
    await asyncio.sleep(6)
    asked.commits.down = False
    assert (await asked(BACK)).known[BACK] == Relation(0, 1)


@simulated
async def test_what_was_refused_stays_so_until_the_next_answer() -> None:
    asked = Asked()
    await asked(Question(SIDE))
    await asyncio.sleep(31)
    asked.commits.hanging.add(SHOP.url)
    found = await asked(Question(SIDE), MERGED)
    stale = found.known[Question(SIDE)]
    assert isinstance(stale, Membership) and not stale.on_branch
    assert found.awaited == {MERGED}
    asked.commits.tip = SIDE
    asked.commits.released.set()
    await asyncio.sleep(1)
    merged = (await asked(Question(SIDE))).known[Question(SIDE)]
    assert isinstance(merged, Membership) and merged.on_branch


@simulated
async def test_a_yes_is_not_believed_for_longer_than_half_a_minute() -> None:
    asked = Asked()
    await asked(MERGED)
    await asyncio.sleep(31)
    asked.commits.hanging.add(SHOP.url)
    assert (await asked(MERGED)).awaited == {MERGED}


@simulated
async def test_one_that_hangs_holds_up_no_pass_of_others() -> None:
    """A few passes wait for a second, the others not at all; and another repository is answered as ever."""
    asked = Asked(FakeCommits(HISTORY, TWO, hanging={BIG.url}))
    began = now()
    keys = [ObjectKey(RELEASE, "shop", f"web-{n}") for n in range(200)]
    took: list[float] = []

    async def one_pass(number: int, key: ObjectKey) -> None:
        await asked(Question(f"{number:040x}", TWO), key=key, of=BIG)
        took.append(now() - began)

    await asyncio.gather(*(one_pass(n, key) for n, key in enumerate(keys)))
    assert sum(s > 0 for s in took) <= 4 and max(took) <= 1.0
    assert asked.commits.under_way == 2, "two questions of a repository are under way at a time"
    began = now()
    assert (await asked(BACK)).known[BACK] == Relation(0, 1)
    assert now() - began < 0.1
    asked.commits.released.set()
    await asyncio.sleep(2)
    assert set(asked.again) == set(keys)


@simulated
async def test_what_nobody_can_tell_is_unknown_with_the_reason() -> None:
    without = CommitGraph(None, SimulatedClock(), lambda *_: None)
    found = (await without.answers(WEB, SHOP, [BACK])).known[BACK]
    assert isinstance(found, Unknown) and "no address" in found.message
    asked = Asked()
    found = (await asked(BACK, of=None)).known[BACK]
    assert isinstance(found, Unknown) and "spec.git" in found.message
    assert not asked.commits.asked and not (await asked()).known


@pytest.mark.parametrize(
    ("git", "rules", "branch"),
    [
        (None, {"backwards": "Hold"}, None),
        ({"url": SHOP.url}, None, None),
        ({"url": SHOP.url}, {"backwards": "Hold"}, "main"),
        ({"url": SHOP.url, "branch": "trunk"}, {"backwards": "Hold"}, "trunk"),
        ({"url": SHOP.url, "branch": "trunk"}, {"backwards": "Hold", "branch": "release/1"}, "release/1"),
    ],
)
def test_the_environments_branch_counts_before_the_projects(git: Any, rules: Any, branch: str | None) -> None:
    body = project_object()
    body["spec"] |= {"git": git} if git else {}
    found = repository_of(environment(commits=rules), Project.model_validate(body))
    assert found == (Repository("shop", SHOP.url, branch) if branch else None)
