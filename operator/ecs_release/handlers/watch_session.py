"""The HTTP session of kopf's watch: it bounds pages by bytes, and trims objects before kopf parses and queues them.

kopf asks for pages of a fixed number of objects, parses each whole, and keeps whole objects in its queues. So its session is one of ours,
which changes the number in its requests, and what it gets to parse.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ecs_release.cluster.pages import read_bounded, trimmed_events, trimmed_page
from ecs_release.domain.model.page_size import PageSize

_AT_ONCE = 2
"""Pages that are read and parsed at the same time, of all kinds and namespaces."""


class WatchSession:
    """As much of `aiohttp.ClientSession` as kopf uses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """`session` has the credentials; it is closed with this one."""
        self._session = session
        self._sizes: defaultdict[str, PageSize] = defaultdict(PageSize)
        self._pages = asyncio.Semaphore(_AT_ONCE)

    @property
    def headers(self) -> CIMultiDict[str]:
        """Headers of all requests."""
        return self._session.headers

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._session.closed

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse | _Page | _Events:
        """Send a request. A page is read here, a watch is trimmed as it comes, and everything else is as the API server sends it."""
        query = URL(url).query
        if method.lower() != "get" or not ("limit" in query or "watch" in query):
            return await self._session.request(method, url, **options)
        if "limit" in query:
            return await self._page(URL(url), options)
        response = await self._session.request(method, url, **options)
        return response if response.status >= 400 else _Events(response)

    async def _page(self, url: URL, options: dict[str, Any]) -> aiohttp.ClientResponse | _Page:
        size = self._sizes[url.path]
        async with self._pages:
            while True:
                response = await self._session.request("get", url.update_query(limit=size.limit), **options)
                if response.status >= 400:
                    return response
                async with response:
                    data = await read_bounded(response.content, size.most_bytes)
                if data is not None:
                    break
                if size.limit == 1:
                    raise aiohttp.ClientPayloadError(f"an object that is larger than any may be, at {url.path}")
                size.exceeded()
            page = trimmed_page(data)
            size.seen(len(page.get("items") or ()), len(data))
            return _Page(response, page)


class _Page:
    """The response of a list, read and parsed."""

    def __init__(self, response: aiohttp.ClientResponse, page: dict[str, Any]) -> None:
        self.status, self.headers = response.status, response.headers
        self._page = page

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing left to close."""

    async def json(self) -> dict[str, Any]:
        """Hand the page over: kopf lets go of it as soon as its objects are queued."""
        page, self._page = self._page, {}
        return page


class _Events:
    """The response of a watch, which is its own content."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self._response = response

    @property
    def content(self) -> Self:
        """What to read from."""
        return self

    def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield lines, whatever size is asked for."""
        return trimmed_events(self._response.content)

    def close(self) -> None:
        """Close the connection."""
        self._response.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *arguments: Any) -> None:
        await self._response.__aexit__(*arguments)
