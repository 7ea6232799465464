"""Ages, as kubectl writes them."""

from __future__ import annotations

import pytest

from ecs_release.pages import ages


@pytest.mark.parametrize(
    ("total", "expected"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (119, "119s"), (120, "2m"), (312, "5m12s"), (600, "10m"), (3600, "60m"), (10_800, "3h"),
     (11_100, "3h5m"), (28_800, "8h"), (86_400, "24h"), (180_000, "2d2h"), (864_000, "10d"), (63_072_000, "2y"), (70_000_000, "2y80d")],
)  # fmt: skip
def test_ages_read_as_kubectls(total: float, expected: str) -> None:
    assert ages.age(total) == expected
