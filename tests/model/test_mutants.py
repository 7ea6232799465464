"""The walk finds mended mistakes when they are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, copy_with, is_found

SECONDS, SEED = 240.0, 20_261_129_000
"""Of CPU for each walk, on a machine that is four times slower. `make soak` walks for a minute from three fresh seeds for each mutant."""

_SEEDS = {
    "digests tell whether ECS went back": 53_335_039,
    "what ECS has given up counts": 22_439_105,
    "a proof by some tasks": 773_831_007,
    "health forgotten at a restart": 965_060_030,
    "a pin named by its time": 305_081_000,
    "nothing was deployed where the target changed": 492_582_054,
    "windows are asked once": 997_715_063,
    "an older commit is as good as a newer one": 180_552_031,
    "an old look is final": 842_351_020,
    "a set begins though a service refuses": 123_113_012,
    "the age of a deployment tells": 109_878_001,
    "what others do hides what is announced": 826_477_062,
    "whatever goes back was told to": 994_469_007,
}
"""Where the walk of each begins, near to what shows it: a shorter way, as long as the walk is what it was. Others begin at SEED."""


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]

    assert is_found(copy_with(mutant, tmp_path), mutant.rules, _SEEDS.get(name, SEED), SECONDS), f"{mutant.what}, and nothing noticed"
