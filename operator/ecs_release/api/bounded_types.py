"""Bounded texts and numbers that statuses are made of.

What AWS and people say may be longer, or more, than the CRD admits: a status that held it would be refused as a whole, and stay as it was.
So it is cut here, when a status is made and when it is written, and marked: a text that was cut ends in an ellipsis, and a number that
stands at its bound is that or more. Texts are made harmless for terminals at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from ecs_release.api.visible_text import visible

CUT = "\N{HORIZONTAL ELLIPSIS}"


def text_of(most: int) -> Callable[[Any], Any]:
    """Return a function that makes a text visible, and cuts it to `most` characters. Other values are left to the validation."""

    def bounded(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = visible(value)
        return text if len(text) <= most else text[: most - 1] + CUT

    return bounded


def number_of(least: int, most: int) -> Callable[[Any], Any]:
    """Return a function that brings a number between two bounds. Other values are left to the validation."""

    def bounded(value: Any) -> Any:
        return max(least, min(most, value)) if isinstance(value, int) and not isinstance(value, bool) else value

    return bounded


_text, _word, _arn, _digest, _long = (text_of(most) for most in (1024, 256, 2048, 71, 4096))
_count, _percent, _integer = number_of(0, 1_000_000), number_of(0, 100), number_of(-(2**31), 2**31 - 1)
_seconds = number_of(0, 2**31 - 1)

Text = Annotated[str, Field(max_length=1024), BeforeValidator(_text), PlainSerializer(_text)]
Word = Annotated[str, Field(max_length=256), BeforeValidator(_word), PlainSerializer(_word)]
Arn = Annotated[str, Field(max_length=2048), BeforeValidator(_arn), PlainSerializer(_arn)]
LongText = Annotated[str, Field(max_length=4096), BeforeValidator(_long), PlainSerializer(_long)]
StatusDigest = Annotated[str, Field(max_length=71), BeforeValidator(_digest), PlainSerializer(_digest)]
"""A digest of another algorithm than SHA-256 is longer: it is cut, and equals no other."""
Count = Annotated[int, Field(ge=0, le=1000000), BeforeValidator(_count), PlainSerializer(_count)]
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(_percent), PlainSerializer(_percent)]
ExitCode = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), BeforeValidator(_integer), PlainSerializer(_integer)]
LeadTime = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_seconds), PlainSerializer(_seconds)]
"""Seconds; 0 also if a committer's clock was ahead."""
Generation = Annotated[int, Field(ge=-1, le=2**62)]
ReleaseNumber = Annotated[int, Field(ge=1, le=9_999_999_999)]
"""Ten digits: the ledger sorts by them."""
