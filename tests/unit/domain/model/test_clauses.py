"""Messages that are put together."""

from __future__ import annotations

import pytest

from ecs_release.domain.model.clauses import join_clauses


@pytest.mark.parametrize(
    ("clauses", "joined"),
    [
        ((), ""),
        (("", ""), ""),
        (("one.",), "one."),
        (
            ("ECS rolled it back: threshold exceeded.", "nothing further starts"),
            "ECS rolled it back: threshold exceeded; nothing further starts",
        ),
        (("one.", "", "two.", "three."), "one; two; three."),
    ],
)
def test_only_the_last_clause_keeps_its_full_stop(clauses: tuple[str, ...], joined: str) -> None:
    assert join_clauses(*clauses) == joined
