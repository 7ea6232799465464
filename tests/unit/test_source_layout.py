"""What keeps the source easy to find one's way in: small folders, each with a description, and docstrings that begin alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "operator" / "ecs_release"
FOLDERS = sorted({path.parent for path in SOURCE.rglob("*.py")})
# Rooms that have folders by concept; the plugin's commands are one module each.
_BY_CONCEPT = ("domain", "engine", "aws", "cli/kubectl")
_MODULES = 14


def _name(folder: Path) -> str:
    return str(folder.relative_to(SOURCE.parent))


def test_folders_are_small() -> None:
    sizes = {
        _name(f): len([*f.glob("*.py")]) - 1
        for f in FOLDERS
        if f.name != "commands" and any(f.is_relative_to(SOURCE / r) for r in _BY_CONCEPT)
    }
    assert {name: size for name, size in sizes.items() if size > _MODULES} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_a_folder_says_what_is_in_it(folder: Path) -> None:
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_predicates_are_described_alike() -> None:
    found = [path.name for path in SOURCE.rglob("*.py") if re.search(r"(Tell|Say)s? whether", path.read_text())]
    assert found == []
