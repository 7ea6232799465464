"""One HTTP client of the API server for everything: kubernetes.aio's, without its models (20 MB for the core API's alone)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, Configuration

from ecs_release.cluster.connection import Credentials, credentials_of, load
from ecs_release.cluster.request_body import for_apply
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, Problem, Retryable
from ecs_release.domain.ports.protocols import Fence

# With the parameter, which the API server ignores, the client lets a body pass that is bytes already; without it, it writes JSON itself.
APPLY = "application/apply-patch+yaml; charset=utf-8"
MERGE = "application/merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_ATTEMPTS, _FIRST_PAUSE_S = 4, 0.25
_DEADLINE_S = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)
# 410: the continue token of a LIST is too old, begin anew. The others as in client-go's rest/with_retry.go, and a server that goes down.
_TRANSIENT = frozenset({410, 429, 500, 502, 503, 504})
_AGAIN = _TRANSIENT - {410}


class _FaultError(Exception):
    """A request that may do better in a moment; `after_s` is what the server asks for."""

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class _UnauthorizedError(Exception):
    """The API server does not know the credentials (any more)."""


class ApiServer:
    """The API server that a KUBECONFIG, or the pod's service account, leads to."""

    def __init__(self, configuration: Configuration, kubeconfig: str | None, user_agent: str) -> None:
        """Use `connect` instead."""
        self._configuration = configuration
        self._kubeconfig = kubeconfig
        self._user_agent = user_agent
        self._client = self._new_client()
        self._renewing = asyncio.Lock()
        self.fence: Fence | None = None

    @classmethod
    async def connect(cls, kubeconfig: str | None, user_agent: str) -> ApiServer:
        """Load the configuration: the given file, else KUBECONFIG, else the pod's service account. Raises ConfigException."""
        return cls(await load(kubeconfig), kubeconfig, user_agent)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def credentials(self) -> Credentials:
        """Return how to log in now, for others that talk to the same API server."""
        return await credentials_of(self._configuration)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        fenced: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the object.

        Whatever changes something passes the fence, each time that it is sent; only the Lease itself is written without (`fenced`).

        Faults that pass (429 after the time that the server asks for, 5xx, no connection, no answer in 10 s) are tried again up to three
        times within 30 s, so a request must be one that may be repeated. Raises NotFound (404), Conflict (409), Denied (401, 403),
        NotLeading, Retryable (what did not pass), and Problem for everything else.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DEADLINE_S
        renewed = False
        for attempt in range(1, _ATTEMPTS + 1):
            client = self._client
            try:
                return await self._once(client, method, path, query, body, content_type, accept, fenced=fenced)
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

    async def _once(
        self, client: ApiClient, method: str, path: str, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None,
        content_type: str, accept: str, *, fenced: bool,
    ) -> dict[str, Any]:  # fmt: skip
        try:
            parameters = await client.param_serialize(
                method=method,
                resource_path=path,
                query_params=list(query),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=None if body is None else for_apply(body) if content_type == APPLY else dict(body),
                auth_settings=["BearerToken"],
            )
            # As late as can be: the process may have been paused at any line before.
            if fenced and self.fence is not None and method != "GET":
                self.fence.check(f"{method} {path}")
            answer = await client.call_api(*parameters, _request_timeout=_TIMEOUT)
            data: bytes = await answer.read() or b""
            headers: Mapping[str, str] = answer.headers
        # RuntimeError: the session was closed under us, because the credentials were renewed.
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError, ApiException) as error:
            raise _FaultError(f"{type(error).__name__} {error}") from error
        if answer.status < 400:
            return _parsed(data)
        if answer.status in _AGAIN:
            raise _FaultError(f"{answer.status} {_message(data)}", _retry_after_s(headers))
        if answer.status == 401:
            raise _UnauthorizedError(_message(data))
        raise _problem(answer.status, method, path, data)

    async def _renew(self, refused: ApiClient) -> None:
        """Load credentials anew, unless somebody has done so since this client was refused. Raises Retryable."""
        async with self._renewing:
            if self._client is not refused:
                return
            try:
                self._configuration = await load(self._kubeconfig)
            except Exception as error:
                raise Retryable(f"cannot renew the credentials for the Kubernetes API: {error}") from error
            self._client = self._new_client()
            await refused.close()

    def _new_client(self) -> ApiClient:
        client = ApiClient(self._configuration)
        client.user_agent = self._user_agent
        return client


_BY_POLICY = "ValidatingAdmissionPolicy"
"""What the API server's message begins with where a policy refuses (KEP-3488)."""


def _problem(status: int, method: str, path: str, data: bytes) -> Exception:
    """Turn an HTTP status into the error that says what it means here."""
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
        # A proxy's page, or an answer cut short.
        raise _FaultError(f"an answer that is no JSON: {data[:100]!r}") from error


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Read Retry-After, which the API server gives in seconds (API priority and fairness); 0 where it is not there or no number."""
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))[:1000]
    except (ValueError, AttributeError):
        return data[:200].decode(errors="replace")
