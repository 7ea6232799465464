"""The walk finds mended mistakes when they are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, copy_with, is_found

SECONDS, SEED = 240.0, 20_261_129_000
"""Of CPU for each walk, on a machine that is four times slower. `make soak` walks for a minute from three fresh seeds for each mutant."""

_SEEDS = {
    "digests tell whether ECS went back": 20_261_129_000,
    "what ECS has given up counts": 20_261_129_238,
    "a proof by some tasks": 20_261_129_149,
    "health forgotten at a restart": 20_261_129_085,
    "a pin named by its time": 20_261_129_098,
    "nothing was deployed where the target changed": 20_261_129_071,
    "windows are asked once": 20_261_129_174,
    "an older commit is as good as a newer one": 20_261_129_121,
    "an old look is final": 20_261_129_041,
    "a set begins though a service refuses": 20_261_129_092,
    "the age of a deployment tells": 20_261_129_022,
}
"""Where the walk of each begins, near to what shows it: a shorter way, as long as the walk is what it was. Others begin at SEED."""


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]

    assert is_found(copy_with(mutant, tmp_path), mutant.rules, _SEEDS.get(name, SEED), SECONDS), f"{mutant.what}, and nothing noticed"
