"""The operator's settings of the commits service: without an address there is no client."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ecs_release import app
from ecs_release.commits.adapter import HttpCommits
from ecs_release.config import Settings


def test_without_an_address_nothing_is_asked() -> None:
    assert app._commits(Settings()) is None
    assert app._commits(Settings(commits_token_file=Path("/token"))) is None


def test_with_an_address_there_is_a_client() -> None:
    settings = Settings(commits_address="http://commits.ecs-release.svc:8090", commits_token_file=Path("/token"))
    assert isinstance(app._commits(settings), HttpCommits)


@pytest.mark.parametrize(
    "address", ["commits:8090", "https://commits", "http://commits/v1", "http://user@commits", "http://commits:x", "http://-c"]
)
def test_an_address_has_one_form(address: str) -> None:
    with pytest.raises(ValidationError, match="commits_address"):
        Settings(commits_address=address, commits_token_file=Path("/token"))


def test_an_address_needs_a_token() -> None:
    with pytest.raises(ValidationError, match="must be given with commits_address"):
        Settings(commits_address="http://commits:8090")
