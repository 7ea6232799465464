"""Text of people and of AWS, whatever is in it: an emoji, a control character, half of a character.

JSON can name half of a character beyond the BMP by its escape (a lone surrogate, RFC 8259, section 8.2), and Python takes it in. Nobody
can write it in UTF-8, so that it must not go on from where it came in.
"""

from __future__ import annotations

import re

INSTEAD = "\N{REPLACEMENT CHARACTER}"
_LONE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Put a replacement character in the place of each half of one: what is left can be written in UTF-8."""
    return text if text.isascii() else _LONE.sub(INSTEAD, text)
