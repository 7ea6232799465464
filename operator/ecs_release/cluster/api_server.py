"""The HTTP client of the API server: that of kubernetes.aio, without its models (those of the core API alone take 20 MB)."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, Configuration

from ecs_release.cluster.credentials import Credentials, credentials_of, load
from ecs_release.cluster.pages import read_bounded, trimmed_events
from ecs_release.cluster.request_body import apply_body
from ecs_release.cluster.turns import Turns
from ecs_release.domain.model.api_paths import ApiPath
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, Problem, Retryable
from ecs_release.domain.model.page_size import OBJECT_BYTES, PageSize
from ecs_release.domain.ports.protocols import Fence

# With the parameter, which the API server ignores, the client sends a body of bytes unchanged; without it, it serializes JSON itself.
APPLY = "application/apply-patch+yaml; charset=utf-8"
MERGE = "application/merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_CONNECTIONS = 8
"""For requests: each costs a buffer of 256 KiB (`asyncio.sslproto`), and eight carry a thousand requests a second."""
_ATTEMPTS, _FIRST_PAUSE_S = 4, 0.25
_DEADLINE_S = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)
# Bookmarks come every minute: a connection without data for longer is dead.
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=70.0)
# 410: the continue token of a LIST is too old, restart it. The others as in client-go's rest/with_retry.go, and a server shutting down.
_TRANSIENT = frozenset({410, 429, 500, 502, 503, 504})
_AGAIN = _TRANSIENT - {410}


class _FaultError(Exception):
    """A request that should be retried; `after_s` is the delay that the server asks for."""

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class _UnauthorizedError(Exception):
    """The API server does not accept the credentials (any more)."""


class Gone(Exception):
    """The version that a watch was to go on from is too old: list again."""


class TooLargeError(Problem):
    """An answer was not read to its end, because it is too large."""

    def __init__(self, message: str) -> None:
        super().__init__("KubernetesError", message)


class ApiServer:
    """The API server of a KUBECONFIG or of the pod's service account."""

    def __init__(self, configuration: Configuration, kubeconfig: str | None, user_agent: str, watches: int) -> None:
        """Use `connect` instead."""
        self._configuration = configuration
        self._kubeconfig = kubeconfig
        self._user_agent = user_agent
        self._watches = watches
        self._client = self._new_client()
        self._renewing = asyncio.Lock()
        self._in_flight: Counter[ApiClient] = Counter()
        self._turns = Turns(_CONNECTIONS, _CONNECTIONS // 2, _DEADLINE_S)
        self.fence: Fence | None = None

    @classmethod
    async def connect(cls, kubeconfig: str | None, user_agent: str, watches: int = 0) -> ApiServer:
        """Load the configuration: the given file, else KUBECONFIG, else the pod's service account. Raises ConfigException.

        `watches` is how many there are at a time: each keeps a connection, beside those for requests.
        """
        return cls(await load(kubeconfig), kubeconfig, user_agent, watches)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def credentials(self) -> Credentials:
        """Return the current credentials, for other clients of the same API server."""
        return await credentials_of(self._configuration)

    async def request(
        self,
        method: str,
        path: ApiPath,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        fenced: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the object.

        The fence is checked before each mutating request, retries included; only the Lease itself is written without it (`fenced`).

        Temporary faults (429 after the delay that the server asks for, 5xx, no connection, no answer in 10 s) are retried up to three
        times within 30 s, so a request must be one that may be repeated. Raises NotFound (404), Conflict (409), Denied (401, 403),
        NotLeading, Retryable (a fault that lasted), and Problem for everything else.
        """
        answer, _ = await self._request(method, path, query=query, body=body, content_type=content_type, accept=accept, fenced=fenced)
        return answer

    async def _request(
        self,
        method: str,
        path: ApiPath,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        fenced: bool = True,
        most_bytes: int = OBJECT_BYTES,
    ) -> tuple[dict[str, Any], int]:
        """Send one request as `request` does; returns also how many bytes the answer has. Raises TooLargeError above `most_bytes`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DEADLINE_S
        renewed = False
        for attempt in range(1, _ATTEMPTS + 1):
            client = self._client
            try:
                async with self._used(client):
                    return await self._once(client, method, path, query, body, content_type, accept, most_bytes, fenced=fenced)
            except _UnauthorizedError as refusal:
                if renewed:
                    raise Denied(f"the Kubernetes API does not know the operator's credentials ({method} {path}): {refusal}") from refusal
                await self._renew(client)
                renewed = True
            except _FaultError as fault:
                pause = max(fault.after_s, _FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # noqa: S311
                if attempt == _ATTEMPTS or loop.time() + pause > deadline:
                    raise Retryable(f"the Kubernetes API fails at {method} {path}: {fault}") from fault
                await asyncio.sleep(pause)
        raise Retryable(f"the Kubernetes API refuses the operator's credentials on and off ({method} {path})")

    async def pages(
        self, path: ApiPath, *, query: Sequence[tuple[str, str]] = (), accept: str = "application/json"
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Read a list page by page, each of about as many bytes. Raises as `request` does."""
        async for items, _ in self.versioned_pages(path, query=query, accept=accept):
            yield items

    async def versioned_pages(
        self, path: ApiPath, *, query: Sequence[tuple[str, str]] = (), accept: str = "application/json"
    ) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        """Read a list as `pages` does; with each page comes the version of the whole list, for a watch to go on from."""
        size, token = PageSize(), ""
        while True:
            asked = [*query, ("limit", str(size.limit)), *([("continue", token)] if token else ())]
            try:
                page, read = await self._request("GET", path, query=asked, accept=accept, most_bytes=size.most_bytes)
            except TooLargeError:
                if size.limit == 1:
                    raise
                size.exceeded()
                continue
            items = list[dict[str, Any]](page["items"] or ())
            size.seen(len(items), read)
            yield items, page["metadata"].get("resourceVersion", "")
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def watch(self, path: ApiPath, version: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what is changed after a version, as watch events, bookmarks included, until the API server ends the watch.

        The first, of type OPENED and without an object, says that the API server has accepted the watch.
        A watch takes no turn: it has a connection of its own (`connect`). Raises Gone if the version is too old, Retryable also if nothing
        comes for longer than bookmarks take, and else as `request` does.
        """
        client = self._client
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version)]
        try:
            async with self._used(client):
                parameters = await client.param_serialize(
                    method="GET", resource_path=str(path), query_params=query, header_params={"Accept": "application/json"},
                    auth_settings=["BearerToken"],
                )  # fmt: skip
                answer = await client.call_api(*parameters, _request_timeout=_WATCH_TIMEOUT)
                async with answer.response:
                    if answer.status >= 400:
                        await self._refused_watch(
                            client, answer.status, path, await read_bounded(answer.response.content, OBJECT_BYTES) or b""
                        )
                    yield {"type": "OPENED"}
                    async for line in trimmed_events(answer.response.content):
                        yield _event(path, line)
        except (aiohttp.ClientError, OSError, TimeoutError, ApiException) as error:
            raise Retryable(f"the watch of {path} broke: {type(error).__name__} {error}") from error

    async def _refused_watch(self, client: ApiClient, status: int, path: ApiPath, data: bytes) -> None:
        if status == 401:
            await self._renew(client)
            raise Retryable(f"the Kubernetes API does not know the credentials any more (watch {path}): {_message(data)}")
        raise Gone(_message(data)) if status == 410 else _problem(status, "watch", path, data)

    async def _once(
        self, client: ApiClient, method: str, path: ApiPath, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None,
        content_type: str, accept: str, most_bytes: int, *, fenced: bool,
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        try:
            parameters = await client.param_serialize(
                method=method,
                resource_path=str(path),
                query_params=list(query),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=None if body is None else apply_body(body) if content_type == APPLY else dict(body),
                auth_settings=["BearerToken"],
            )
            async with self._turns.turn(path.namespace):
                # As late as possible: the process may have been paused at any line before.
                if fenced and self.fence is not None and method != "GET":
                    self.fence.check(f"{method} {path}")
                answer = await client.call_api(*parameters, _request_timeout=_TIMEOUT)
                data = await read_bounded(answer.response.content, most_bytes)
            if data is None:
                answer.response.close()
                raise TooLargeError(f"the Kubernetes API answers {method} {path} with more than {most_bytes} bytes")
            headers: Mapping[str, str] = answer.headers
        # RuntimeError: the session was closed, because the process ends.
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError, ApiException) as error:
            raise _FaultError(f"{type(error).__name__} {error}") from error
        if answer.status < 400:
            return _parsed(data), len(data)
        if answer.status in _AGAIN:
            raise _FaultError(f"{answer.status} {_message(data)}", _retry_after_s(headers))
        if answer.status == 401:
            raise _UnauthorizedError(_message(data))
        raise _problem(answer.status, method, path, data)

    async def _renew(self, refused: ApiClient) -> None:
        """Reload credentials, unless that was done since this client was refused. Raises Retryable."""
        async with self._renewing:
            if self._client is not refused:
                return
            try:
                self._configuration = await load(self._kubeconfig)
            except Exception as error:
                raise Retryable(f"cannot renew the credentials for the Kubernetes API: {error}") from error
            self._client = self._new_client()
            if not self._in_flight[refused]:
                await refused.close()

    @asynccontextmanager
    async def _used(self, client: ApiClient) -> AsyncIterator[None]:
        """Use a client. One that was replaced meanwhile is closed by its last request: aiohttp fails in many ways if closed before."""
        self._in_flight[client] += 1
        try:
            yield
        finally:
            self._in_flight[client] -= 1
            if not self._in_flight[client]:
                del self._in_flight[client]
                if client is not self._client:
                    await client.close()

    def _new_client(self) -> ApiClient:
        self._configuration.connection_pool_maxsize = _CONNECTIONS + self._watches
        client = ApiClient(self._configuration)
        client.user_agent = self._user_agent
        return client


_BY_POLICY = "ValidatingAdmissionPolicy"
"""In the API server's message if an admission policy refuses (KEP-3488)."""


def _problem(status: int, method: str, path: ApiPath, data: bytes) -> Exception:
    """Return the error for an HTTP status."""
    text = _message(data)
    match status:
        case 404:
            return NotFound(text)
        case 409:
            return Conflict(text)
        case 403:
            where = "the policy's list of operators (docs/how-to/who.md)" if _BY_POLICY in text else "the operator's roles"
            return Denied(f"the Kubernetes API refuses {method} {path}: {text}; see {where}")
        case _ if status in _TRANSIENT:
            return Retryable(f"the Kubernetes API answers {status} to {method} {path}: {text}")
        case _:
            return Problem("KubernetesError", f"the Kubernetes API answers {status} to {method} {path}: {text}")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(data))
    except ValueError as error:
        # A proxy's error page, or a truncated response.
        raise _FaultError(f"an answer that is no JSON: {data[:100]!r}") from error


def _event(path: ApiPath, line: bytes) -> dict[str, Any]:
    """Parse a watch event. Raises Gone, or Retryable for any other error that the API server reports in a watch."""
    try:
        event = dict(json.loads(line))
    except ValueError as error:
        raise Retryable(f"the watch of {path} sent what is no JSON: {line[:100]!r}") from error
    if event.get("type") != "ERROR":
        return event
    status = event.get("object") or {}
    if status.get("code") == 410:
        raise Gone(str(status.get("message", ""))[:1000])
    raise Retryable(f"the watch of {path} ended with {status.get('code')}: {str(status.get('message', ''))[:1000]}")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Read Retry-After, which the API server gives in seconds (API priority and fairness); 0 if it is absent or not a number."""
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))[:1000]
    except (ValueError, AttributeError):
        return data[:200].decode(errors="replace")
