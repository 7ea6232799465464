"""Texts on which a pattern that backtracks takes longest: what it repeats, many times, and then something that does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_COMMON = ("a", "-", " ", "\n", '"', "\\", "/", ":", "a-", "a.", "a:", "://", "{", "}", "&", "0", "é", "\ud800", "😀")
_ENDS = ("", "!", "\x00")


@dataclass(frozen=True, slots=True)
class HostileText:
    """A beginning, what is repeated, and an end."""

    prefix: str
    pump: str
    end: str

    def of(self, length: int) -> str:
        """Return the text of about a length."""
        return self.prefix + self.pump * max(1, (length - len(self.prefix)) // len(self.pump)) + self.end


def hostile_texts(patterns: Iterable[str]) -> Iterator[HostileText]:
    """Yield texts that are made of parts of patterns, and of what is common in texts."""
    pumps = [("", part) for part in _COMMON]
    for pattern in patterns:
        pumps += _pumps(pattern)
    for prefix, pump in dict.fromkeys(pumps):
        yield from (HostileText(prefix, pump, end) for end in _ENDS)


def _pumps(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield what comes before a repeated part, and that part."""
    tree = list(_parser.parse(pattern))
    for choice in range(3):
        parts = [_sample(node, choice) for node in tree]
        for begin in range(len(parts)):
            for end in range(begin + 1, min(len(parts), begin + 4) + 1):
                if pump := "".join(parts[begin:end]):
                    yield "".join(parts[:begin]), pump
        for repeated in _repeated(tree):
            for other in _choices(repeated):
                yield parts[0] or "a", other


def _repeated(tree: Any) -> Iterator[Any]:
    """Yield the body of each repetition, at any depth."""
    for code, argument in tree:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            yield argument[2]
            yield from _repeated(argument[2])
        elif code is op.SUBPATTERN:
            yield from _repeated(argument[3])
        elif code is op.BRANCH:
            for branch in argument[1]:
                yield from _repeated(branch)


def _choices(tree: Any) -> Iterator[str]:
    """Yield a few texts that a part matches."""
    texts = [t for choice in range(4) if (t := "".join(_sample(node, choice) for node in tree))]
    yield from texts
    yield from (a + b for a, b in pairwise(texts))


def _sample(node: Any, choice: int) -> str:
    """Return one text that a node matches; `choice` says which."""
    code, argument = node
    made = ""
    if code is op.LITERAL:
        made = chr(argument)
    elif code is op.NOT_LITERAL:
        made = "b" if chr(argument) != "b" else "c"
    elif code is op.ANY:
        made = "a"
    elif code is op.IN:
        made = _member(argument, choice)
    elif code is op.BRANCH:
        branches = argument[1]
        made = "".join(_sample(n, choice) for n in branches[choice % len(branches)])
    elif code is op.SUBPATTERN:
        made = "".join(_sample(n, choice) for n in argument[3])
    elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, _, body = argument
        made = "".join(_sample(n, choice) for n in body) * max(1, min(least, 8))
    return made


def _member(members: Any, choice: int) -> str:
    found = []
    for code, argument in members:
        if code is op.LITERAL:
            found.append(chr(argument))
        elif code is op.RANGE:
            found.append(chr(argument[0]))
        elif code is op.CATEGORY:
            found.append({"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " "}.get(str(argument), "a"))
        elif code is op.NEGATE:
            return next(c for c in "a.- :" if not _in(members, c))
    return found[(0, -1, len(found) // 2, 1 % len(found))[choice % 4]]


def _in(members: Any, character: str) -> bool:
    for code, argument in members:
        if code is op.LITERAL and chr(argument) == character:
            return True
        if code is op.RANGE and argument[0] <= ord(character) <= argument[1]:
            return True
        if code is op.CATEGORY and str(argument) == "CATEGORY_SPACE" and character.isspace():
            return True
    return False
