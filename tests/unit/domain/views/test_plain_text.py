"""Text of people in Markdown: whatever it holds, it ends where we end it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.views.plain_text import code, link


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("faster pages", "`faster pages`"),
        ("@acme/admins see #1", "`@acme/admins see #1`"),
        ("a `b` c", "``a `b` c``"),
        ("`", "`` ` ``"),
        ("```\n# title", "```` ``` # title ````"),
        ("<!-- ecs-release end -->", "`<!-- ecs-release end -->`"),
        ("one\ntwo\r\nthree", "`one two\\x0d three`"),
        ("a\u202eb", "`a\\u202eb`"),
        ("x" * 65536, "`" + "x" * 299 + "\N{HORIZONTAL ELLIPSIS}`"),
    ],
)
def test_code(text: str, shown: str) -> None:
    assert code(text) == shown


@given(st.text(alphabet=st.sampled_from("`@#<>[]()!*_~|\\\n\r\u202e ab"), max_size=400))
def test_nothing_ends_a_code_span_before_its_end(text: str) -> None:
    """CommonMark: a code span ends at the first run of backticks that is as long as the one that begins it."""
    found = code(text)
    assert "\n" not in found
    if found:
        fence = re.match("`+", found)
        assert fence is not None
        runs = [run for run in re.findall("`+", found) if len(run) == len(fence[0])]
        assert len(runs) == 2 and found.endswith(fence[0])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://eu-west-1.console.aws.amazon.com/a?b=c#d$252F", "[log](<https://eu-west-1.console.aws.amazon.com/a?b=c#d$252F>)"),
        ("javascript:alert(1)", "log"),
        ("http://example.com", "log"),
        ("https://example.com/a>)b", "log"),
        ("https://example.com/a b", "log"),
        ("https://ex\u00e4mple.com", "log"),
        ("", "log"),
    ],
)
def test_link(url: str, shown: str) -> None:
    assert link("log", url) == shown
