"""The style, the script and the icon of pages, read once; their addresses change with their content."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from aiohttp import web

from ecs_release.pages.board_page import Assets
from ecs_release.pages.rendering import stylesheet

_YEAR_S = 31_536_000


class StaticFiles:
    """Answers for the files."""

    def __init__(self) -> None:
        """Read them."""
        own = files("ecs_release.board") / "static"
        self._made = {
            "board.css": ("text/css", stylesheet()),
            "board.js": ("text/javascript", (own / "board.js").read_text()),
            "icon.svg": ("image/svg+xml", (own / "icon.svg").read_text()),
        }
        self.addresses = Assets(*map(self._address, ("board.css", "board.js", "icon.svg")))

    def _address(self, name: str) -> str:
        return f"/static/{name}?{hashlib.sha256(self._made[name][1].encode()).hexdigest()[:12]}"

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with a file, which browsers keep for ever."""
        found = self._made.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        response = web.Response(text=found[1], content_type=found[0], charset="utf-8")
        response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
        response.enable_compression()
        return response
