"""Repairs responses of AWS before they are parsed: lone surrogates are replaced, because text with them cannot be encoded later.

A lone surrogate occurs if somebody truncates a text within a character outside the BMP, such as an emoji, by its length in UTF-16.
"""

from __future__ import annotations

import re
from typing import Any

# An escaped backslash, a whole pair of surrogates, or half of one.
_ESCAPES = re.compile(rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})")


def repair_body(response_dict: dict[str, Any], **_: object) -> None:
    """Make a response's body valid UTF-8 without escapes of lone surrogates. A handler of botocore's event `before-parse`."""
    body = response_dict.get("body")
    if isinstance(body, bytes):
        response_dict["body"] = _mended(body)


def _mended(body: bytes) -> bytes:
    if not body.isascii():
        body = body.decode(errors="replace").encode()
    if not body.startswith(b"{") or (b"\\ud" not in body and b"\\uD" not in body):
        return body
    return _ESCAPES.sub(lambda found: b"\\ufffd" if found["lone"] else found[0], body)
