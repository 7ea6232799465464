"""The generator: what it writes, and what it refuses to write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from ecs_release.api.generate import HEADER, files, main
from ecs_release.api.schema import structural_schema

ROOT = Path(__file__).parents[3]


def test_files_are_up_to_date() -> None:
    there = {path.name: path.read_text() for path in (ROOT / "crds").iterdir()}
    assert there == files(), "run make generate"


def test_generating_twice_gives_the_same_and_removes_what_is_old(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(HEADER)
    main([str(tmp_path)])
    first = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    main([str(tmp_path)])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == first
    assert "old.yaml" not in first


class Tree(BaseModel):
    """A model that holds itself."""

    child: Tree | None = None


class Loose(BaseModel):
    """A model without a type."""

    anything: Any = None


class Either(BaseModel):
    """A model with a union."""

    value: int | str = 1


class Exclusive(BaseModel):
    """A model with a bound that OpenAPI v3.0 says otherwise."""

    value: Annotated[int, Field(gt=0)] = 1


@pytest.mark.parametrize(("model", "why"), [(Tree, "recursive"), (Loose, "no type"), (Either, "anyOf"), (Exclusive, "exclusiveMinimum")])
def test_what_a_crd_cannot_say_is_an_error(model: type[BaseModel], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        structural_schema(model)


class Optional(BaseModel):
    """Fields that may be left out."""

    number: Annotated[int | None, Field(ge=0, le=9)] = None
    word: Annotated[str, Field(max_length=3)] = "abc"


def test_what_may_be_left_out_may_not_be_null() -> None:
    schema = structural_schema(Optional)
    assert schema["properties"]["number"] == {"minimum": 0, "maximum": 9, "type": "integer", "format": "int32"}
    assert schema["properties"]["word"]["default"] == "abc"
    assert "required" not in schema
