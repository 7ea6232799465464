"""A clone of the commits service that has become many packs: packed anew if there is room for that, by real git."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ecs_release.commits_service.clone import Clone, folder_size
from ecs_release.commits_service.git import Bounds, Git
from tests.git_host.repositories import BareRepository, git

ROOM, NO_ROOM = "", "there is no room"


@pytest.fixture
def made(tmp_path: Path) -> BareRepository:
    """A repository in the place of a clone, of 45 packs."""
    repository = BareRepository(tmp_path / "clone")
    for number in range(45):
        commit = repository.commit(branch="main", subject=f"commit {number}")
        git(repository.folder, "pack-objects", "--quiet", str(repository.folder / "objects" / "pack" / "pack"), stdin=commit)
        git(repository.folder, "update-ref", f"refs/commits/{number}", commit)
    git(repository.folder, "prune-packed")
    return repository


def upkeep(made: BareRepository, answer: str) -> tuple[Clone, list[int]]:
    """Maintain the clone; returns it, and the sizes for which room was asked for."""
    asked: list[int] = []
    clone = Clone(Git(Bounds(2**30, 2**30)), made.folder, query_s=60)
    clone.size = folder_size(made.folder)

    def too_large(size: int) -> str:
        asked.append(size)
        return answer

    asyncio.run(clone.maintain(too_large))
    return clone, asked


def packs(made: BareRepository) -> int:
    return len(list(made.folder.glob("objects/pack/*.pack")))


def test_it_is_packed_anew_where_old_and_new_have_room(made: BareRepository) -> None:
    size = folder_size(made.folder)
    clone, asked = upkeep(made, ROOM)
    assert packs(made) <= 2 and asked == [2 * size]
    assert clone.size == folder_size(made.folder) < size, "the room is given back"


def test_it_stays_as_it_is_where_there_is_no_room(made: BareRepository) -> None:
    before = packs(made)
    clone, asked = upkeep(made, NO_ROOM)
    assert packs(made) == before and asked and clone.size == folder_size(made.folder)
    assert git(made.folder, "rev-list", "--count", "--all") == "45"


def test_it_is_made_anew_where_there_is_no_room_for_far_too_many(made: BareRepository) -> None:
    for number in range(400):
        (made.folder / "objects" / "pack" / f"pack-{number}.pack").touch()
    clone, _ = upkeep(made, NO_ROOM)
    assert not made.folder.exists() and clone.size == 0


def test_what_a_repack_leaves_behind_is_deleted(made: BareRepository) -> None:
    """It was ended by a bound, and gave no room back."""
    left = made.folder / "objects" / "pack" / "tmp_pack_x"
    left.touch()
    upkeep(made, NO_ROOM)
    assert not left.exists()
