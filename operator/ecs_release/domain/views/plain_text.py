"""Text of people in GitHub's Markdown, so that it mentions nobody and renders as text: in code spans.

GitHub Flavored Markdown, "Code spans": they bind more tightly than anything but HTML tags and autolinks, entities are not decoded in them,
and one ends at the first run of as many backticks as it began with. Inside them GitHub makes no mention, reference or link of anything.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ecs_release.api.bounded_types import CUT
from ecs_release.api.visible_text import visible

_LONGEST = 300
_SEARCHED = 4096


def code(text: str, most: int = _LONGEST) -> str:
    """Return a text as a code span: one line, cut to `most` characters, with a fence longer than any inside; empty for no text."""
    line = " ".join(visible(text[:_SEARCHED]).split())
    if not line:
        return ""
    line = line if len(line) <= most else line[: most - 1] + CUT
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    # A space on each side is taken away again, unless the text is nothing but spaces.
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def link(text: str, url: str) -> str:
    """Return a link with words of ours; only the words if the address is none of https, or could end the link."""
    address = urlsplit(url) if url.isascii() and url.isprintable() and not re.search(r"[\s<>()\\]", url) else None
    return f"[{text}](<{url}>)" if address is not None and address.scheme == "https" and address.hostname else text
