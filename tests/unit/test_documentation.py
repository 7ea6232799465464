"""Every command that people are told to type is run by a test, or says why not."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.documentation.blocks import COMMANDS, DATA, Step, blocks, commands, pages
from tests.documentation.runs import FRESH, NOT_RUN, ON_THE_SHOP, TUTORIAL
from tests.documentation.shell import unseen

RUN = {TUTORIAL, *ON_THE_SHOP, *FRESH}


@pytest.mark.parametrize("page", pages())
def test_each_fence_is_of_a_known_language(page: str) -> None:
    """A fence without one could hold commands that nothing finds."""
    assert [b.place for b in blocks(page) if b.language not in COMMANDS + DATA] == []


@pytest.mark.parametrize("page", [p for p in pages() if p not in RUN])
def test_commands_that_nothing_runs_say_why(page: str) -> None:
    assert [b.place for b in commands(page) if not b.no_run] == [], "add the page to tests/documentation/runs.py, or mark the block"


def test_pages_that_are_run_have_something_to_run() -> None:
    assert set(pages()) >= RUN
    assert {page for page in RUN if all(b.no_run for b in commands(page))} == set()


def test_the_reasons_are_those_that_are_known() -> None:
    """Someone has thought about each: what is not run may be wrong."""
    assert Counter(b.no_run for page in pages() for b in commands(page) if b.no_run) == NOT_RUN


def test_data_has_no_mark() -> None:
    """A mark on what is no command says that something is not run that never is."""
    assert [b.place for page in pages() for b in blocks(page) if b.language in DATA and (b.no_run or b.exit_code)] == []


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        ("NAME READY\nweb True", "NAME   READY   AGE\nweb    True    4s", []),
        ("NAME READY\nweb True", "NAME   READY\nweb    False", ["True"]),
        ("12 tasks 5d6e7f8", "13 tasks 1a2b3c4", []),
        ("deployed", "", ["deployed"]),
    ],
)
def test_output_is_compared_by_words(shown: str, printed: str, missing: list[str]) -> None:
    assert unseen(Step("", shown), printed) == missing
