"""Names of a ReleaseSet's children."""

from __future__ import annotations

import re

import pytest

from ecs_release.domain.sets.child_manifests import child_name


@pytest.mark.parametrize("names", [("all", "web"), ("s" * 63, "x" * 63), ("all", "Web_1.x"), ("a.b", "-"), ("all-a", "b"), ("all", "a-b")])
def test_names_of_children_are_names(names: tuple[str, str]) -> None:
    name = child_name(*names)
    assert len(name) <= 63 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


def test_names_that_read_alike_differ() -> None:
    pairs = [("all-a", "b"), ("all", "a-b"), ("all", "a_b"), ("all", "A-b"), ("s" * 63, "xa"), ("s" * 63, "xb")]
    assert len({child_name(*p) for p in pairs}) == len(pairs)
