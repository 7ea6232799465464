"""`make reliability-page`: writes what `make soak` has done into docs/explanation/reliability.md, by way of docs/reliability.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.model.faults import READS
from tests.model.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
PAGE, FIGURES, FRESH = ROOT / "docs" / "explanation" / "reliability.md", ROOT / "docs" / "reliability.json", ROOT / "build" / "soak.json"
_BEGIN, _END = "<!-- figures: make reliability-page -->\n", "<!-- end of figures -->\n"


def keep(part: str, figures: Any) -> None:
    """Keep what a run has done for the page."""
    known = json.loads(FRESH.read_text()) if FRESH.exists() else {}
    FRESH.parent.mkdir(exist_ok=True)
    FRESH.write_text(json.dumps(known | {part: figures}, indent=2) + "\n")


def tables(figures: dict[str, Any]) -> str:
    """Write figures as tables of Markdown."""
    walk, mutants = figures["walk"], figures.get("mutants", {})
    rows = ["| walk | |", "| --- | --- |"]
    rows += [f"| {name} | {value} |" for name, value in walk.items()]
    if crashes := figures.get("crashes"):
        rows += ["", "| scenario | crash points | of calls that change something | violations |", "| --- | --- | --- | --- |"]
        for name, one in crashes.items():
            changing = sum(n for call, n in one["calls"].items() if call not in READS and call not in ("get", "count"))
            rows.append(f"| {name} | {one['points']} | {changing} | {one['violations']} |")
    rows += ["", "| mistake that was made again | walks that found it | longest, s of CPU |", "| --- | --- | --- |"]
    for name, mutant in MUTANTS.items():
        found = mutants.get(name)
        told = f"{found['found']} of {found['walks']} | {found['longest_s']:.0f}" if found else "not run | "
        rows.append(f"| {mutant.what} | {told} |")
    more = [*_inputs(figures.get("fuzz")), *_processes(figures.get("processes")), *_wires(figures.get("wires"))]
    return "\n".join([*rows, *more]) + "\n"


def _inputs(figures: dict[str, Any] | None) -> list[str]:
    if not figures:
        return []
    rows = ["", "| inputs made by chance | tried | that did harm |", "| --- | --- | --- |"]
    rows += [f"| {name} | {number} | {figures['found'].get(name, 0)} |" for name, number in figures["inputs"].items()]
    return [
        *rows,
        "",
        f"From seed {figures['seed']} on; the longest turn of the loop took {figures['longest turn in ms of CPU']} ms of CPU.",
    ]


def _processes(figures: dict[str, Any] | None) -> list[str]:
    if not figures:
        return []
    rows = ["", "| scenario, with the real process | crash points | tried | met |", "| --- | --- | --- | --- |"]
    rows += [f"| {name} | {one['points']} | {one['tried']} | {one['met']} |" for name, one in figures["scenarios"].items()]
    return [*rows, "", f"Seed {figures['seed']}: {figures['violations']} violations."]


def _wires(figures: dict[str, Any] | None) -> list[str]:
    if not figures:
        return []
    rows = ["", "| fault on a wire of the real process | times |", "| --- | --- |"]
    rows += [f"| {name} | {number} |" for name, number in figures["faults"].items()]
    return [*rows, "", f"{figures['plays']} scenarios from seed {figures['seed']} on: {figures['violations']} violations."]


def page(text: str, figures: dict[str, Any]) -> str:
    """Put the tables where the page has room for them."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{tables(figures)}\n{_END}{after}"


def main() -> None:
    """Run the command: what the latest soak has done takes the place of what was done before."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures = known | json.loads(FRESH.read_text())
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    PAGE.write_text(page(PAGE.read_text(), figures))


if __name__ == "__main__":
    main()
