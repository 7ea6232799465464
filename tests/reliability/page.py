"""`make reliability-page`: writes what `make soak` has done into docs/explanation/reliability.md, by way of docs/reliability.json.

What the harness has by now and no run has measured is listed, too, so that the page is never older than the harness.
"""

from __future__ import annotations

import json
from typing import Any

from tests.model.faults import READS
from tests.model.figures import FRESH, ROOT
from tests.model.mutants import MUTANTS
from tests.release.project import NOT_MEASURED, RELIABILITY
from tests.reliability.inventory import attacked, unmeasured

PAGE, FIGURES = ROOT / RELIABILITY, ROOT / "docs" / "reliability.json"
_BEGIN, _END = "<!-- figures: make reliability-page -->\n", "<!-- end of figures -->\n"


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
    more += _plays("disturbance of the real process", figures.get("disturbances"))
    more += _plays("upgrade of the real process", figures.get("upgrades"))
    return "\n".join([*rows, *more, *_left(unmeasured(figures))]) + "\n"


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


def _plays(what: str, figures: dict[str, Any] | None) -> list[str]:
    if not figures:
        return []
    rows = ["", f"| {what} | scenarios |", "| --- | --- |"]
    rows += [f"| {name} | {number} |" for name, number in figures["plays"].items()]
    return [*rows, "", f"From seed {figures['seed']} on: {figures['violations']} violations."]


def _left(unmeasured: dict[str, list[str]]) -> list[str]:
    if not unmeasured:
        return []
    numbers = {kind: len(names) for kind, names in attacked().items()}
    told = {k: f"all {len(n)}" if len(n) == numbers[k] else ", ".join(f"`{name}`" for name in n) for k, n in unmeasured.items()}
    return ["", NOT_MEASURED, "", *(f"- **{kind}**: {names}" for kind, names in told.items())]


def page(text: str, figures: dict[str, Any]) -> str:
    """Put the tables where the page has room for them."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{tables(figures)}\n{_END}{after}"


def main() -> None:
    """Run the command: what the latest soak has done, if there was one here, takes the place of what was done before."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures = known | (json.loads(FRESH.read_text()) if FRESH.exists() else {})
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    PAGE.write_text(page(PAGE.read_text(), figures))


if __name__ == "__main__":
    main()
