"""Tables as kubectl prints them."""

from __future__ import annotations

from ecs_release.cli.kubectl.terminal.tables import Cell, lines, plain


def test_columns_are_three_spaces_apart_and_nothing_trails() -> None:
    assert list(lines(["NAME", "HASH"], [["web", "5d6e7f8"], ["bag-register", ""]])) == [
        "NAME           HASH",
        "web            5d6e7f8",
        "bag-register",
    ]
    assert list(lines([], [["web", "x"]])) == ["web   x"]
    assert list(lines([], [])) == []


def test_styles_take_no_room_and_are_left_out_off_a_terminal() -> None:
    rows = [[Cell("Ready", "good"), "1"], [Cell("RolledBack", "bad"), "2"]]
    assert list(lines([], rows)) == ["Ready        1", "RolledBack   2"]
    assert list(lines([], rows, coloured=True)) == ["\x1b[32mReady\x1b[0m        1", "\x1b[31mRolledBack\x1b[0m   2"]


def test_wide_characters_count_for_what_they_take() -> None:
    assert list(lines([], [["日本", "1"], ["e\u0301a", "2"]])) == ["日本   1", "e\u0301a     2"]


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb c\\u202ed"
    assert list(lines([], [["a\nb", Cell("\x1b[31mx", "bad")]], coloured=True)) == ["a b   \x1b[31m\\x1b[31mx\x1b[0m"]
