"""Client of the API server: reads, watches and changes our kinds; errors are CommandErrors of one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3

from ecs_release.api.names import API_VERSION, CLUSTER_SCOPED, GROUP, PLURALS
from ecs_release.cli.kubectl.terminal.errors import CommandError, Conflict, Denied, Gone, NotFound, Unreachable
from ecs_release.domain.model.api_paths import ApiPath, all_objects, object_path, objects_in
from ecs_release.domain.model.errors import NotFound as NoSuchName
from ecs_release.domain.model.page_size import PageSize

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.connection import Connection

Object = dict[str, Any]
Objects = list[Object]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "kubectl-ecs-release"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_READ = (f"{GROUP}/", "argocd.argoproj.io/", "meta.helm.sh/")
"""Beginnings of the annotations that commands read of listed objects."""
_CONNECT_S, _READ_S = 10.0, 30.0
# The server ends a watch in time; a read that takes this much longer means a broken connection.
_WATCH_GRACE_S = 10.0
# One retry if no connection was made, or if the server sends Retry-After (429): the user is waiting.
_RETRIES = urllib3.Retry(total=2, connect=1, read=1, redirect=0, backoff_factor=0.2, raise_on_status=False)


class Api:
    """A client of one API server as one user."""

    def __init__(
        self, connection: Connection, user_agent: str, timeout_s: float | None = None, log: Callable[[str], None] | None = None
    ) -> None:
        """`timeout_s` is how long a request may take; None means the module's default, 0 no limit. `log` is told of each request."""
        # Imported lazily: completion and --help do not need it.
        from kubernetes.client.rest import RESTClientObject

        self._configuration = connection.configuration
        self._host = connection.configuration.host
        self._pool = RESTClientObject(connection.configuration).pool_manager
        self._impersonation = connection.impersonation
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._log = log

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    # Our kinds.

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Read an object. Raises NotFound."""
        return self.request("GET", path_of(kind, namespace, name))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Read an object; None if it does not exist."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Objects:
        """List objects of a namespace (empty: of all). `labels` and `fields` are selectors."""
        return self.list_at(path_of(kind, namespace), labels=labels, fields=fields)[0]

    def list_at(self, path: ApiPath, *, labels: str = "", fields: str = "") -> tuple[Objects, str]:
        """List the objects at a path, in pages; returns them with the resourceVersion to watch from.

        Annotations that no command reads are left out: they may be large.
        """
        found: Objects = []
        size, token = PageSize(), ""
        while True:
            query = [("limit", str(size.limit)), *_selectors(labels, fields), *([("continue", token)] if token else [])]
            data = self._read("GET", path, query=query, most_bytes=size.most_bytes)
            if data is None:
                if size.limit == 1:
                    raise CommandError(f"an object at {path} has more than {size.most_bytes} bytes")
                size.exceeded()
                continue
            page = self._parsed(data, path)
            size.seen(len(page.get("items") or ()), len(data))
            kind = str(page.get("kind", "")).removesuffix("List")
            # Items of a list have no apiVersion and kind; on their own they need them.
            found += [{"apiVersion": page.get("apiVersion"), "kind": kind, **_trimmed(item)} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return found, str(page.get("metadata", {}).get("resourceVersion") or "")

    def table(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Object:
        """List objects as the server's Table, with the columns of `kubectl get`."""
        return self.request("GET", path_of(kind, namespace), query=_selectors(labels, fields), accept=_TABLE)

    def patch(
        self, kind: str, name: str, namespace: str, body: Mapping[str, Any], *, content_type: str = MERGE, dry_run: bool = False
    ) -> Object:
        """Patch an object, by default with a merge patch. With `dry_run` the server validates it only."""
        query = [("fieldManager", FIELD_MANAGER), *_dry(dry_run=dry_run)]
        return self.request("PATCH", path_of(kind, namespace, name), query=query, body=body, content_type=content_type)

    def apply(self, body: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> Object:
        """Apply an object of our kinds (server-side apply). Raises Conflict if somebody else owns a field, unless `force`."""
        meta = body["metadata"]
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower()), *_dry(dry_run=dry_run)]
        path = path_of(body["kind"], meta.get("namespace") or "", meta["name"])
        return self.request("PATCH", path, query=query, body=body, content_type=APPLY)

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Replace an object of our kinds."""
        meta = body["metadata"]
        path = path_of(body["kind"], meta.get("namespace") or "", meta["name"])
        return self.request("PUT", path, query=_dry(dry_run=dry_run), body=body)

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create an object of our kinds."""
        path = path_of(body["kind"], body["metadata"].get("namespace") or "")
        return self.request("POST", path, query=_dry(dry_run=dry_run), body=body)

    def watch(self, path: ApiPath, version: str, timeout_s: float, *, labels: str = "", fields: str = "") -> Iterator[Object]:
        """Watch the objects at a path from a resourceVersion on, for at most `timeout_s`; yields the server's watch events.

        Ends when the server, or a broken connection, ends it: then go on from the last resourceVersion seen. Raises Gone if that is too
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
        path: ApiPath,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """Send a request and return the response. Raises CommandError: NotFound, Denied, Conflict, Gone or Unreachable if it is one."""
        return self._parsed(self._read(method, path, query=query, body=body, content_type=content_type, accept=accept) or b"", path)

    def _read(
        self, method: str, path: ApiPath, *, query: Sequence[tuple[str, str]] = (), body: Mapping[str, Any] | None = None,
        content_type: str = "application/json", accept: str = "application/json", most_bytes: int | None = None,
    ) -> bytes | None:  # fmt: skip
        """Send a request and return the body of the response; None if it has more than `most_bytes`: the rest is not read then."""
        read_s = _READ_S if self._timeout_s is None else (self._timeout_s or None)
        timeout = urllib3.Timeout(connect=min(_CONNECT_S, read_s or _CONNECT_S), read=read_s)
        answer = self._send(method, path, query, body, content_type, accept, timeout)
        try:
            data = answer.read(None if most_bytes is None else most_bytes + 1)
            if most_bytes is not None and len(data) > most_bytes:
                answer.close()
                return None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            answer.release_conn()
        return data

    def _parsed(self, data: bytes, path: ApiPath) -> Object:
        try:
            return dict(json.loads(data))
        except (ValueError, TypeError) as error:
            raise Unreachable(f"{self._host} answers {path} with no JSON: is it a Kubernetes API server? {data[:80]!r}") from error

    def _send(
        self, method: str, path: ApiPath, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None,
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
        except ValueError as error:
            # The error shows the header, which may be a credential.
            raise CommandError("a header cannot be sent: the token, or whom to act as, has characters that HTTP does not admit") from error
        if self._log is not None:
            self._log(f"{method} {url} {answer.status}")
        if answer.status >= 400:
            text = answer.read()
            answer.release_conn()
            raise _problem(answer.status, _message(text), path)
        return answer

    def _unreachable(self, error: Exception) -> CommandError:
        cause = getattr(error, "reason", None) or error
        text = str(cause).partition(": ")[2] or str(cause)
        return Unreachable(f"cannot reach the API server {self._host}: {text}; check the context and the network")


def path_of(kind: str, namespace: str = "", name: str = "") -> ApiPath:
    """Return the API path of all objects of a kind, of those in a namespace, or of one. Raises NotFound for what cannot be a name."""
    try:
        if name:
            return object_path(kind, namespace, name)
        return objects_in(kind, namespace) if namespace and kind not in CLUSTER_SCOPED else all_objects(kind)
    except NoSuchName as error:
        raise NotFound(str(error)) from error


def is_ours(body: Mapping[str, Any]) -> bool:
    """Return whether an object is of one of our kinds."""
    return body.get("apiVersion") == API_VERSION and body.get("kind") in PLURALS


def _trimmed(item: Object) -> Object:
    meta = item.get("metadata") or {}
    annotations = {name: text for name, text in (meta.get("annotations") or {}).items() if name.startswith(_READ)}
    return {**item, "metadata": {**meta, "annotations": annotations}} if "annotations" in meta else item


def _selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (("labelSelector", labels), ("fieldSelector", fields)) if value]


def _dry(*, dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a stream, each as soon as it is complete."""
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


def _problem(status: int, text: str, path: ApiPath) -> CommandError:
    """Return the error for an HTTP status, with what the user can do about it."""
    if status == 401:
        return Denied(f"the API server does not know you ({text}): log in again, or choose another --context or --user")
    if status == 404 and not text.endswith("not found"):
        kind = path.segments[-1]
        return NotFound(f"the cluster does not serve {kind}.{GROUP}: install the CRDs there, or choose another --context")
    if status in _PASSING:
        return Unreachable(f"the API server answers {status}: {text}; try again in a moment")
    return _ERRORS.get(status, CommandError)(text or f"the API server answers {status} to {path}")
