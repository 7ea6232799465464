"""What contains what, by few questions: it is what the graph says, for any history."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ecs_release.board.commits.ancestry import Ancestry
from ecs_release.domain.ports.commits import Repository
from ecs_release.domain.presence.answers import Contains
from tests.builders.fake_commits import FakeCommits

GIT = Repository("shop", "https://git.example.com/shop", "main")


def made_up(seed: int, length: int) -> tuple[FakeCommits, list[str]]:
    """A history by chance, with branches and merges; the last of it is the branch's newest."""
    chance = random.Random(seed)
    line = [f"{chance.getrandbits(160):040x}" for _ in range(length)]
    graph = {
        c: sorted({line[chance.randrange(max(0, n - 4), n)] for _ in range(chance.choice((1, 1, 2)))}) if n else []
        for n, c in enumerate(line)
    }
    return FakeCommits(graph, tip=line[-1]), line


@pytest.mark.parametrize("seed", range(5))
async def test_it_is_what_the_graph_says(seed: int) -> None:
    commits, line = made_up(seed, 30)
    hashes = [*random.Random(seed).sample(line, 6), "v1.2", line[-1]]
    ancestry = Ancestry(commits)
    history = await ancestry.history(GIT, hashes)
    relations, awaited = await ancestry.relations(history, line, hashes)
    history = replace(history, relations=relations)
    assert not awaited and not history.awaited
    for commit in line:
        for release_hash in hashes:
            expected = (
                Contains.UNKNOWN if release_hash == "v1.2" else Contains.YES if commit in commits._reachable(release_hash) else Contains.NO
            )
            assert history.contains(commit, release_hash).contains is expected
    await ancestry.close()


async def test_one_range_for_each_hash_answers_for_all_commits_of_the_branch() -> None:
    line = [f"{n:040x}" for n in range(100)]
    commits = FakeCommits({c: [line[n - 1]] if n else [] for n, c in enumerate(line)}, tip=line[-1])
    ancestry = Ancestry(commits)
    history = await ancestry.history(GIT, [line[20], line[60], line[90]])
    assert [c.hash for c in history.newest] == line[:20:-1]
    assert history.pairs([c.hash for c in history.newest], [line[20], line[60], line[90]]) == []
    for _ in range(3):
        await ancestry.history(GIT, [line[20], line[60], line[90]])
    assert len([q for q in commits.asked if q[0] == "between"]) == 4
    await ancestry.close()


async def test_what_a_range_is_too_long_to_tell_is_asked_pair_by_pair_and_bounded() -> None:
    line = [f"{n:040x}" for n in range(600)]
    commits = FakeCommits({c: [line[n - 1]] if n else [] for n, c in enumerate(line)}, tip=line[-1])
    ancestry = Ancestry(commits)
    history = await ancestry.history(GIT, [line[0], line[500]])
    assert len(history.newest) == 250
    assert history.contains(line[400], line[0]).contains is Contains.NO, "it is listed"
    assert history.pairs(line, [line[0]]) == [(c, line[0]) for c in line[1:350]]
    relations, awaited = await ancestry.relations(history, line, [line[0]])
    assert len(relations) == 300 and not awaited
    await ancestry.close()


async def test_what_is_not_known_is_said_and_is_no_no() -> None:
    commits, line = made_up(1, 5)
    commits.down = True
    ancestry = Ancestry(commits)
    history = await ancestry.history(GIT, [line[0]])
    assert history.why == "the commits service does not answer"
    assert history.contains(line[1], line[0]).contains is Contains.UNKNOWN
    await ancestry.close()
