"""Links to code repositories and to AWS's console. Pure.

A page links only by https, and only to hosts that are known: what else tenants and AWS give as an address is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, urlsplit

from ecs_release.domain.artifacts.claimed_hash import CLAIMED

HOSTS = ("github.com", "gitlab.com")
"""Hosts of code that are known where nobody says otherwise."""

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)")
_REF = re.compile(r"[\w./-]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# What RFC 3986 admits, and of that neither a user nor a port: browsers and parsers differ about everything else.
_ADDRESS = re.compile(r"https://(?P<host>[a-z0-9][a-z0-9.-]*)(?:[/?#][\w.~:/?#\[\]@!$&'()*+,;=%-]*)?", re.ASCII)
# In all partitions, with or without a region in front (domain.ecs.console_links).
_CONSOLES = ("console.aws.amazon.com", "console.amazonaws.cn", "console.amazonaws-us-gov.com")
_LONGEST = 2048


def known_link(address: str | None, hosts: Collection[str] = ()) -> str:
    """Return an address that a page may link to: of one of `hosts`, or of AWS's console; empty for any other."""
    found = _ADDRESS.fullmatch(address) if address and len(address) <= _LONGEST else None
    if found is None:
        return ""
    host = found["host"]
    is_known = host in hosts or any(host == console or host.endswith(f".{console}") for console in _CONSOLES)
    return found[0] if is_known else ""


def compare_link(repository: str, before: str, after: str) -> str:
    """Return the page that compares two git refs; empty if there is none.

    GitHub's form, also of its Enterprise servers, is `<repository>/compare/A...B`; GitLab's `<repository>/-/compare/A...B`.
    """
    if not before or not after or before == after or not (_REF.fullmatch(before) and _REF.fullmatch(after)):
        return ""
    return _page(repository, "compare", f"{quote(before, safe='')}...{quote(after, safe='')}")


def commit_link(repository: str, release_hash: str) -> str:
    """Return the page of a commit; empty if a release hash can be no commit's, or there is no such page."""
    commit = release_hash.removeprefix(CLAIMED)
    return _page(repository, "commit", commit) if _COMMIT.fullmatch(commit) else ""


def _page(repository: str, kind: str, name: str) -> str:
    base = web_address(repository)
    host = base.partition("://")[2].partition("/")[0]
    if "gitlab" in host:
        return f"{base}/-/{kind}/{name}"
    return f"{base}/{kind}/{name}" if "github" in host else ""


def web_address(repository: str) -> str:
    """Return the web page of a repository (https, ssh, git@host:path); empty for any other form."""
    text = repository.strip().removesuffix("/").removesuffix(".git")
    scheme, separator, _ = text.partition("://")
    if not separator:
        found = _SCP.fullmatch(text)
        return f"https://{found['host']}/{found['path']}" if found else ""
    try:
        parts = urlsplit(text)
        number = parts.port
    except ValueError:
        return ""
    if scheme not in ("https", "http", "ssh", "git") or not parts.hostname or not parts.path.strip("/"):
        return ""
    # User and password before the host are no part of a link.
    port = f":{number}" if number and scheme in ("https", "http") else ""
    return f"{'http' if scheme == 'http' else 'https'}://{parts.hostname}{port}{parts.path}"
