"""Requests over https to one service: no redirect, no proxy, no address of this machine. Answers have a bound and a deadline."""

from __future__ import annotations

import errno
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from ecs_release.outbound.addresses import refusal

_DEADLINE_S, _CONNECT_S = 20.0, 5.0
_BODY_BYTES = 4 * 1024 * 1024
_CONNECTIONS = 8


class UnreachableError(Exception):
    """There is no answer. `was_sent`: the request may have arrived, and been carried out."""

    def __init__(self, message: str, *, was_sent: bool) -> None:
        """`message` names the host, and why."""
        super().__init__(message)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its headers by lower-case name, and its JSON (None: it has none)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _CheckedResolver(AbstractResolver):
    """Resolves names to addresses that may be connected to."""

    def __init__(self, *, may_be_loopback: bool) -> None:
        self._resolver = ThreadedResolver()
        self._may_be_loopback = may_be_loopback

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        refused = {one["host"]: why for one in found if (why := refusal(one["host"], may_be_loopback=self._may_be_loopback))}
        allowed = [one for one in found if one["host"] not in refused]
        if not allowed:
            raise OSError(
                errno.EACCES, f"{host} has no address that may be connected to: {', '.join(f'{a}: {why}' for a, why in refused.items())}"
            )
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class Session:
    """Requests to one service. One for each connection."""

    def __init__(self, url: str, ca_file: Path | None, *, allow_loopback: bool, user_agent: str, deadline_s: float = _DEADLINE_S) -> None:
        """`url` is of the operator's configuration; nothing else is ever asked."""
        self.url = url
        self.host = urlsplit(url).netloc
        self._ca_file = ca_file
        self._allow_loopback = allow_loopback
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=deadline_s, sock_connect=min(_CONNECT_S, deadline_s))
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str], query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Send a request, with a body as JSON. Raises UnreachableError."""
        sent = json.dumps(body).encode() if body is not None else None
        every = {"Accept-Encoding": "identity", **headers}
        if sent is not None:
            every["Content-Type"] = "application/json; charset=utf-8"
        async with self._answered(method, path, every, query, sent) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, names, _json(await _body(response, _BODY_BYTES), response.status))

    async def text(self, path: str, *, longest: int) -> tuple[int, str]:
        """Return the status and the text of an answer to GET, of so many bytes at most. Raises UnreachableError."""
        async with self._answered("GET", path, {"Accept-Encoding": "identity"}) as response:
            return response.status, (await _body(response, longest)).decode()

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        host = urlsplit(self.url).hostname or ""
        if _is_address(host) and (why := refusal(host, may_be_loopback=self._allow_loopback)):
            raise UnreachableError(f"{self.host} may not be connected to: {why}", was_sent=False)
        every = {"User-Agent": self._user_agent, **headers}
        try:
            async with self._opened().request(
                method, self.url + path, params=query, data=data, headers=every, allow_redirects=False
            ) as response:  # fmt: skip
                yield response
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(f"cannot connect to {self.host}: {_said(error)}", was_sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnreachableError(f"{self.host} did not answer: {_said(error)}", was_sent=True) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                resolver=_CheckedResolver(may_be_loopback=self._allow_loopback),
                use_dns_cache=False,
                ssl=ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None),
            )
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector, trust_env=False, auto_decompress=False)
        return self._session


async def _body(response: aiohttp.ClientResponse, longest: int) -> bytes:
    """Read a body. Raises ValueError if it is longer."""
    parts, size = [], 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > longest:
            raise ValueError("its answer is too large")
        parts.append(chunk)
    return b"".join(parts)


def _json(body: bytes, status: int) -> Any:
    """Return a body's JSON; None for an error without any. Raises ValueError."""
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        if status < 400:
            raise ValueError("its answer is no JSON") from None
        return None


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
