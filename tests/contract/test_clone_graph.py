"""What the graph of a user's clone says of release hashes: whole, abbreviated, absent, ambiguous, and where history is cut off."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ecs_release.cli.kubectl.own_clone.clone import Clone
from ecs_release.cli.kubectl.where.clone_graph import CloneGraph
from ecs_release.domain.presence.answers import Answer, Contains
from tests.git_host.repositories import BareRepository, git, git_program

YES, NO = Answer(Contains.YES), Answer(Contains.NO)


@pytest.fixture
def origin(tmp_path: Path) -> BareRepository:
    return BareRepository(tmp_path / "origin.git")


def cloned(origin: BareRepository, *flags: str) -> Path:
    folder = origin.folder.parent / "clone"
    subprocess.run([git_program(), "clone", "--quiet", *flags, f"file://{origin.folder}", str(folder)], check=True, timeout=60)
    return folder


def learned(folder: Path, commit: str, *hashes: str) -> CloneGraph:
    graph = CloneGraph(Clone(str(folder)), commit)
    graph.learn(hashes)
    return graph


def test_contains_is_the_graphs_word(origin: BareRepository) -> None:
    line = origin.line(4)
    side = origin.commit(line[0], branch="side")
    merge = origin.commit(side, line[3], branch="main")
    graph = learned(cloned(origin), line[1], *line, side, merge, line[2][:9])
    assert [graph(h) for h in (*line, side, merge, line[2][:9])] == [NO, YES, YES, YES, NO, YES, YES]


@pytest.mark.parametrize("given", ["0123456789ab", "main", "HEAD", "--all", "v1.2", "abc", ""])
def test_what_the_clone_lacks_is_unknown(origin: BareRepository, given: str) -> None:
    line = origin.line(2)
    found = learned(cloned(origin), line[0], given)(given)
    assert found.contains is Contains.UNKNOWN
    assert found.why == (
        f"this clone has no commit {given}: git fetch" if given == "0123456789ab" else f"{given} is not the hash of a commit"
    )


def test_what_is_fetched_meanwhile_is_known(origin: BareRepository) -> None:
    line = origin.line(2)
    folder = cloned(origin)
    later = origin.commit(line[1], branch="main")
    graph = learned(folder, line[0], later)
    assert "git fetch" in graph(later).why
    git(folder / ".git", "fetch", "--quiet", "origin")
    graph.learn([later])
    assert graph(later) == YES


def test_what_is_known_is_not_asked_again(origin: BareRepository) -> None:
    line = origin.line(2)
    folder = cloned(origin)
    graph = learned(folder, line[0], *line)
    (folder / ".git").rename(folder / "gone")
    graph.learn(line)
    assert graph(line[1]) == YES


def test_a_shallow_clone_is_believed_as_far_as_it_goes(origin: BareRepository) -> None:
    """Cut off below line[3], and below what a branch has beside it: older is known, beside it is not."""
    line = origin.line(6)
    side = origin.commit(line[4], branch="side")
    graph = learned(cloned(origin, "--depth=2", "--no-single-branch"), line[4], line[5], side, line[4])
    assert [graph(h).contains for h in (line[5], side, line[4])] == [Contains.YES, Contains.YES, Contains.YES]
    graph = learned(origin.folder.parent / "clone", line[5], line[4], side)
    assert graph(line[4]) == NO, "it is an ancestor"
    assert graph(side).contains is Contains.UNKNOWN and "git fetch --unshallow" in graph(side).why


def test_an_ambiguous_abbreviation_is_unknown(origin: BareRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    line = origin.line(400)
    twins = next([a, b] for a, b in zip(sorted(line), sorted(line)[1:], strict=False) if a[:4] == b[:4])
    monkeypatch.setattr("ecs_release.cli.kubectl.where.clone_graph._HASH", re.compile("[0-9a-f]{4,64}"))
    assert "is ambiguous in this clone: it may be" in learned(cloned(origin), line[0], twins[0][:4])(twins[0][:4]).why
