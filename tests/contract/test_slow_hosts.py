"""Git hosts that accept, and then stall, on repositories that the commits service knows: others are answered meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_release.domain.ports.commits import Membership, Relation, Unknown, UnknownReason
from tests.git_host.server import Behaviour, GitHost, running_host, until
from tests.git_host.service import CommitsService, binding

SLOTS = 2
ABSENT = "0123456789abcdef0123456789abcdef01234567"
# None of them ends a transfer within the test.
ENDLESS = {"lowSpeedSeconds": 3600, "fetchSeconds": 3600, "cloneSeconds": 3600}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


def membership(service: CommitsService, host: GitHost, path: str, commit: str) -> Membership | Unknown:
    return service.ask("shop", host.url(path)).membership(commit)


def is_merged(service: CommitsService, host: GitHost, path: str, commit: str) -> bool:
    found = membership(service, host, path, commit)
    return isinstance(found, Membership) and found.on_branch


def is_pending(service: CommitsService, host: GitHost, path: str) -> bool:
    found = membership(service, host, path, ABSENT)
    return isinstance(found, Unknown) and found.reason is UnknownReason.PENDING


@pytest.mark.parametrize("behaviour", [Behaviour(hang=True), Behaviour(drip=True)], ids=["never answers", "a byte now and then"])
def test_known_repositories_that_begin_to_hang_hold_up_no_other(host: GitHost, tmp_path: Path, behaviour: Behaviour) -> None:
    """More of them than their host has slots."""
    names = [f"slow-{behaviour.drip}/{n}" for n in range(SLOTS + 2)]
    repositories = {path: host.repository(path) for path in names}
    lines = {path: repository.line(2) for path, repository in repositories.items()}
    healthy, *hanging = names
    limits = {**ENDLESS, "answerSeconds": 2, "fetchesPerHost": SLOTS, "quickSeconds": 15}
    with CommitsService(tmp_path / "own", [binding(host, f"slow-{behaviour.drip}/*")], limits=limits) as own:
        for path, line in lines.items():
            until("its clone", lambda path=path, line=line: own.ask("shop", host.url(path)).relation(*line) == Relation(0, 1))
        for path in hanging:
            host.behave(path, behaviour)
            assert is_pending(own, host, path)
        newer = repositories[healthy].commit(lines[healthy][1], branch="main")
        until("a fetch of the one that is healthy", lambda: is_merged(own, host, healthy, newer))
        assert all(is_pending(own, host, path) for path in hanging), "slow, but neither given up nor taken for an answer"
