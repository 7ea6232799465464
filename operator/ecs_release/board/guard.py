"""What every request has to pass, and what every answer carries."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_HEADERS = {
    # Nothing is loaded from elsewhere, no script or style is in a page, and no page is in a frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def guard(hosts: Collection[str]) -> Middleware:
    """Return a middleware that lets requests pass by a name that the board has: so no other site's name can be made to lead here."""
    known = _LOOPBACK | frozenset(hosts)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host(request.headers.getall("Host", [])) not in known:
            raise web.HTTPMisdirectedRequest(text="this board is not known by that name: see its setting hosts\n")
        # Not even to be asked by other sites' pages, unless somebody follows a link.
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Mode") != "navigate":
            raise web.HTTPForbidden(text="asked for by another site's page\n")
        return await handler(request)

    return check


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers of every answer; what is about rights and status is kept by no cache."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)


def _host(given: list[str]) -> str:
    """Return the name in the Host header, without the port; empty if there are several headers."""
    if len(given) != 1:
        return ""
    name, separator, port = given[0].rpartition(":")
    return (name if separator and port.isdecimal() else given[0]).lower()
