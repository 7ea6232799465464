"""The plugin's reader of a user's own clone: it answers as plain git does, fetches nothing, and runs nothing that others have left there."""

from __future__ import annotations

import random
import subprocess
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from ecs_release.cli.kubectl.own_clone import git as own_git
from ecs_release.cli.kubectl.own_clone.clone import Clone
from ecs_release.cli.kubectl.own_clone.git import Git, GitFailed
from ecs_release.cli.kubectl.terminal.errors import CommandError
from tests.git_host.repositories import BareRepository, git, git_program

ABSENT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def origin(tmp_path: Path) -> BareRepository:
    return BareRepository(tmp_path / "origin.git")


def cloned(origin: BareRepository, *flags: str, name: str = "clone") -> Path:
    """Clone it as a user does; over file://, for git ignores depth and filters of a plain path."""
    folder = origin.folder.parent / name
    subprocess.run([git_program(), "clone", "--quiet", *flags, f"file://{origin.folder}", str(folder)], check=True, timeout=60)
    return folder


def signed(origin: BareRepository, commit: str) -> None:
    """Point main at the same commit with a signature, for which git starts gpg where it is to show it."""
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    text = git(origin.folder, "cat-file", "commit", commit).replace("\n\n", f"\n{signature}\n\n", 1)
    origin.point("main", git(origin.folder, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text))


def configure(folder: Path, name: str, value: str) -> None:
    git(folder / ".git", "config", name, value)


def test_which_commits_contain_one_is_what_plain_git_says(origin: BareRepository) -> None:
    """Merges, an octopus, two roots and a criss-cross: every pair."""
    shape = [[], [0], [0], [1, 2], [2, 1], [3, 4], [], [6], [5, 7], [1, 2, 7], [9], [8, 10]]
    made = origin.history(shape, {"main": 11, "feature": 9})
    clone = Clone(str(cloned(origin)))
    for commit in made:
        expected = {other for other in made if origin.is_ancestor(commit, other)}
        assert clone.containing(commit, made) == expected, commit
        assert clone.contained(commit, made) == {other for other in made if origin.is_ancestor(other, commit)}


def test_random_histories(origin: BareRepository) -> None:
    chance = random.Random(19)
    shape = [sorted({chance.randrange(n) for _ in range(chance.choice((1, 1, 2, 3)))}) if n else [] for n in range(40)]
    made = origin.history(shape, {f"b{n}": n for n in range(40)})
    clone = Clone(str(cloned(origin)))
    for commit in chance.sample(made, 12):
        asked = chance.sample(made, 10)
        assert clone.containing(commit, asked) == {other for other in asked if origin.is_ancestor(commit, other)}


def test_a_commit_is_named_by_hash_branch_tag_or_expression(origin: BareRepository) -> None:
    line = origin.line(3)
    origin.commit(line[2], branch="feature/odd-name", subject="faster pages")
    folder = cloned(origin)
    clone = Clone(str(folder))
    git(folder / ".git", "tag", "--annotate", "--message=v1", "v1", line[1])
    feature = git(origin.folder, "rev-parse", "feature/odd-name")
    for name, expected in (
        (line[1], line[1]), (line[1][:9], line[1]), ("main", line[2]), ("v1", line[1]), ("HEAD~2", line[0]), ("feature/odd-name", feature),
        ("origin/feature/odd-name", feature),
    ):  # fmt: skip
        assert clone.named(name).hash == expected, name
    assert clone.named("feature/odd-name").subject == "faster pages"


@pytest.mark.parametrize(
    "name", ["", "x" * 513, "main\nHEAD", "a\0b", "--all", "--output=/tmp/x", "-", "no-such", ABSENT, ABSENT[:9], "HEAD:x"]
)
def test_names_that_are_none(origin: BareRepository, name: str) -> None:
    origin.line(1)
    with pytest.raises(CommandError, match=r"can be no name of a commit|has no commit or branch .*: git fetch"):
        Clone(str(cloned(origin))).named(name)


def test_a_branch_whose_name_begins_like_an_option_is_found(origin: BareRepository) -> None:
    line = origin.line(2)
    origin.point("--upload-pack=touch${IFS}pwned", line[0])
    folder = cloned(origin)
    assert Clone(str(folder)).named("--upload-pack=touch${IFS}pwned").hash == line[0]
    assert not (folder / "pwned").exists()


def test_a_branch_that_remotes_have_at_two_commits_is_ambiguous(origin: BareRepository) -> None:
    line = origin.line(2)
    folder = cloned(origin)
    git(folder / ".git", "remote", "add", "fork", "https://git.example.com/me/shop.git")
    for remote, commit in (("origin", line[0]), ("fork", line[1])):
        git(folder / ".git", "update-ref", f"refs/remotes/{remote}/feature", commit)
    with pytest.raises(CommandError, match="feature is ambiguous: it may be"):
        Clone(str(folder)).named("feature")


def test_abbreviations_are_commits_and_never_names(origin: BareRepository) -> None:
    """A release hash is what a tenant has written: that a branch has that name must not choose the commit."""
    line = origin.line(30)
    origin.point("deadbeef", line[0])
    clone = Clone(str(cloned(origin)))
    git(origin.folder.parent / "clone" / ".git", "branch", "deadbeef", line[0])
    tree = git(origin.folder, "rev-parse", f"{line[3]}^{{tree}}")
    given = [line[3], line[4][:8], "deadbeef", "main", "HEAD", ABSENT, tree, tree[:10], "--all"]
    assert clone.full_hashes(given) == {
        line[3]: (line[3],), line[4][:8]: (line[4],), "deadbeef": (), "main": (), "HEAD": (), ABSENT: (), tree: (), tree[:10]: (), "--all": (),
    }  # fmt: skip
    assert clone.commits(line[5][:10]) == [line[5]] and clone.commits(tree[:10]) == []


def test_an_abbreviation_of_several_commits_has_them_all(origin: BareRepository) -> None:
    line = origin.line(400)
    twins = next([a, b] for a, b in zip(sorted(line), sorted(line)[1:], strict=False) if a[:4] == b[:4])
    clone = Clone(str(cloned(origin)))
    assert set(clone.full_hashes([twins[0][:4]])[twins[0][:4]]) == {h for h in line if h.startswith(twins[0][:4])}
    with pytest.raises(CommandError, match=f"{twins[0][:4]} is ambiguous: it may be {twins[0]}"):
        clone.named(twins[0][:4])


def test_a_shallow_clone_says_so(origin: BareRepository) -> None:
    line = origin.line(6)
    clone = Clone(str(cloned(origin, "--depth=3")))
    assert clone.is_shallow() and clone.full_hashes([line[0], line[5]]) == {line[0]: (), line[5]: (line[5],)}
    assert clone.containing(line[4], [line[5]]) == {line[5]} and clone.contained(line[5], line[3:]) == set(line[3:])
    assert not Clone(str(cloned(origin, name="whole"))).is_shallow()


@pytest.mark.parametrize("fetching", ["known", "unknown"])
def test_a_partial_clone_fetches_nothing_for_a_commit_that_it_lacks(
    origin: BareRepository, fetching: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of git that do not know GIT_NO_LAZY_FETCH are stopped by the protocols that are allowed: none."""
    line = origin.line(3)
    folder = cloned(origin, "--filter=tree:0", "--no-checkout")
    later = origin.commit(line[2], branch="main", subject="later")
    if fetching == "unknown":
        monkeypatch.delitem(own_git._ENVIRONMENT, "GIT_NO_LAZY_FETCH")
        configure(folder, "protocol.file.allow", "always")
    clone = Clone(str(folder))
    # Where git itself does not know that it must not fetch, the whole answer may fail, and says so.
    with suppress(CommandError) if fetching == "unknown" else nullcontext():
        assert clone.full_hashes([line[1], later]) == {line[1]: (line[1],), later: ()}
    assert clone.containing(line[0], line) == set(line)
    assert later not in git(folder / ".git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()


def test_nothing_that_is_configured_is_started(origin: BareRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    line = origin.line(2)
    signed(origin, line[1])
    folder = cloned(origin)
    trap = folder / "trap"
    trap.write_text("#!/bin/sh\ntouch " + str(folder / "sprung") + "\nexit 1\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "pager.log", "gpg.program", "diff.external", "credential.helper"):
        configure(folder, name, str(trap))
    configure(folder, "core.hooksPath", str(folder))
    for name, value in (("log.showSignature", "true"), ("color.ui", "always"), ("log.decorate", "full"), ("core.abbrev", "5")):
        configure(folder, name, value)
    for name in ("GIT_PAGER", "PAGER", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF"):
        monkeypatch.setenv(name, str(trap))
    clone = Clone(str(folder))
    main = clone.named("main")
    assert (main.subject, main.hash != line[1]) == ("commit 1", True)
    assert clone.containing(line[0], [line[0], main.hash]) == {line[0], main.hash} and not clone.is_dirty()
    assert not (folder / "sprung").exists()


def test_a_folder_that_is_named_wins_over_the_environment(origin: BareRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a git hook, which has GIT_DIR of another repository."""
    line = origin.line(1)
    folder = cloned(origin)
    other = BareRepository(origin.folder.parent / "other.git")
    monkeypatch.setenv("GIT_DIR", str(other.folder))
    assert Clone(str(folder)).head() == line[0] and Clone().head() == ""


def test_remotes_are_as_git_would_use_them(origin: BareRepository) -> None:
    origin.line(1)
    folder = cloned(origin, "--filter=blob:none")
    git(folder / ".git", "remote", "add", "upstream", "work:shop/storefront.git")
    configure(folder, "url.git@git.example.com:.insteadOf", "work:")
    assert Clone(str(folder)).remotes() == [f"file://{origin.folder}", "git@git.example.com:shop/storefront.git"]


def test_outside_of_a_repository(tmp_path: Path) -> None:
    clone = Clone(str(tmp_path))
    assert (clone.head(), clone.is_dirty(), clone.email(), clone.commits("abcd123")) == ("", False, clone.email(), [])
    with pytest.raises(CommandError, match="no clone can be read here: not a git repository"):
        clone.check()
    with pytest.raises(CommandError, match="cannot change to"):
        Clone(str(tmp_path / "-x")).check()


def test_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert Clone().head() == ""
    with pytest.raises(CommandError, match="git is not installed"):
        Clone().check()


def test_more_output_than_is_wanted_is_an_error(origin: BareRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.line(50)
    monkeypatch.setattr("ecs_release.cli.kubectl.own_clone.git._MOST_BYTES", 1000)
    with pytest.raises(GitFailed, match="git rev-list printed more than 1000 bytes"):
        Git(str(cloned(origin))).output("rev-list", "HEAD")


def test_git_that_takes_too_long_is_ended(origin: BareRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.line(1)
    folder = cloned(origin)
    monkeypatch.setattr("ecs_release.cli.kubectl.own_clone.git._DEADLINE_S", 0.2)
    with pytest.raises(GitFailed, match="was ended after"):
        Git(str(folder)).output("-c", "alias.slow=!exec sleep 30", "slow")
