"""Links to code repositories."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)")
_REF = re.compile(r"[\w./-]+")


def compare_link(repository: str, before: str, after: str) -> str:
    """Return the page that compares two git refs; empty if there is none.

    GitHub's form, also of its Enterprise servers, is `<repository>/compare/A...B`; GitLab's `<repository>/-/compare/A...B`.
    """
    base = web_address(repository)
    if not base or not before or not after or before == after or not (_REF.fullmatch(before) and _REF.fullmatch(after)):
        return ""
    host = urlsplit(base).hostname or ""
    if "gitlab" in host:
        return f"{base}/-/compare/{quote(before, safe='')}...{quote(after, safe='')}"
    if "github" in host:
        return f"{base}/compare/{quote(before, safe='')}...{quote(after, safe='')}"
    return ""


def web_address(repository: str) -> str:
    """Return the web page of a repository (https, ssh, git@host:path); empty for any other form."""
    text = repository.strip().removesuffix("/").removesuffix(".git")
    scheme, separator, _ = text.partition("://")
    if not separator:
        found = _SCP.fullmatch(text)
        return f"https://{found['host']}/{found['path']}" if found else ""
    parts = urlsplit(text)
    if scheme not in ("https", "http", "ssh", "git") or not parts.hostname or not parts.path.strip("/"):
        return ""
    # User and password before the host are no part of a link.
    port = f":{parts.port}" if parts.port and scheme in ("https", "http") else ""
    return f"{'http' if scheme == 'http' else 'https'}://{parts.hostname}{port}{parts.path}"
