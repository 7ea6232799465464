"""Which commits lie between two, by the user's own clone: as plain git counts them, in words, and as a list."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from ecs_release.api.commits import AttemptCommits
from ecs_release.cli.kubectl.own_clone import commit_ranges
from ecs_release.cli.kubectl.own_clone.commit_ranges import CommitRange, CommitRanges, by_pair, described, listed, recorded
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.output import Output
from tests.git_host.repositories import BareRepository, git, git_program

ABSENT = "0123456789abcdef0123456789abcdef01234567"
# The first commit of a repository's history (tests.git_host.repositories), and three days later.
FIRST = datetime.fromtimestamp(1_700_000_000, UTC)
NOW = FIRST + timedelta(days=3)


@pytest.fixture
def origin(tmp_path: Path) -> BareRepository:
    return BareRepository(tmp_path / "origin.git")


def known(origin: BareRepository, before: str, after: str) -> CommitRange:
    found = CommitRanges(str(origin.folder)).between(before, after)
    assert found is not None
    return found


def test_numbers_are_those_of_plain_git(origin: BareRepository) -> None:
    """Merges, two roots and a criss-cross: every pair."""
    made = origin.history([[], [0], [0], [1, 2], [2, 1], [3, 4], [], [6], [5, 7]], {"main": 8})
    ranges = CommitRanges(str(origin.folder))
    for before in made:
        for after in made:
            found = ranges.between(before, after)
            assert found is not None and (found.removed.total, found.added.total) == origin.counts(before, after)
            assert {c.hash for c in found.added.newest} == set(origin.reachable([after], [before]))


def test_forward_back_and_to_another_branch(origin: BareRepository) -> None:
    line = origin.line(4)
    (side,) = origin.history([[]], {"other": 0}, author="Ben")
    forward, back, beside = known(origin, line[0], line[3]), known(origin, line[3], line[0]), known(origin, line[3], side)
    assert described(forward, NOW) == "3 commits by 1 person, oldest 2d23h ago" and described(known(origin, line[0], line[0]), NOW) == ""
    assert described(back, NOW) == "goes back by 3 commits by 1 person, oldest 2d23h ago"
    assert described(beside, NOW) == "1 commit by 1 person, oldest 3d ago; leaves out 4"
    assert [text.split()[0] for text in listed(forward)] == [h[:10] for h in line[:0:-1]] == [text.split()[0] for text in listed(back)]
    assert next(iter(listed(beside))) == f"  {side[:10]}   2023-11-14 22:13   Ben   commit 0"


def test_a_long_list_is_cut_and_counted(origin: BareRepository) -> None:
    line = origin.line(commit_ranges.MOST_LISTED + 6)
    found = list(listed(known(origin, line[0], line[-1])))
    assert len(found) == commit_ranges.MOST_LISTED + 1 and found[-1] == "  and 5 more"


def test_texts_of_committers_are_harmless(origin: BareRepository) -> None:
    before, after = origin.history([[], [0]], {"main": 1}, subject="x\x1b[2J\u202e {}", author="Ana \x07")
    (text,) = listed(known(origin, before, after))
    assert r"x\x1b[2J\u202e 1" in text and "\x1b" not in text and "\x07" not in text


@pytest.mark.parametrize("other", [ABSENT, ABSENT[:8], "v1", "", "claimed:v1", "--all", "main"])
def test_what_the_clone_does_not_have_is_not_known(origin: BareRepository, other: str) -> None:
    line, ranges = origin.line(2), CommitRanges(str(origin.folder))
    assert ranges.between(line[0], other) is None and ranges.between(other, line[0]) is None
    assert ranges.between(line[0][:12], f"claimed:{line[1]}") is not None, "abbreviated, and claimed: a statistic"


def test_where_there_is_no_clone_nothing_is_known(origin: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = origin.line(3)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path / "empty")
    assert CommitRanges("").between(line[0], line[1]) is None
    with pytest.raises(CommandError, match="not a git repository"):
        CommitRanges(str(tmp_path / "empty"))


def test_a_shallow_clone_knows_nothing(origin: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lists would be too little."""
    line = origin.line(3)
    folder = tmp_path / "shallow"
    subprocess.run([git_program(), "clone", "--quiet", "--depth=2", f"file://{origin.folder}", str(folder)], check=True, timeout=60)
    with pytest.raises(CommandError, match="--unshallow"):
        CommitRanges(str(folder))
    monkeypatch.chdir(folder)
    assert CommitRanges("").between(line[1], line[2]) is None


def test_services_with_the_same_commits_have_one_list(origin: BareRepository) -> None:
    line, out = origin.line(3), StringIO()
    pairs = by_pair(
        [("web", line[0], line[2]), ("api", line[0], line[2]), ("docs", line[2], line[2]), ("new", "", line[2]), ("odd", "v1", "v2")]
    )
    commit_ranges.write(Output({}, out), CommitRanges(str(origin.folder)), pairs, NOW, "from production to staging")
    head, *texts = out.getvalue().strip().splitlines()
    assert head == "web, api, from production to staging: 2 commits by 1 person, oldest 2d23h ago" and len(texts) == 2


def test_one_without_a_time_and_one_of_another_calendar(origin: BareRepository) -> None:
    line = origin.line(1)
    odd = git(origin.folder, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=_raw(origin, line[0], 2**62))
    found = known(origin, line[0], odd)
    assert found.added.total == 1 and found.added.oldest is None and described(found, NOW) == "1 commit by 1 person"


def _raw(origin: BareRepository, parent: str, seconds: int) -> str:
    tree = git(origin.folder, "rev-parse", f"{parent}^{{tree}}")
    who = f"Ana <ana@example.com> {seconds} +0000"
    return f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nodd\n"


@pytest.mark.parametrize(
    ("commits", "expected"),
    [
        ({"added": 12, "authors": 4, "firstTime": FIRST}, "12 commits by 4 people, oldest 3d ago"),
        ({"added": 300, "authors": 7}, "300 commits by 7 people"),
        ({"added": 0, "removed": 1, "authors": 1, "firstTime": FIRST}, "goes back by 1 commit by 1 person, oldest 3d ago"),
        ({"added": 1, "removed": 2}, "1 commit; leaves out 2"),
    ],
)
def test_what_status_knows_in_words(commits: dict[str, object], expected: str) -> None:
    assert recorded(AttemptCommits.model_validate({"before": "1", "after": "2", **commits}), NOW) == expected
