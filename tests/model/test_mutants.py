"""The walk finds mended mistakes when they are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, copy_with, is_found

SECONDS, SEED = 240.0, 20_261_129_000
"""Of CPU for each walk, on a machine that is four times slower. `make soak` walks for a minute from three fresh seeds for each mutant."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]

    assert is_found(copy_with(mutant, tmp_path), mutant.rules, SEED, SECONDS), f"{mutant.what}, and nothing noticed"
