"""AWS's answers before they are parsed: half characters are mended, or whoever writes such a text down later would fail.

They come about where somebody cuts a text between the two halves of an emoji, say, at a number of characters of UTF-16.
"""

from __future__ import annotations

import re
from typing import Any

# An escaped backslash, a whole pair of surrogates, or half of one.
_ESCAPES = re.compile(rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})")


def mend(response_dict: dict[str, Any], **_: object) -> None:
    """Make an answer's body UTF-8, and free of escapes of half characters. For botocore's event `before-parse`."""
    body = response_dict.get("body")
    if isinstance(body, bytes):
        response_dict["body"] = _mended(body)


def _mended(body: bytes) -> bytes:
    if not body.isascii():
        body = body.decode(errors="replace").encode()
    if not body.startswith(b"{") or (b"\\ud" not in body and b"\\uD" not in body):
        return body
    return _ESCAPES.sub(lambda found: b"\\ufffd" if found["lone"] else found[0], body)
