"""Both wires of the operator misbehave, to AWS and to the API server, by chance from a seed and for a bounded time."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from tests.proxies import ForwardingProxy, abort, server_of

_SHARE = 0.25
"""Of the requests, while a wire misbehaves."""
_STALL_S = 12.0
"""Longer than the operator waits for AWS, and shorter than it waits for what holds everything up."""
_MISBEHAVING_S = 20.0
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"

_REFUSED_WRITES = {
    403: ("Forbidden", "releases.ecs-release.dev is forbidden: User cannot patch resource releases/status"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
    422: ("Invalid", "Release.ecs-release.dev is invalid: status.conditions: Too many: 9: must have at most 8 items"),
}

Fault = Callable[["FaultyProxy", web.Request], Awaitable[web.StreamResponse]]


class FaultyProxy(ForwardingProxy):
    """Forwards most requests. `met` counts the faults that others met instead. `always` is what each request meets, while it is set."""

    def __init__(self, server: str, faults: Mapping[str, Fault], seed: int) -> None:
        super().__init__(server)
        self._faults, self._chance = faults, random.Random(seed)
        self.misbehaves = False
        self.always: Fault | None = None
        self.met: Counter[str] = Counter()
        self.keys: set[str] = set()
        """The access keys that requests were signed with."""
        self.refused: Mapping[str, Fault] = {}
        """Those that are not known any more, with what is answered to them."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        self.keys |= {key} - {""}
        if key in self.refused:
            self.met["a key that is not known any more"] += 1
            return await self.refused[key](self, request)
        if self.always is not None:
            return await self.always(self, request)
        if not self.misbehaves or self._chance.random() >= _SHARE:
            return await self.forward(request)
        name = self._chance.choice(sorted(self._faults))
        self.met[name] += 1
        return await self._faults[name](self, request)


def _refused(status: int, body: str, content_type: str = "application/json", **headers: str) -> Fault:
    async def fault(_: FaultyProxy, request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(
            status=status, text=body, content_type=content_type, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return fault


def _aws_error(status: int, code: str, message: str) -> Fault:
    return _refused(status, json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1", x_amzn_errortype=code)


def key_error(code: str, message: str, query_code: str) -> Fault:
    """Return what AWS says of an access key: in JSON, or in the XML of STS, where the error has another name."""
    text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{query_code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    json_error, xml_error = _aws_error(400, code, message), _refused(403, text, "text/xml")

    async def fault(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
        return await (json_error if "X-Amz-Target" in request.headers else xml_error)(proxy, request)

    return fault


def _kubernetes_error(code: int, reason: str, message: str, **headers: str) -> Fault:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}
    return _refused(code, json.dumps(status), **headers)


async def _reset(_: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """Nothing is carried out."""
    return abort(request)


async def _lost(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """It is carried out, and nobody is told."""
    async with proxy.asked(request):
        return abort(request)


async def _stalled(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """It is carried out, and the answer takes long."""
    async with proxy.asked(request):
        await asyncio.sleep(_STALL_S)
        return abort(request)


async def _half_open(_: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """Nobody reads the request, and the connection stays."""
    await asyncio.sleep(_STALL_S)
    return abort(request)


async def _truncated(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """It is carried out; the answer is whole for HTTP, and half for JSON."""
    async with proxy.asked(request) as answer:
        body = await _first(answer.content)
        return web.Response(status=answer.status, body=body[: len(body) // 2], content_type="application/json")


async def _ends_early(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """It is carried out; of the answer less comes than was announced."""
    async with proxy.asked(request) as answer:
        body = await _first(answer.content)
        response = web.StreamResponse(
            status=answer.status, headers={"Content-Type": "application/json", "Content-Length": str(len(body) + 9)}
        )
        await response.prepare(request)
        await response.write(body)
        return abort(request)


async def _other_clock(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """The answer is right, and its date is not."""
    async with proxy.asked(request) as answer:
        body = await answer.read()
        headers = {
            "Content-Type": answer.headers.get("Content-Type", ""),
            "Date": format_datetime(datetime.now(UTC) - timedelta(minutes=9), usegmt=True),
        }
        return web.Response(status=answer.status, body=body, headers=headers)


async def _first(content: asyncio.StreamReader) -> bytes:
    """Return what comes first of an answer: that of a watch has no end."""
    return await content.read(64 * 1024)


async def _gone(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
    """A watch is told that what it asks for is too old; other requests are gone through with."""
    if "watch=true" not in request.query_string and request.query.get("watch") not in ("1", "true", "True"):
        return await proxy.forward(request)
    event = {
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": 410,
            "reason": "Expired",
            "message": "too old resource version",
        },
    }
    return web.Response(text=json.dumps(event) + "\n", content_type="application/json")


def write_refused(code: int) -> Fault:
    """Return what is said to whoever writes: that somebody was faster, that it may not, or that the schema admits no such thing."""
    refused = _kubernetes_error(code, *_REFUSED_WRITES[code])

    async def fault(proxy: FaultyProxy, request: web.Request) -> web.StreamResponse:
        return await (refused(proxy, request) if request.method in ("PATCH", "PUT") else proxy.forward(request))

    return fault


_BOTH: Mapping[str, Fault] = {
    "connection reset": _reset, "answer lost": _lost, "stall": _stalled, "half-open connection": _half_open, "truncated JSON": _truncated,
    "end before its length": _ends_early, "HTML": _refused(502, _HTML, "text/html"),
}  # fmt: skip
AWS: Mapping[str, Fault] = MappingProxyType(
    {
        **_BOTH,
        "throttling": _aws_error(400, "ThrottlingException", "Rate exceeded"),
        "500": _aws_error(500, "ServerException", "Service Unavailable. Please try again later."),
        "503": _refused(503, "", "text/plain"),
        "expired credentials": _aws_error(400, "ExpiredTokenException", "The security token included in the request is expired"),
        "another clock": _other_clock,
        "clock refused": _aws_error(
            400, "InvalidSignatureException", "Signature expired: 20260504T1200Z is now earlier than 20260504T1205Z"
        ),
    }
)
KUBERNETES: Mapping[str, Fault] = MappingProxyType(
    {
        **_BOTH,
        "500": _kubernetes_error(500, "InternalError", "etcdserver: leader changed"),
        "503": _kubernetes_error(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
        "429": _kubernetes_error(429, "TooManyRequests", "too many requests, please try again later", Retry_After="1"),
        "401": _kubernetes_error(401, "Unauthorized", "Unauthorized"),
        "410": _gone,
        **{f"{code} to a write": write_refused(code) for code in _REFUSED_WRITES},
    }
)


class Wires:
    """Both wires."""

    def __init__(self, kubernetes: FaultyProxy, aws: FaultyProxy) -> None:
        self.kubernetes, self.aws = kubernetes, aws

    @property
    def aws_url(self) -> str:
        """Where AWS is to be asked."""
        return f"http://127.0.0.1:{self.aws.port}"

    def kubeconfig(self, of: Path) -> Path:
        """Write a KUBECONFIG that asks here."""
        return self.kubernetes.kubeconfig(of)

    def met(self) -> Counter[str]:
        """Return how often each fault was met."""
        return Counter(
            {
                f"{name}: {fault}": n
                for name, proxy in (("API server", self.kubernetes), ("AWS", self.aws))
                for fault, n in proxy.met.items()
            }
        )

    @contextmanager
    def kubernetes_always(self, fault: Fault) -> Iterator[None]:
        """Have each request to the API server meet a fault."""
        self.kubernetes.always = fault
        try:
            yield
        finally:
            self.kubernetes.always = None

    @contextmanager
    def misbehaving(self, seconds: float = _MISBEHAVING_S) -> Iterator[None]:
        """Let both misbehave for a while."""
        timer = threading.Timer(seconds, self._misbehave, [False])
        self._misbehave(True)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._misbehave(False)

    def _misbehave(self, does: bool) -> None:
        self.kubernetes.misbehaves = self.aws.misbehaves = does


@contextmanager
def wires(kubeconfig: Path, aws: str, seed: int = 0) -> Iterator[Wires]:
    """Run proxies before the API server of a KUBECONFIG and before AWS."""
    with FaultyProxy(server_of(kubeconfig), KUBERNETES, seed).running() as one, FaultyProxy(aws, AWS, seed + 1).running() as other:
        yield Wires(one, other)
