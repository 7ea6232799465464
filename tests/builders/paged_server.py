"""As much of an API server as lists objects page by page, and notes what was asked and how much was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

EMOJI = "\N{GRINNING FACE}"


def large_object(name: str, size: int) -> dict[str, Any]:
    """Make a Release whose annotations of others have so many bytes, with an emoji among them."""
    meta = {
        "name": name, "namespace": "shop", "uid": name, "resourceVersion": "2", "finalizers": ["example.com/x"],
        "annotations": {"example.com/large": EMOJI + "x" * size, "ecs-release.dev/retry": "1"},
        "labels": {"example.com/team": "a", "ecs-release.dev/service": "web"},
        "managedFields": [{"manager": "kubectl"}],
        "ownerReferences": [{"kind": "ReleaseSet", "name": "s", "uid": "1"}, {"kind": "Application", "name": "a", "uid": "2"}],
    }  # fmt: skip
    return {"apiVersion": "ecs-release.dev/v1alpha1", "kind": "Release", "metadata": meta, "spec": {"service": "web"}}


@dataclass
class PagedServer:
    """Serves the objects at any path."""

    objects: Sequence[dict[str, Any]]
    url: str = ""
    pages: list[tuple[int, int, int]] = field(default_factory=list)
    """Of each request: where the page begins, its limit, and its bytes."""

    @property
    def read(self) -> list[int]:
        """The bytes of the pages that were read: one that is asked for again was given up."""
        following = [begin for begin, _, _ in self.pages[1:]] + [-1]
        return [size for (begin, _, size), after in zip(self.pages, following, strict=True) if after != begin]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one LIST."""
        begin, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        rest = len(self.objects) - begin - limit
        meta = {"resourceVersion": "5", **({"continue": str(begin + limit)} if rest > 0 else {})}
        body = {
            "kind": "ReleaseList",
            "apiVersion": "ecs-release.dev/v1alpha1",
            "metadata": meta,
            "items": self.objects[begin : begin + limit],
        }
        data = json.dumps(body, ensure_ascii=False).encode()
        self.pages.append((begin, limit, len(data)))
        return web.Response(body=data, content_type="application/json")


@asynccontextmanager
async def paged_server(objects: Sequence[dict[str, Any]]) -> AsyncIterator[PagedServer]:
    """Serve objects until the end of the block."""
    server = PagedServer(objects)
    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()
