"""What the harness attacks, by name, and what of it a run has measured.

Names, and not the text of modules: a change of the harness's code needs no new run, something new to attack does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.fuzz.targets import TARGETS
from tests.model import crash_points, inventory
from tests.model.actions import CHOICES
from tests.model.mutants import MUTANTS
from tests.reliability.disturbances import DISTURBANCES
from tests.reliability.scenarios import SCENARIOS
from tests.reliability.upgrades import UPGRADES
from tests.reliability.wires import AWS, KUBERNETES

RULES, DEEDS, CALLS, MODEL, MISTAKES = (
    "rules of the oracle",
    "deeds in the model",
    "calls and their faults in the model",
    "the model's scenarios",
    "mistakes",
)
INPUTS, PROCESSES, WIRES = "made-up inputs", "scenarios of the real process", "faults on a wire"
DISTURBED, UPGRADED = "disturbances", "upgrades"


def attacked() -> dict[str, tuple[str, ...]]:
    """List what there is, by kind."""
    return {
        RULES: inventory.rules(),
        DEEDS: tuple(sorted(CHOICES)),
        CALLS: inventory.FAULTS,
        MODEL: tuple(crash_points.SCENARIOS),
        MISTAKES: tuple(MUTANTS),
        INPUTS: tuple(TARGETS),
        PROCESSES: tuple(SCENARIOS),
        WIRES: (*(f"API server: {name}" for name in KUBERNETES), *(f"AWS: {name}" for name in AWS)),
        DISTURBED: tuple(DISTURBANCES),
        UPGRADED: tuple(UPGRADES),
    }


def measured(figures: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """List what a run's figures have, by kind: what was met, not what might have been."""
    met = figures.get("met", {})
    found: dict[str, Iterable[str]] = {
        RULES: met.get("rules", ()),
        DEEDS: met.get("deeds", ()),
        CALLS: met.get("faults", ()),
        MODEL: figures.get("crashes", {}),
        MISTAKES: (name for name, one in figures.get("mutants", {}).items() if one["found"]),
        INPUTS: (name for name, number in figures.get("fuzz", {}).get("inputs", {}).items() if number),
        PROCESSES: (name for name, one in figures.get("processes", {}).get("scenarios", {}).items() if one["tried"]),
        WIRES: figures.get("wires", {}).get("faults", {}),
        DISTURBED: figures.get("disturbances", {}).get("plays", {}),
        UPGRADED: figures.get("upgrades", {}).get("plays", {}),
    }
    return {kind: frozenset(names) for kind, names in found.items()}


def unmeasured(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    """List what there is and no run has measured, by kind; kinds of which all was measured are left out."""
    known = measured(figures)
    left = {kind: [name for name in names if name not in known[kind]] for kind, names in attacked().items()}
    return {kind: names for kind, names in left.items() if names}
