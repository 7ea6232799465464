"""The pictures and the map of the code show the code as it is."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

from tests.documentation import diagrams
from tests.documentation.drawing import Canvas

ROOT = Path(__file__).parents[2]
CODE = ROOT / "operator" / "ecs_release"
MAPS = (ROOT / "docs" / "explanation" / "architecture.md", ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_pictures_are_made_of_their_source(name: str) -> None:
    assert (diagrams.FOLDER / name).read_text() == diagrams.PICTURES[name](), "run make generate"


@pytest.mark.parametrize("function", sorted({step.function for section in diagrams.SEQUENCE for step in section.steps}))
def test_each_step_of_the_sequence_is_a_function(function: str) -> None:
    module, _, name = function.partition(":")

    found = reduce(getattr, name.split("."), import_module(f"{diagrams.PACKAGE}.{module}"))

    assert callable(found)


@pytest.mark.parametrize("page", MAPS, ids=lambda p: p.name)
def test_each_file_that_the_maps_name_exists(page: Path) -> None:
    named = re.findall(r"`([\w./-]+/[\w.-]*|\w+\.py)`", page.read_text())

    missing = [name for name in named if not name.startswith((".", "build/")) and not (ROOT / name).exists() and not (CODE / name).exists()]

    assert named
    assert missing == []


def test_every_package_is_in_the_picture() -> None:
    drawn = {name for layer in diagrams.contracts()[diagrams.PACKAGE] for name in layer}
    there = {p.name.removesuffix(".py") for p in CODE.iterdir() if not p.name.startswith("__")}

    assert drawn == there == diagrams.ABOUT.keys()


def test_text_that_does_not_fit_is_an_error() -> None:
    canvas = Canvas(100, 100, "a picture")

    with pytest.raises(ValueError, match="needs about"):
        canvas.box(0, 0, 40, 20, ("much too long for this box",))
