"""Sections of a comment: each object has its own, whatever people have made of the comment, and no line of it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.ports.views import Part
from ecs_release.github.comments import with_section

MARKER, END = "<!-- ecs-release comment pr-key -->", "<!-- ecs-release end -->"
MOST = 65_536
"""What GitHub takes."""


def part(owner: str, text: str = "new") -> Part:
    return Part("pull/7", "pr-key", {"number": 7, "owner": owner, "text": text, "label": ""}, is_shared=True)


def begin(owner: str) -> str:
    return f"<!-- ecs-release section {owner} -->"


def section(owner: str, *lines: str) -> list[str]:
    return [begin(owner), *lines, END]


def comment(*lines: str) -> str:
    return "\n".join(lines)


NEW = section("o2", "new")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [MARKER, *NEW]),
        ([MARKER, *section("o1", "a")], [MARKER, *section("o1", "a"), *NEW]),
        ([MARKER, *section("o1", "a"), *section("o2", "b"), *section("o3", "c")], [MARKER, *section("o1", "a"), *NEW, *section("o3", "c")]),
        # Somebody has removed our marker, which it is found by: it is back, and nothing else is lost.
        ([*section("o1", "a"), *section("o2", "b")], [MARKER, *section("o1", "a"), *NEW]),
        # Somebody has removed the end of a section: it ends where the next one begins.
        ([MARKER, begin("o2"), "b", *section("o3", "c")], [MARKER, *NEW, *section("o3", "c")]),
        ([MARKER, begin("o1"), "a", *section("o2", "b")], [MARKER, begin("o1"), "a", *NEW]),
        ([MARKER, *section("o3", "c"), begin("o2"), "b"], [MARKER, *section("o3", "c"), *NEW]),
        # What people write in between stays; what they have copied goes.
        ([MARKER, "hello", *section("o2", "b"), "there", *section("o2", "b")], [MARKER, "hello", *NEW, "there"]),
        ([MARKER, END, *section("o2", "b")], [MARKER, END, *NEW]),
    ],
)
def test_a_section_is_written_in_its_place_and_nothing_else_is_lost(before: list[str], after: list[str]) -> None:
    found = with_section(comment(*before), part("o2"))
    assert found == comment(*after)
    assert with_section(found, part("o2")) == found, "what stands is not written again"


def large(owner: str, lines: int, text: str = "`x`") -> list[str]:
    return section(owner, *[text * 300] * lines)


@pytest.mark.parametrize("own", [[], section("o9", "b")])
def test_the_oldest_sections_go_first_if_not_all_has_room(own: list[str]) -> None:
    """Whether the section is new or takes the place of one: all of the comment counts."""
    before = comment(MARKER, "hello", *large("o1", 20), *own, *large("o2", 20), *large("o3", 20))
    found = with_section(before, part("o9", comment(*["`y`" * 300] * 20)))
    assert len(found) <= MOST and begin("o1") not in found
    assert {"hello", begin("o2"), begin("o3"), begin("o9")} <= set(found.splitlines())


def test_what_people_wrote_goes_last() -> None:
    before = comment(MARKER, *["z" * 1000] * 50, *section("o1", "a"))
    found = with_section(before, part("o9", comment(*["`y`" * 300] * 20))).splitlines()
    assert (begin("o1") in found, "z" * 1000 in found, found[1]) == (False, False, begin("o9"))


def test_a_line_is_never_cut() -> None:
    text = comment(*[f"- `{n:03} @acme/admins {'x' * 500}`" for n in range(400)])
    found = with_section("", part("o1", text)).splitlines()
    assert found[:2] == [MARKER, begin("o1")] and found[-2:] == ["- \N{HORIZONTAL ELLIPSIS}", END]
    assert len(found) > 40 and all(line.endswith("`") for line in found[2:-2])
    one_line = with_section("", part("o1", "`" + "x" * 100_000 + "`")).splitlines()
    assert one_line == [MARKER, *section("o1", "- \N{HORIZONTAL ELLIPSIS}")]


_lines = st.sampled_from([MARKER, END, begin("o1"), begin("o2"), begin("o3"), "a", "", "y" * 20_000, "@acme/admins"])


@given(st.lists(_lines, max_size=12), st.sampled_from(["new", comment(*["y" * 900] * 40)]))
def test_whatever_people_make_of_it_it_fits_and_has_the_section_once(lines: list[str], text: str) -> None:
    found = with_section(comment(*lines), part("o2", text))
    said = found.splitlines()
    assert len(found) <= MOST and said[0] == MARKER and said.count(MARKER) == said.count(begin("o2")) == 1
    assert with_section(found, part("o2", text)) == found
