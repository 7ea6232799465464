"""Fields of answers: what has another type than documented is refused where it is read, and the message says where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.aws.sessions.fields import Fields, UnreadableError

NOW = datetime(2026, 5, 4, tzinfo=UTC)
READS: dict[str, tuple[Callable[[Fields], Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "text": (lambda f: f.text("x"), ("", "a"), (7, True, ["a"], {})),
    "needed text": (lambda f: f.text("x", None), ("a",), (None, "", 7)),
    "known text": (lambda f: f.one_of("x", ("a", "b"), ""), ("a", "b", None), ("c", "A", 7)),
    "count": (lambda f: f.count("x"), (0, 7, None), (-1, 1.0, "7", True)),
    "integer": (lambda f: f.integer("x"), (-7, 0, None), (1.0, "7", True)),
    "number": (lambda f: f.number("x"), (0.5, 7, -1, None), ("7", True, [])),
    "flag": (lambda f: f.flag("x"), (True, False, None), (0, "true", [])),
    "time": (lambda f: f.time("x"), (NOW, NOW.replace(tzinfo=None), None), (7.0, "2026-05-04", {})),
    "part": (lambda f: f.part("x"), ({}, {"a": 1}, None), ([], "a", 7)),
    "needed part": (lambda f: f.needed_part("x"), ({},), (None, [])),
    "parts": (lambda f: f.parts("x"), ([], [{}], None), ({}, "ab", ["a"], [None])),
    "needed parts": (lambda f: f.needed_parts("x"), ([], [{}]), (None, {})),
    "texts": (lambda f: f.texts("x"), ([], ["a"], None), ("ab", [7], [None])),
    "needed texts": (lambda f: f.texts("x", needed=True), ([], ["a"]), (None, "ab")),
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, (_, fine, _) in READS.items() for value in fine])
def test_what_is_as_documented_is_read(kind: str, value: Any) -> None:
    READS[kind][0](Fields({"x": value}))


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, (_, _, odd) in READS.items() for value in odd])
def test_what_is_odd_is_refused_with_its_place(kind: str, value: Any) -> None:
    with pytest.raises(UnreadableError, match=r"^a\.x"):
        READS[kind][0](Fields({"x": value}, "a"))


def test_times_without_a_zone_are_utc() -> None:
    assert Fields({"x": NOW.replace(tzinfo=None)}).time("x") == NOW
