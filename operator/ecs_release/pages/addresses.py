"""Addresses of the board's pages of single objects. Pure."""

from __future__ import annotations

from urllib.parse import quote

SERVICES, SETS = "/services", "/sets"
STREAM = "/events"
"""Behind a page's address: the stream of what changes in it."""


def service_address(namespace: str, project: str, service: str, environment: str) -> str:
    """Return the page of a service in an environment."""
    return _joined(SERVICES, namespace, project, service, environment)


def set_address(namespace: str, name: str) -> str:
    """Return the page of a ReleaseSet."""
    return _joined(SETS, namespace, name)


def _joined(*parts: str) -> str:
    first, *names = parts
    # A lone surrogate is no text of any address: a page shows it as a question mark, too.
    return "/".join([first, *(quote(name.encode(errors="replace"), safe="") for name in names)])
