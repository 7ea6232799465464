"""`make bench-page`: writes what `make bench` has measured into docs/benchmarks.md, by way of docs/benchmarks.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE, FIGURES = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.json"
_BEGIN, _END = "<!-- figures: make bench-page -->\n", "<!-- end of figures -->\n"


def table(results: list[dict[str, Any]]) -> str:
    """Write results as a table of Markdown."""
    rows = ["| benchmark | value | floor | ratio | bound | n | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for r in results:
        compared = r["ratio"] if r["ratio"] is not None else r["value"]
        verdict = "" if r["bound"] is None else "met" if compared <= r["bound"] else "**missed**"
        floor = "" if r["floor"] is None else f"{_number(r['floor'])} {r['unit']}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        bound = "" if r["bound"] is None else f"{r['bound']:g}"
        rows.append(f"| {r['name']} | {_number(r['value'])} {r['unit']} | {floor} | {ratio} | {bound} | {r['n']} | {verdict} |")
    return "\n".join(rows) + "\n"


def page(text: str, results: list[dict[str, Any]]) -> str:
    """Put the table where the page has room for it."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table(results)}{_END}{after}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def main() -> None:
    """Run the command: takes the results of the file named, or of build/bench.json, in place of those of the same names."""
    fresh = json.loads((Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "bench.json").read_text())
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else []
    names = {r["name"] for r in fresh}
    results = [r for r in known if r["name"] not in names] + fresh
    FIGURES.write_text(json.dumps(results, indent=2) + "\n")
    PAGE.write_text(page(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
