"""Text of tenants and of AWS, harmless where a terminal shows it.

kubectl prints statuses, Events and logs as they are. A control character would move the cursor or change the title of the window, and a
bidirectional one the order of what is read.
"""

from __future__ import annotations

import re

# C0 but tab and newline, DEL, C1; and what Unicode, UAX #9, calls explicit directional formatting.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Write control characters, tab and newline excepted, and bidi controls as what they are, such as `\x1b` and `\u202e`."""
    return text if text.isprintable() and text.isascii() else _UNSEEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
