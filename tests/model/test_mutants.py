"""The walk finds mended mistakes when they are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, copy_with, is_found

SECONDS, SEED = 240.0, 20_261_129_000
"""Of CPU for each walk, on a machine that is four times slower. `make soak` walks for a minute from three fresh seeds for each mutant."""

_SEEDS = {
    "digests tell whether ECS went back": 20_261_129_076,
    "health forgotten at a restart": 20_261_129_186,
    "what ECS has given up counts": 20_261_129_238,
}
"""Where the walks of some began that took long from SEED: a shorter way, as long as the walk is what it was."""


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]

    assert is_found(copy_with(mutant, tmp_path), mutant.rules, _SEEDS.get(name, SEED), SECONDS), f"{mutant.what}, and nothing noticed"
