"""`--sort-by`, as kubectl has it."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.sorting import parse_path, sort_by


@pytest.mark.parametrize(
    ("text", "found"),
    [(".metadata.name", ("metadata", "name")), ("{.status.phase}", ("status", "phase")), ("outcome", ("outcome",))],
)
def test_paths_are_read(text: str, found: tuple[str, ...]) -> None:
    assert parse_path(text) == found


@pytest.mark.parametrize("text", ["", ".", "{}", "a..b", ".a[0]", "{.items[*].x}", ".metadata.labels.app\\.io/x", "..name"])
def test_what_is_no_path_of_fields_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no path of fields"):
        parse_path(text)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["b", "a"], ["a", "b"]),
        (["v10", "v9", "v9a"], ["v9", "v9a", "v10"]),
        ([3, 20, 1.5], [1.5, 3, 20]),
        (["x", None, 7, True], [None, True, 7, "x"]),
        (["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        (["1a", "a1", "1"], ["1", "1a", "a1"]),
    ],
)
def test_the_order(values: list[Any], order: list[Any]) -> None:
    objects = [{"status": {"x": v}} if v is not None else {} for v in values]
    assert [o.get("status", {}).get("x") for o in sort_by(("status", "x"), objects)] == order


def test_equal_ones_stay_and_a_field_that_nobody_has_is_refused() -> None:
    same = [{"a": 1, "n": n} for n in range(3)]
    assert sort_by(("a",), same) == same and sort_by(("a",), []) == []
    with pytest.raises(CommandError, match=r"no object has a field \.a\.b"):
        sort_by(("a", "b"), same)
