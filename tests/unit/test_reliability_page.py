"""The page on how the promises are attacked is as old as the harness: what no run has measured stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.model.inventory import rules
from tests.release.project import NOT_MEASURED
from tests.reliability import inventory
from tests.reliability.page import FIGURES, PAGE, page, tables

WALK = {"walk": {"seeds": "1 to 2"}}


def test_the_page_is_what_its_figures_and_the_harness_make_of_it() -> None:
    """`make reliability-page` writes it anew; a run is needed for figures only."""
    assert PAGE.read_text() == page(PAGE.read_text(), json.loads(FIGURES.read_text()))


def everything() -> dict[str, Any]:
    """What a run would have kept that has met all there is."""
    named = inventory.attacked()
    mutant = {"found": 1, "walks": 1, "longest_s": 1.0}
    scenario = {"points": 3, "tried": 3, "met": 3}
    plays = {"seed": 1, "violations": 0}
    return {
        **WALK,
        "met": {"rules": list(named[inventory.RULES]), "deeds": list(named[inventory.DEEDS]), "faults": list(named[inventory.CALLS])},
        "crashes": {name: {"points": 1, "calls": {}, "violations": 0} for name in named[inventory.MODEL]},
        "mutants": dict.fromkeys(named[inventory.MISTAKES], mutant),
        "fuzz": {"seed": 1, "longest turn in ms of CPU": 1, "found": {}, "inputs": dict.fromkeys(named[inventory.INPUTS], 1)},
        "processes": {**plays, "scenarios": dict.fromkeys(named[inventory.PROCESSES], scenario)},
        "wires": {**plays, "plays": 1, "faults": dict.fromkeys(named[inventory.WIRES], 1)},
        "disturbances": {**plays, "plays": dict.fromkeys(named[inventory.DISTURBED], 1)},
        "upgrades": {**plays, "plays": dict.fromkeys(named[inventory.UPGRADED], 1)},
    }  # fmt: skip


def test_a_run_that_has_met_everything_leaves_nothing() -> None:
    assert inventory.unmeasured(everything()) == {}
    assert NOT_MEASURED not in tables(everything())


@pytest.mark.parametrize("kind", inventory.attacked())
def test_something_new_to_attack_is_not_measured_yet(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figures, named = everything(), inventory.attacked()
    monkeypatch.setattr(inventory, "attacked", lambda: named | {kind: (*named[kind], "something new")})

    assert inventory.unmeasured(figures) == {kind: ["something new"]}
    assert f"- **{kind}**: `something new`" in tables(figures)


def test_what_no_run_has_met_is_not_measured() -> None:
    assert inventory.unmeasured(WALK) == {kind: list(names) for kind, names in inventory.attacked().items()}
    assert f"- **{inventory.UPGRADED}**: all {len(inventory.attacked()[inventory.UPGRADED])}\n" in tables(WALK)


def test_a_mistake_that_no_walk_has_found_is_not_measured() -> None:
    figures = everything()
    name = next(iter(figures["mutants"]))
    figures["mutants"][name] = {"found": 0, "walks": 3, "longest_s": 60.0}

    assert inventory.unmeasured(figures) == {inventory.MISTAKES: [name]}


def test_rules_are_found_where_the_oracle_says_them() -> None:
    assert {"calls/deployed-twice", "engine/spins", "quiet/changed", "ready/*/*", "stalled/passing-refusal"} <= set(rules())
