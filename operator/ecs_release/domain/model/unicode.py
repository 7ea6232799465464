"""Text of people and of AWS, which may hold any character, and lone surrogates.

JSON can escape one half of a surrogate pair without the other (RFC 8259, section 8.2), and Python accepts it. Such a text cannot be
encoded as UTF-8, so it is replaced where it is read.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Replace each lone surrogate, so that the text can be encoded as UTF-8."""
    return text if text.isascii() else _LONE_SURROGATE.sub(REPLACEMENT, text)
