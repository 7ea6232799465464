"""The walk finds mended mistakes when they are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, copy_with, is_found

SECONDS, SEED = 240.0, 20_261_129_000
"""Of CPU for each walk, on a machine that is four times slower. `make soak` walks for a minute from three fresh seeds for each mutant."""

_SEEDS = {
    "digests tell whether ECS went back": 859_458_025,
    "what ECS has given up counts": 125_232_071,
    "a proof by some tasks": 763_281_053,
    "health forgotten at a restart": 915_806_002,
    "a pin named by its time": 304_344_000,
    "nothing was deployed where the target changed": 608_782_025,
    "windows are asked once": 650_843_013,
    "an older commit is as good as a newer one": 207_758_094,
    "an old look is final": 570_741_052,
    "a set begins though a service refuses": 215_094_027,
    "the age of a deployment tells": 375_956_028,
    "what others do hides what is announced": 631_265_057,
    "whatever goes back was told to": 57_067_054,
}
"""Where the walk of each begins, near to what shows it: a shorter way, as long as the walk is what it was. Others begin at SEED."""


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]

    assert is_found(copy_with(mutant, tmp_path), mutant.rules, _SEEDS.get(name, SEED), SECONDS), f"{mutant.what}, and nothing noticed"
