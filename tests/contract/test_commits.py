"""The commits service as a process, asked by the operator's client, on real repositories over https."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecs_release.domain.ports.commits import (
    MOST_LISTED,
    CommitRange,
    FullHash,
    Membership,
    Relation,
    RelationKind,
    Unknown,
    UnknownReason,
)
from tests.git_host.server import GitHost, running_host, until
from tests.git_host.service import CommitsService, binding, credential

ABSENT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture(scope="module")
def service(host: GitHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommitsService]:
    folder = tmp_path_factory.mktemp("service")
    with CommitsService(folder, [binding(host, "shop/*", credential=credential(folder, "shop", "reader", "secret"))]) as running:
        yield running


def reason(answer: object) -> UnknownReason | None:
    return answer.reason if isinstance(answer, Unknown) else None


def on_branch(answer: object) -> Membership | None:
    return answer if isinstance(answer, Membership) and answer.on_branch else None


@pytest.mark.parametrize("filters", [True, False])
def test_relations_of_commits_on_the_branch(host: GitHost, service: CommitsService, filters: bool) -> None:
    path = f"shop/relations-{filters}"
    repository = host.repository(path, password=("reader", "secret"), filters=filters)
    # 0 - 1 - 2 - 4 (main)
    #      `- 3 -'
    hashes = repository.history([[], [0], [1], [1], [2, 3]], {"main": 4})
    asked = service.ask("shop", host.url(path))

    assert asked.relation(hashes[1], hashes[4]) == Relation(0, 3)
    assert asked.relation(hashes[4], hashes[1]) == Relation(3, 0)
    assert asked.relation(hashes[2], hashes[3]) == Relation(1, 1)
    assert asked.relation(hashes[2], hashes[2]) == Relation(0, 0)
    kinds = [r.kind for r in (Relation(0, 3), Relation(3, 0), Relation(1, 1), Relation(0, 0))]
    assert kinds == [RelationKind.BEHIND, RelationKind.AHEAD, RelationKind.DIVERGED, RelationKind.SAME]
    assert any(r.filtered for r in host.requests(path)) is filters, "trees are left out where the host can do that"


def test_a_known_pair_starts_no_process_and_no_fetch(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/known", password=("reader", "secret"))
    hashes = repository.line(5)
    asked = service.ask("shop", host.url("shop/known"))
    assert asked.relation(hashes[1], hashes[3]) == Relation(0, 2)
    requests = len(host.requests("shop/known"))
    shutil.rmtree(service.cache)

    assert asked.relation(hashes[3], hashes[1]) == Relation(2, 0), "an answer that never changes outlives the clone"
    assert len(host.requests("shop/known")) == requests


def test_the_cache_may_vanish_at_any_time(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/vanishing", password=("reader", "secret"))
    hashes = repository.line(6)
    asked = service.ask("shop", host.url("shop/vanishing"))
    assert asked.relation(hashes[0], hashes[5]) == Relation(0, 5)
    # The service writes there meanwhile, for what other tests have asked.
    shutil.rmtree(service.cache, ignore_errors=True)
    assert asked.relation(hashes[1], hashes[5]) == Relation(0, 4)
    assert asked.membership(hashes[2], 3600)
    for pack in service.cache.rglob("*.pack"):
        pack.unlink()
    assert asked.relation(hashes[2], hashes[5]) == Relation(0, 3)
    for pack in service.cache.rglob("*.idx"):
        pack.unlink()
    found = asked.membership(hashes[3], 3600)
    assert isinstance(found, Membership) and found.on_branch
    assert isinstance(asked.between(hashes[0], hashes[5]), CommitRange)


def test_commits_that_are_on_no_branch_come_by_name(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/unmerged", password=("reader", "secret"))
    hashes = repository.history([[], [0], [0], [2]], {"main": 1, "feature": 3})
    repository.point("feature", hashes[2])
    asked = service.ask("shop", host.url("shop/unmerged"))

    assert asked.relation(hashes[3], hashes[1]) == Relation(2, 1)
    found = asked.membership(hashes[3])
    assert isinstance(found, Membership) and not found.on_branch and found.tip == hashes[1]


def test_whether_a_commit_is_on_the_branch_follows_the_branch(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/merged", password=("reader", "secret"))
    hashes = repository.history([[], [0], [1], [0]], {"main": 1})
    asked = service.ask("shop", host.url("shop/merged"))
    before = datetime.now(UTC) - timedelta(seconds=2)
    first = asked.membership(hashes[2])
    assert isinstance(first, Membership) and not first.on_branch and first.as_of >= before

    repository.point("main", hashes[2])
    # Whoever takes an old answer gets a "yes" of any age, but a "no" of seconds ago only.
    later = until("a fresh answer", lambda: on_branch(asked.membership(hashes[2], max_age_s=3600)))
    assert later.tip == hashes[2]

    # Pushed by force: what was on the branch is not any more, and as of when is told.
    repository.point("main", hashes[3])
    last = asked.membership(hashes[2])
    assert isinstance(last, Membership) and not last.on_branch and last.tip == hashes[3] and last.as_of >= first.as_of
    assert asked.relation(hashes[2], hashes[3]) == Relation(2, 1)


def test_a_commit_that_is_not_there_is_on_no_branch(host: GitHost, service: CommitsService) -> None:
    """The whole of the branch has been fetched: what is not in it is not merged, whatever it is."""
    host.repository("shop/absent", password=("reader", "secret")).line(2)
    found = service.ask("shop", host.url("shop/absent")).membership(ABSENT)
    assert isinstance(found, Membership) and not found.on_branch


def test_commits_between_two(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/between", password=("reader", "secret"))
    first = repository.commit(subject="the first", author="Ana")
    second = repository.commit(first, subject="a change: <b>ünïcode</b> \x1b[31mred\u202e", author="Bob \x07 Ü")
    third = repository.commit(second, subject="x" * 5000 + "\n\na body", branch="main")
    asked = service.ask("shop", host.url("shop/between"))
    found = asked.between(first, third)
    assert isinstance(found, CommitRange)
    assert (found.total, [c.hash for c in found.commits]) == (2, [third, second])
    assert found.commits[1].subject == "a change: <b>ünïcode</b>  [31mred", "without what controls a terminal"
    assert found.commits[1].author.startswith("Bob") and len(found.commits[0].subject) == 200
    assert found.commits[0].committed_at is not None and found.commits[0].committed_at > datetime(2026, 1, 1, tzinfo=UTC)
    assert asked.between(third, first) == CommitRange(0, ())
    assert asked.between(second, second) == CommitRange(0, ())


def test_many_commits_are_counted_and_some_listed(host: GitHost, service: CommitsService) -> None:
    hashes = host.repository("shop/many", password=("reader", "secret")).line(400)
    found = service.ask("shop", host.url("shop/many")).between(hashes[10], hashes[-1])
    assert isinstance(found, CommitRange)
    assert (found.total, len(found.commits)) == (389, MOST_LISTED)
    assert [c.hash for c in found.commits] == hashes[:-251:-1]


def test_short_hashes(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/short", password=("reader", "secret"))
    hashes = repository.line(3)
    asked = service.ask("shop", host.url("shop/short"))
    for length in (7, 12, 40):
        found = asked.full_hash(hashes[1][:length])
        assert isinstance(found, FullHash) and found.hash == hashes[1]
    assert reason(asked.full_hash("0123456")) is UnknownReason.COMMIT_NOT_FOUND
    assert reason(asked.full_hash(ABSENT)) is UnknownReason.COMMIT_NOT_FOUND


def test_a_short_hash_of_two_commits_is_ambiguous(host: GitHost, service: CommitsService) -> None:
    """A prefix of 7 digits is shared by two of a few ten thousand commits (of these: their hashes are the same in each run)."""
    hashes = host.repository("shop/ambiguous", password=("reader", "secret")).line(36_500)
    seen: dict[str, str] = {}
    both = next((seen[h[:7]], h) for h in hashes if seen.setdefault(h[:7], h) != h)
    asked = service.ask("shop", host.url("shop/ambiguous"))
    answer = asked.full_hash(both[0][:7])
    assert reason(answer) is UnknownReason.AMBIGUOUS
    assert isinstance(answer, Unknown) and both[0] in answer.message and both[1] in answer.message
    longer = next(n for n in range(8, 41) if both[0][:n] != both[1][:n])
    found = asked.full_hash(both[0][:longer])
    assert isinstance(found, FullHash) and found.hash == both[0]


@pytest.mark.parametrize(
    "branch", ["feature/a", "feature", "ünïcode", "a'b\"c", "$(touch x)", "x;y", "--upload-pack", "refs/heads/x", "a b"]
)
def test_branches_with_odd_names(host: GitHost, service: CommitsService, branch: str) -> None:
    """Git allows more than one would think; what it refuses is refused before it is asked."""
    path = f"shop/odd-{branch.encode().hex()}"
    made = host.repository(path, password=("reader", "secret"))
    (commit,) = made.line(1)
    refused = branch.startswith("-") or " " in branch
    if not refused:
        made.point(branch, commit)
    answer = service.ask("shop", host.url(path), branch).membership(commit)
    if refused:
        assert reason(answer) is UnknownReason.BRANCH_NOT_FOUND
        assert host.requests(path) == []
    else:
        assert isinstance(answer, Membership) and answer.on_branch


def test_a_branch_and_one_below_its_name(host: GitHost, service: CommitsService) -> None:
    """`a` was deleted, and `a/b` made: to git's files one is in the way of the other."""
    repository = host.repository("shop/below", password=("reader", "secret"))
    (commit,) = repository.line(1)
    repository.point("a", commit)
    assert isinstance(service.ask("shop", host.url("shop/below"), "a").membership(commit), Membership)
    (repository.folder / "refs" / "heads" / "a").unlink()
    repository.point("a/b", commit)
    assert isinstance(service.ask("shop", host.url("shop/below"), "a/b").membership(commit), Membership)
    assert reason(service.ask("shop", host.url("shop/below"), "a").membership(commit)) is UnknownReason.BRANCH_NOT_FOUND


def test_what_is_unknown_says_why(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/unknown", password=("reader", "secret"))
    hashes = repository.line(2)
    answer = service.ask("shop", host.url("shop/unknown")).relation(hashes[0], ABSENT)
    assert reason(answer) is UnknownReason.COMMIT_NOT_FOUND
    assert isinstance(answer, Unknown) and ABSENT in answer.message
    assert reason(service.ask("shop", host.url("shop/unknown"), "nope").membership(hashes[0])) is UnknownReason.BRANCH_NOT_FOUND
    # Neither keeps others from their answers.
    assert service.ask("shop", host.url("shop/unknown")).relation(hashes[0], hashes[1]) == Relation(0, 1)
    assert reason(service.ask("shop", host.url("shop/there-is-none")).relation(hashes[0], hashes[1])) is UnknownReason.UNREADABLE


def test_no_fetch_at_rest_and_few_under_load(host: GitHost, service: CommitsService) -> None:
    repository = host.repository("shop/rest", password=("reader", "secret"))
    hashes = repository.line(30)
    asked = service.ask("shop", host.url("shop/rest"))
    for commit in hashes:
        assert isinstance(asked.membership(commit, max_age_s=3600), Membership)
    fetches = [r for r in host.requests("shop/rest") if r.path.endswith("info/refs")]
    assert len(fetches) <= 2, "one for all questions (the first is refused until git knows that a password is needed)"


def test_a_rotated_token(host: GitHost, service: CommitsService, tmp_path: Path) -> None:
    with CommitsService(tmp_path / "own", [binding(host, "shop/*")]) as own:
        hashes = host.repository("shop/rotated").line(2)
        asked = own.ask("shop", host.url("shop/rotated"))
        assert asked.relation(hashes[0], hashes[1]) == Relation(0, 1)
        own.token_file.write_text("another token, of the same test\n")
        until("the new token to count", lambda: own.post("relation", b"{}", "another token, of the same test")[0] == 400)
        assert own.post("relation", b"{}")[0] == 401
        assert asked.relation(hashes[0], hashes[1]) == Relation(0, 1), "the client reads it again"


def test_health_and_metrics(host: GitHost, service: CommitsService) -> None:
    hashes = host.repository("shop/metrics", password=("reader", "secret")).line(2)
    service.ask("shop", host.url("shop/metrics")).relation(hashes[0], hashes[1])
    with urllib.request.urlopen(f"{service.address}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok\n"
    text = service.metrics()
    assert 'ecs_release_commits_answers_total{question="relation",result="Known"}' in text
    assert 'ecs_release_commits_fetches_total{result="ok"}' in text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b"[]", 400),
        (b"[" * 10_000, 400),
        (json.dumps({"namespace": "shop"}).encode(), 400),
        (b"x" * 100_000, 413),
    ],
)
def test_malformed_requests(service: CommitsService, body: bytes, status: int) -> None:
    assert service.post("relation", body)[0] == status
    assert service.post("nothing", b"{}")[0] == 404
    assert service.post("relation", b"{}", "wrong")[0] == 401
