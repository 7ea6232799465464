"""How commits stand to each other, as the commits service says."""

from __future__ import annotations

import pytest

from ecs_release.board.commits.distances import UNANSWERED, Distances
from ecs_release.domain.ports.commits import Repository, Unknown, UnknownReason
from ecs_release.pages.comparison.distance import MOST_LISTED, Distance, Pair
from tests.builders.fake_commits import FakeCommits

GIT = Repository("shop", "https://git.example.com/shop", "main")
A, B, C, D = (letter * 40 for letter in "abcd")
# A - B - C, and D beside B.
GRAPH = {A: [], B: [A], C: [B], D: [A]}


def hashes(commits: object) -> list[str]:
    return [c.hash for c in commits]  # type: ignore[attr-defined]


async def one(commits: FakeCommits, first: str, second: str) -> Distance | Unknown:
    pair = Pair(GIT, first, second)
    return (await Distances(commits).of([pair]))[pair]


@pytest.mark.parametrize(
    ("first", "second", "ahead", "behind"),
    [(C, A, [C, B], []), (A, C, [], [C, B]), (C, D, [C, B], [D]), (A, A, [], []), (C[:7], A, [C, B], [])],
)
async def test_distances(first: str, second: str, ahead: list[str], behind: list[str]) -> None:
    found = await one(FakeCommits(GRAPH, tip=C), first, second)
    assert isinstance(found, Distance)
    assert (found.ahead, found.behind) == (len(ahead), len(behind))
    assert (hashes(found.only_first), hashes(found.only_second)) == (ahead, behind)


async def test_only_the_newest_are_kept_and_all_are_counted() -> None:
    line = [f"{n:040x}" for n in range(300)]
    graph = {c: [line[n - 1]] if n else [] for n, c in enumerate(line)}
    found = await one(FakeCommits(graph, tip=line[-1]), line[-1], line[0])
    assert isinstance(found, Distance)
    assert (found.ahead, len(found.only_first), found.only_first[0].hash) == (299, MOST_LISTED, line[-1])


async def test_what_is_not_known_says_why() -> None:
    found = await one(FakeCommits(GRAPH, tip=C), "e" * 7, A)
    assert isinstance(found, Unknown) and found.reason is UnknownReason.COMMIT_NOT_FOUND
    refused = Unknown(UnknownReason.NOT_ALLOWED, "no binding")
    assert await one(FakeCommits(GRAPH, unknown=refused), A, C) == refused


async def test_a_service_that_is_away_is_not_asked_about_each_page(caplog: pytest.LogCaptureFixture) -> None:
    commits, time = FakeCommits(GRAPH, tip=C, down=True), 0.0
    distances = Distances(commits, lambda: time)
    pair = Pair(GIT, C, A)
    for _ in range(3):
        assert await distances.of([pair]) == {pair: UNANSWERED}
    assert len(commits.asked) == 1
    assert "connection refused" in caplog.text, "what it is, for whoever runs the board"
    commits.down, time = False, 6.0
    assert (await distances.of([pair]))[pair] == await one(commits, C, A)


async def test_without_a_service_nothing_is_asked() -> None:
    distances = Distances(None)
    assert await distances.of([Pair(GIT, C, A)]) == {}
    assert not distances.are_asked
