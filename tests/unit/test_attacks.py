"""The table of attacks in the threat model names tests that there are, and all that tests/attacks has."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| ((?:`tests/[\w/]+\.py::\w+`(?:, )?)+|none yet) \|")
TRIED_FIRST, TRIED_ON_COMMITS = 41, 15


def section_of(title: str) -> str:
    return PAGE.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows() -> list[tuple[int, set[str]]]:
    """Return the numbers of the table, and the tests of each."""
    section = section_of("Attacks that are tried")
    lines = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    found = [_ROW.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == [], "number, attack, what stops it, tests"
    return [(int(match[1]), set(re.findall(r"`(.+?)`", match[4]))) for match in found if match]


def commits_rows() -> list[tuple[str, set[str]]]:
    """Return the attacks on the commits service, and the tests of each."""
    cells = [line.strip("| ").split(" | ") for line in section_of("The commits service").splitlines() if line.startswith("| ")]
    return [(attack, set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", tests))) for attack, _, tests in cells[2:]]


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name.startswith("test_")}


def test_attacks_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in rows()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= TRIED_FIRST


def test_the_tests_that_it_names_are_there() -> None:
    named = {test for _, tests in (*rows(), *commits_rows()) for test in tests}
    assert [test for test in sorted(named) if test.partition("::")[2] not in functions_of(test.partition("::")[0])] == []


def test_each_attack_of_the_folder_has_its_row() -> None:
    """Those that try what is allowed stand beside the attack, and need none."""
    named = {test for _, tests in rows() for test in tests}
    folder = sorted((ROOT / "tests" / "attacks").glob("test_*.py"))
    tried = {f"{path.relative_to(ROOT)}::{name}" for path in folder for name in functions_of(str(path.relative_to(ROOT)))}
    assert {test for test in tried - named if not test.endswith("_may_create_in_their_own")} == set()


def test_each_attack_on_the_commits_service_has_its_test_and_each_test_its_row() -> None:
    path = "tests/contract/test_commits_attacks.py"
    named = {test for _, tests in commits_rows() for test in tests}
    assert [attack for attack, tests in commits_rows() if not tests] == [] and len(commits_rows()) >= TRIED_ON_COMMITS
    # Beside what is refused: what is let pass.
    assert {f"{path}::{name}" for name in functions_of(path)} - named == {f"{path}::test_faults_of_old_clients_are_let_pass"}
