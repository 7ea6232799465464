"""Results: a table for people, build/bench.json for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """One figure. `floor` is what could not be less, `ratio` is value to floor, `bound` what the ratio must not exceed."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    bound: float | None = None
    n: int = 1

    @property
    def ratio(self) -> float | None:
        """Value to floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool:
        """Whether the bound holds."""
        compared = self.ratio if self.ratio is not None else self.value
        return self.bound is None or compared <= self.bound


def publish(results: list[Result], path: Path) -> None:
    """Print the table and write the file."""
    table = Table("benchmark", "value", "floor", "ratio", "bound", "n", "")
    for result in results:
        table.add_row(
            result.name,
            f"{result.value:.3f} {result.unit}",
            "" if result.floor is None else f"{result.floor:.3f} {result.unit}",
            "" if result.ratio is None else f"{result.ratio:.2f}",
            "" if result.bound is None else f"{result.bound:g}",
            str(result.n),
            "" if result.bound is None else ("met" if result.met else "MISSED"),
        )
    Console(width=160).print(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{**asdict(r), "ratio": r.ratio} for r in results], indent=2) + "\n")
