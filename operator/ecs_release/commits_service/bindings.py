"""Which namespace may name which repository, and with which credential: by the configuration alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecs_release.commits_service.config import Binding

_HOST = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
# A segment begins with neither `-` nor `.`: no option, no `..`. Percent signs, queries and user names have no place in it.
_SEGMENT = r"[A-Za-z0-9_~][A-Za-z0-9._~-]*"
_URL = re.compile(rf"https://(?P<host>{_HOST}(?::[0-9]{{1,5}})?)/(?P<path>{_SEGMENT}(?:/{_SEGMENT})*)")
_LONGEST = 512


class UrlError(ValueError):
    """A URL that is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Location:
    """A repository on a host; `host` has a port where the URL names one, `path` no slash at its ends."""

    host: str
    path: str

    @property
    def url(self) -> str:
        """Return the URL, normalised."""
        return f"https://{self.host}/{self.path}"


def parse_url(url: str) -> Location:
    """Parse the https URL of a repository, strictly. Raises UrlError."""
    if len(url) > _LONGEST:
        raise UrlError(f"the URL is longer than {_LONGEST} characters")
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    match = _URL.fullmatch(f"{scheme.lower()}{separator}{host.lower().removesuffix(':443')}{slash}{path.removesuffix('/')}")
    if match is None or match["path"] == ".git":
        raise UrlError(f"{_shown(url)} is no URL like https://HOST/PATH: no user, query, escape or `..`, and no other protocol, is taken")
    return Location(match["host"], match["path"])


def bound(bindings: Sequence[Binding], namespace: str, location: Location) -> int | None:
    """Return the number of the first binding that lets a namespace name a repository; None if none does."""
    path = location.path.removesuffix(".git")
    for number, binding in enumerate(bindings):
        if (
            location.host in binding.hosts
            and any(matches(pattern, path) for pattern in binding.repositories)
            and any(matches(pattern, namespace) for pattern in binding.namespaces)
        ):
            return number
    return None


def matches(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern; `*` stands for any characters but `/`."""
    first, *others = map(re.escape, pattern.split("*"))
    # Tenants choose the text. The first place of a part leaves the most to those after it, so no other is tried.
    found = "".join(f"(?>[^/]*?{part})" for part in others[:-1]) + "".join(f"[^/]*{part}" for part in others[-1:])
    return re.fullmatch(first + found, text) is not None


def _shown(url: str) -> str:
    """Quote a URL for a message, without what may be a password in it."""
    return ascii(re.sub(r"//[^/@]*@", "//...@", url))[:120]
