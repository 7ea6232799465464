"""The table of attacks in the threat model names tests that there are, and all that tests/attacks has."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| ((?:`tests/[\w/]+\.py::\w+`(?:, )?)+|none yet) \|")
TRIED_FIRST = 41


def rows() -> list[tuple[int, set[str]]]:
    """Return the numbers of the table, and the tests of each."""
    section = PAGE.read_text().partition("## Attacks that are tried\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    found = [_ROW.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == [], "number, attack, what stops it, tests"
    return [(int(match[1]), set(re.findall(r"`(.+?)`", match[4]))) for match in found if match]


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name.startswith("test_")}


def test_attacks_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in rows()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= TRIED_FIRST


def test_the_tests_that_it_names_are_there() -> None:
    named = {test for _, tests in rows() for test in tests}
    assert [test for test in sorted(named) if test.partition("::")[2] not in functions_of(test.partition("::")[0])] == []


def test_each_attack_of_the_folder_has_its_row() -> None:
    """Those that try what is allowed stand beside the attack, and need none."""
    named = {test for _, tests in rows() for test in tests}
    folder = sorted((ROOT / "tests" / "attacks").glob("test_*.py"))
    tried = {f"{path.relative_to(ROOT)}::{name}" for path in folder for name in functions_of(str(path.relative_to(ROOT)))}
    assert {test for test in tried - named if not test.endswith("_may_create_in_their_own")} == set()
