"""One HTTP client of the API server for everything: kubernetes.aio's, without its models (20 MB for the core API's alone)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, ApiException, Configuration

from ecs_release.domain.errors import Conflict, Denied, NotFound, Problem, Retryable

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_TOTAL_S = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=_TOTAL_S, sock_connect=5.0)
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class ApiServer:
    """The API server that a KUBECONFIG, or the pod's service account, leads to."""

    def __init__(self, client: ApiClient) -> None:
        """Use `connect` instead."""
        self._client = client

    @classmethod
    async def connect(cls, kubeconfig: str | None, user_agent: str) -> ApiServer:
        """Load the configuration: the given file, else KUBECONFIG, else the pod's service account. Raises ConfigException."""
        configuration = Configuration()
        path = kubeconfig or os.environ.get("KUBECONFIG")
        if path or not os.environ.get("KUBERNETES_SERVICE_HOST"):
            await kubernetes_config.load_kube_config(config_file=path, client_configuration=configuration)
        else:
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        client = ApiClient(configuration)
        client.user_agent = user_agent
        return cls(client)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Send one request and return the object.

        Raises NotFound (404), Conflict (409), Denied (401, 403), Retryable (429, 5xx, no connection, no answer in 30 s) and Problem for
        everything else.
        """
        try:
            parameters = await self._client.param_serialize(
                method=method,
                resource_path=path,
                query_params=list(query),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=None if body is None else dict(body),
                auth_settings=["BearerToken"],
            )
            async with asyncio.timeout(_TOTAL_S):
                answer = await self._client.call_api(*parameters, _request_timeout=_TIMEOUT)
                data: bytes = await answer.read() or b""
        except (aiohttp.ClientError, OSError, TimeoutError, ApiException) as error:
            raise Retryable(f"the Kubernetes API does not answer {method} {path}: {type(error).__name__} {error}") from error
        if answer.status >= 400:
            raise _problem(answer.status, method, path, data)
        return dict(json.loads(data))


def _problem(status: int, method: str, path: str, data: bytes) -> Exception:
    """Turn an HTTP status into the error that says what it means here."""
    text = _message(data)
    match status:
        case 404:
            return NotFound(text)
        case 409:
            return Conflict(text)
        case 401 | 403:
            return Denied(f"the Kubernetes API refuses {method} {path}: {text}; see the operator's ClusterRole")
        case _ if status in _TRANSIENT:
            return Retryable(f"the Kubernetes API answers {status} to {method} {path}: {text}")
        case _:
            return Problem("KubernetesError", f"the Kubernetes API answers {status} to {method} {path}: {text}")


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))[:1000]
    except (ValueError, AttributeError):
        return data[:200].decode(errors="replace")
