"""The API server, for the plugin: our kinds, read, watched and changed; what goes wrong is a CommandError of one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import urllib3

from ecs_release.api.names import API_VERSION, CLUSTER_SCOPED, GROUP, PLURALS, VERSION
from ecs_release.cli.kubectl.terminal.errors import CommandError, Conflict, Denied, Gone, NotFound, Unreachable

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.connection import Connection

Object = dict[str, Any]
Objects = list[Object]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "kubectl-ecs-release"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_PAGE = 500
_CONNECT_S, _READ_S = 10.0, 30.0
# Beyond what the server was asked to end a watch after, only a connection that broke without a word keeps us.
_WATCH_GRACE_S = 10.0
# Once more where no connection was made, and where the server says when to come again (429): somebody waits in front of it.
_RETRIES = urllib3.Retry(total=2, connect=1, read=1, redirect=0, backoff_factor=0.2, raise_on_status=False)


class Api:
    """One API server, spoken to as one user."""

    def __init__(self, connection: Connection, user_agent: str, timeout_s: float | None = None, *, verbose: bool = False) -> None:
        """`timeout_s` is how long a request may take; None: as the module thinks fit, 0: for ever."""
        # Whoever wants a flag completed, or read the help of a command, need not wait for this.
        from kubernetes.client.rest import RESTClientObject

        self._configuration = connection.configuration
        self._host = connection.configuration.host
        self._pool = RESTClientObject(connection.configuration).pool_manager
        self._impersonation = connection.impersonation
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._verbose = verbose

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    # Our kinds.

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Read an object. Raises NotFound."""
        return self.request("GET", path_of(kind, namespace, name))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Read an object; None where there is none."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Objects:
        """List objects of a namespace (empty: of all). `labels` and `fields` are selectors."""
        return self.list_at(path_of(kind, namespace), labels=labels, fields=fields)[0]

    def list_at(self, path: str, *, labels: str = "", fields: str = "") -> tuple[Objects, str]:
        """List what is at a path, in pages; returns it with the resourceVersion to watch from."""
        found: Objects = []
        query = [("limit", str(_PAGE)), *_selectors(labels, fields)]
        token = ""
        while True:
            page = self.request("GET", path, query=[*query, *([("continue", token)] if token else [])])
            kind = str(page.get("kind", "")).removesuffix("List")
            # Items of a list do not say what they are; alone they must.
            found += [{"apiVersion": page.get("apiVersion"), "kind": kind, **item} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return found, str(page.get("metadata", {}).get("resourceVersion") or "")

    def table(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Object:
        """List objects as the server's own Table: the columns are those that `kubectl get` shows."""
        return self.request("GET", path_of(kind, namespace), query=_selectors(labels, fields), accept=_TABLE)

    def patch(
        self, kind: str, name: str, namespace: str, body: Mapping[str, Any], *, content_type: str = MERGE, dry_run: bool = False
    ) -> Object:
        """Patch an object: a merge patch unless said otherwise. With `dry_run` the server checks it, and keeps nothing."""
        query = [("fieldManager", FIELD_MANAGER), *_dry(dry_run=dry_run)]
        return self.request("PATCH", path_of(kind, namespace, name), query=query, body=body, content_type=content_type)

    def apply(self, body: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> Object:
        """Apply an object of ours (server-side apply). Raises Conflict where somebody else owns a field, unless `force`."""
        meta = body["metadata"]
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower()), *_dry(dry_run=dry_run)]
        path = path_of(body["kind"], meta.get("namespace") or "", meta["name"])
        return self.request("PATCH", path, query=query, body=body, content_type=APPLY)

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Replace an object of ours by what is given."""
        meta = body["metadata"]
        path = path_of(body["kind"], meta.get("namespace") or "", meta["name"])
        return self.request("PUT", path, query=_dry(dry_run=dry_run), body=body)

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create an object of ours."""
        path = path_of(body["kind"], body["metadata"].get("namespace") or "")
        return self.request("POST", path, query=_dry(dry_run=dry_run), body=body)

    def watch(self, path: str, version: str, timeout_s: float, *, labels: str = "", fields: str = "") -> Iterator[Object]:
        """Watch what is at a path from a resourceVersion on, for at most some seconds; yields the server's watch events.

        Ends when the server, or a broken connection, ends it: then go on from the last resourceVersion seen. Raises Gone where that is too
        old: then list again.
        """
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(max(1, int(timeout_s)))),
            ("allowWatchBookmarks", "true"),
            *_selectors(labels, fields),
        ]
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=timeout_s + _WATCH_GRACE_S)
        answer = self._send("GET", path, query, None, "application/json", "application/json", timeout)
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    raise _problem(int(event["object"].get("code") or 0), str(event["object"].get("message", "")), path)
                yield event
        except (urllib3.exceptions.HTTPError, ValueError, OSError):
            return
        finally:
            answer.close()

    # Everything else.

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """Send a request and return the answer. Raises CommandError, as NotFound, Denied, Conflict, Gone or Unreachable where it is one."""
        read_s = _READ_S if self._timeout_s is None else (self._timeout_s or None)
        timeout = urllib3.Timeout(connect=min(_CONNECT_S, read_s or _CONNECT_S), read=read_s)
        answer = self._send(method, path, query, body, content_type, accept, timeout)
        try:
            data = answer.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            answer.release_conn()
        try:
            return dict(json.loads(data))
        except ValueError as error:
            raise Unreachable(f"{self._host} answers {path} with no JSON: is it a Kubernetes API server? {data[:80]!r}") from error

    def _send(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None,
        content_type: str, accept: str, timeout: urllib3.Timeout,
    ) -> urllib3.BaseHTTPResponse:  # fmt: skip
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = urllib3.HTTPHeaderDict({"Accept": accept, "User-Agent": self._user_agent})
        authorization = self._configuration.get_api_key_with_prefix("BearerToken")
        if authorization:
            headers["Authorization"] = authorization
        for name, value in self._impersonation:
            headers.add(name, value)
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        try:
            answer = self._pool.request(method, url, headers=headers, body=data, timeout=timeout, retries=_RETRIES, preload_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if self._verbose:
            print(f"{method} {url} {answer.status}", file=sys.stderr)
        if answer.status >= 400:
            text = answer.read()
            answer.release_conn()
            raise _problem(answer.status, _message(text), path)
        return answer

    def _unreachable(self, error: Exception) -> CommandError:
        cause = getattr(error, "reason", None) or error
        text = str(cause).partition(": ")[2] or str(cause)
        return Unreachable(f"cannot reach the API server {self._host}: {text}; check the context and the network")


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of our kind's objects: of all, of a namespace, or of one."""
    place = f"/namespaces/{quote(namespace)}" if namespace and kind not in CLUSTER_SCOPED else ""
    return f"/apis/{GROUP}/{VERSION}{place}/{PLURALS[kind]}" + (f"/{quote(name)}" if name else "")


def is_ours(body: Mapping[str, Any]) -> bool:
    """Tell whether an object is of one of our kinds."""
    return body.get("apiVersion") == API_VERSION and body.get("kind") in PLURALS


def _selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (("labelSelector", labels), ("fieldSelector", fields)) if value]


def _dry(*, dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Cut a stream into its lines, each as soon as it is whole."""
    left = b""
    while chunk := answer.read1():
        *whole, left = (left + chunk).split(b"\n")
        yield from (line for line in whole if line)


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message") or "")
    except (ValueError, AttributeError):
        return data[:200].decode(errors="replace")


_ERRORS: dict[int, type[CommandError]] = {403: Denied, 404: NotFound, 409: Conflict, 410: Gone}
_PASSING = frozenset({429, 500, 502, 503, 504})


def _problem(status: int, text: str, path: str) -> CommandError:
    """Turn an HTTP status into the error that says what it means for whoever typed the command."""
    if status == 401:
        return Denied(f"the API server does not know you ({text}): log in again, or choose another --context or --user")
    if status == 404 and not text.endswith("not found"):
        kind = path.removeprefix(f"/apis/{GROUP}/{VERSION}/").rpartition("/")[2]
        return NotFound(f"the cluster does not serve {kind}.{GROUP}: install the CRDs there, or choose another --context")
    if status in _PASSING:
        return Unreachable(f"the API server answers {status}: {text}; try again in a moment")
    return _ERRORS.get(status, CommandError)(text or f"the API server answers {status} to {path}")
