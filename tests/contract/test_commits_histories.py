"""Any history: what the commits service's clones say is what plain git says of the repository itself."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.commits_service import clone
from ecs_release.commits_service.bindings import parse_url
from ecs_release.commits_service.clones import Clones
from ecs_release.commits_service.config import ServiceConfig
from ecs_release.commits_service.git import Bounds, Git
from ecs_release.commits_service.repository import RepositoryGraph
from ecs_release.domain.ports.commits import CommitRange, FullHash, Membership, Relation, Unknown
from tests.git_host.repositories import BareRepository, git
from tests.git_host.server import GitHost, running_host
from tests.git_host.service import FAST, binding
from tests.waiting import PATIENCE_S

CRISS_CROSS = [[], [0], [0], [1, 2], [2, 1], [3], [4]]
OCTOPUS = [[], [0], [0], [0], [1, 2, 3], [4]]
TWO_ROOTS = [[], [], [0], [1], [2, 3], [1]]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@st.composite
def histories(draw: st.DrawFn) -> list[list[int]]:
    """Up to a dozen commits, each with up to four of the earlier ones as parents: merges, octopus merges, several roots, criss-cross."""
    made: list[list[int]] = []
    for number in range(draw(st.integers(2, 12))):
        most = min(number, 4)
        parents = (
            draw(st.lists(st.integers(0, number - 1), max_size=most, min_size=min(most, draw(st.integers(0, 1))), unique=True))
            if number
            else []
        )
        made.append(parents)
    return made


class Comparison:
    """A repository on the host, and the service's graph of it in this process."""

    def __init__(self, host: GitHost, path: str, filters: bool, folder: Path) -> None:
        self.repository: BareRepository = host.repository(path, filters=filters)
        self._url = host.url(path)
        token = folder / "token"
        token.write_text("x" * 20)
        given = {"tokenFile": str(token), "cache": {"folder": str(folder / "cache")}, "limits": {**FAST, "intervalSeconds": 0.01}}
        self._config = ServiceConfig.model_validate({**given, "bindings": [binding(host, "any/*")]})

    @contextlib.asynccontextmanager
    async def graph(self) -> AsyncIterator[RepositoryGraph]:
        """The graph, in an empty cache."""
        program = Git(Bounds(2**31, 2**30))
        await program.check()
        clones = Clones(self._config, program, lambda _result, _seconds: None)
        await clones.clear()
        try:
            with clones.use(0, parse_url(self._url)) as graph:
                assert graph is not None
                yield graph
        finally:
            await clones.close()

    async def check(self, hashes: list[str], later: list[str]) -> None:
        """Compare all pairs; then the branch is at `later`, which rewrites it, and all is compared again."""
        async with self.graph() as graph:
            self.repository.point("main", hashes[-1])
            await self._compare(graph, hashes)
            self.repository.point("main", later[-1])
            await self._compare(graph, [hashes[0], hashes[-1], *later])

    async def _compare(self, graph: RepositoryGraph, hashes: list[str]) -> None:
        pairs = [(a, b) for a in hashes for b in hashes]
        for a, b in pairs:
            ahead, behind = self.repository.counts(a, b)
            assert await graph.relation("main", a, b) == Relation(ahead, behind)
            assert (ahead == 0) == self.repository.is_ancestor(a, b)
            found = await graph.between("main", a, b)
            assert isinstance(found, CommitRange)
            assert (found.total, sorted(c.hash for c in found.commits)) == (behind, sorted(self.repository.reachable([b], [a])))
        for number, commit in enumerate(dict.fromkeys(hashes)):
            found = await graph.membership("main", commit, 0 if number == 0 else 3600)
            assert isinstance(found, Membership)
            assert found.on_branch == self.repository.is_ancestor(commit, "refs/heads/main")


def compare(host: GitHost, history: list[list[int]], later: list[list[int]], filters: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(host, f"any/{Path(folder).name}", filters, Path(folder))
        hashes = comparison.repository.history(history, {"side": len(history) - 1})
        # Others, by their subjects.
        others = comparison.repository.history(later, {"other": len(later) - 1}, subject="rewritten {}")
        asyncio.run(comparison.check(hashes, others))


@pytest.mark.parametrize("filters", [True, False])
@pytest.mark.parametrize("history", [CRISS_CROSS, OCTOPUS, TWO_ROOTS], ids=["criss-cross", "octopus", "two roots"])
def test_known_shapes(host: GitHost, history: list[list[int]], filters: bool) -> None:
    compare(host, history, [[], [0]], filters)


@pytest.mark.slow
@settings(max_examples=8)
@given(history=histories(), later=histories(), filters=st.booleans())
def test_any_history(host: GitHost, history: list[list[int]], later: list[list[int]], filters: bool) -> None:
    compare(host, history, later[:4], filters)


@pytest.mark.parametrize("filters", [True, False])
def test_many_packs_become_one(host: GitHost, filters: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone that is fetched into for years stays quick, and loses nothing: neither rewritten branches nor commits that came by name."""
    monkeypatch.setattr(clone, "_MANY_PACKS", 3)
    comparison = Comparison(host, f"any/packs-{filters}", filters, tmp_path)
    repository = comparison.repository
    first = repository.commit(branch="main", subject="first")
    aside = repository.commit(first, subject="on no branch")
    commits = [first]

    async def fetch_often() -> None:
        async with comparison.graph() as graph:
            assert await graph.relation("main", first, aside) == Relation(0, 1)
            for number in range(6):
                commits.append(repository.commit(commits[-1], branch="main", subject=f"{number}"))
                found = await graph.membership("main", commits[-1], 0)
                assert isinstance(found, Membership) and found.on_branch
            packs = list((graph.clone.folder / "objects" / "pack").glob("*.pack"))
            assert len(packs) <= 5
            assert await graph.clone.counts(aside, commits[-1]) == (1, 6)
            assert await graph.clone.present([*commits, aside]) == {*commits, aside}

    asyncio.run(fetch_often())


@pytest.mark.parametrize("filters", [True, False])
def test_a_history_that_is_cut_off_is_no_answer(host: GitHost, filters: bool, tmp_path: Path) -> None:
    """A shallow repository on the host: that a commit is not among what it has sent is not to say that it is not merged."""
    whole = host.repository(f"any/whole-{filters}")
    hashes = whole.line(6)
    comparison = Comparison(host, f"any/shallow-{filters}", filters, tmp_path)
    git(comparison.repository.folder, "fetch", "--quiet", "--depth=2", f"file://{whole.folder}", "+refs/heads/main:refs/heads/main")

    async def ask() -> None:
        async with comparison.graph() as graph:
            for _ in range(3):
                assert isinstance(await graph.membership("main", hashes[1], 0), Unknown)
                assert isinstance(await graph.membership("main", hashes[5], 0), Unknown)
                assert isinstance(await graph.full_hash("main", hashes[1][:12], 0), Unknown)
                assert isinstance(await graph.relation("main", hashes[0], hashes[5]), Unknown)

    asyncio.run(ask())


def test_a_clone_that_has_lost_a_part_is_no_ground_for_a_no(host: GitHost, tmp_path: Path) -> None:
    """What was fetched first is gone, and the branch's newest commit is there still."""
    comparison = Comparison(host, "any/lost", True, tmp_path)
    repository = comparison.repository
    first = repository.commit(branch="main", subject="first")

    async def ask() -> None:
        async with comparison.graph() as graph:
            await graph.membership("main", first, 0)
            packs = set((graph.clone.folder / "objects" / "pack").iterdir())
            second = repository.commit(first, branch="main", subject="second")
            await graph.membership("main", second, 0)
            for path in packs:
                path.unlink(missing_ok=True)
            found = await graph.membership("main", first, 3600)
            assert isinstance(found, Membership) and found.on_branch
            assert await graph.full_hash("main", first[:12], 3600) == FullHash(first, found.as_of)
            # And a commit on no branch, whose parent is gone.
            packs = set((graph.clone.folder / "objects" / "pack").iterdir())
            aside = repository.commit(second, subject="aside")
            assert await graph.relation("main", second, aside) == Relation(0, 1)
            for path in (*packs, *(graph.clone.folder / "objects" / "info").iterdir()):
                path.unlink(missing_ok=True)
            async with asyncio.timeout(PATIENCE_S):
                # Git cannot fetch into such a clone: it is made anew after the pause.
                while isinstance(found := await graph.membership("main", aside, 3600), Unknown):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.02)
            assert not found.on_branch and found.tip == second

    asyncio.run(ask())
