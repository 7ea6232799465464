"""Names of objects that are made of other tools' names."""

from __future__ import annotations

import re

import pytest

from ecs_release.cli.kubectl.importing.names import UniqueNames, object_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("storage", "storage"),
        ("Bag_Register", "bag-register"),
        ("2022-10-03", "2022-10-03"),
        ("-x-", "x"),
        ("a" * 80, None),
        ("日本", None),
    ],
)
def test_object_names(text: str, expected: str | None) -> None:
    name = object_name(text)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 63
    assert expected is None or name == expected


def test_names_are_given_once() -> None:
    taken = UniqueNames()
    first, second, again = taken.unique("a", "A"), taken.unique("a", "a"), taken.unique("a", "A")
    assert first == "a" == again and second != "a" and taken.unique("a", "a") == second
