"""In front of moto: logs every call, and lets faults, denials, throttling and expired credentials happen, worded as AWS does.

Its own control API is under /simulator/ (see `control`).
"""

from __future__ import annotations

import io
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.utils import camelcase_to_underscores

from tests.aws_simulator import events, used
from tests.aws_simulator.control import Control
from tests.aws_simulator.ecr.responses import SimulatedEcrResponse
from tests.aws_simulator.ecs.quick import describe_services
from tests.aws_simulator.ecs.responses import SimulatedEcsResponse
from tests.aws_simulator.faults import Call, Fault
from tests.aws_simulator.request import THROTTLED, Refusal, Request, access_denied, expired, role_denied
from tests.aws_simulator.world import WORLD

_ASSUMING = ("AssumeRole", "AssumeRoleWithWebIdentity")
_UNKNOWN_ACTION = Refusal("UnknownOperationException", "", 400)
_POLL_S = 0.1
_INTERNAL = Refusal("InternalFailure", "The simulator failed: see its log.", 500)


class Simulator:
    """The WSGI application."""

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        """`moto` answers what nothing here answers."""
        self._moto = moto
        self._control = Control()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.get("PATH_INFO", "").startswith("/simulator/"):
            return self._control(environ, body, start_response)
        if WORLD.faults.latency_s:
            time.sleep(WORLD.faults.latency_s)
        with WORLD.lock:
            request = Request(environ, body)
            used.note(request)
            refusal = _refusal(request)
            fault = None if refusal else WORLD.faults.fault_for(request.account, request.action, request.parameters)
            call = WORLD.faults.record(
                time=WORLD.clock.now(), account=request.account, region=request.region, service=request.service, action=request.action,
                caller=request.caller, parameters=request.parameters, user_agent=request.user_agent,
            )  # fmt: skip
        if refusal is not None:
            return _refuse(refusal, request, call, start_response)
        if fault is None or fault.kind == "delay":
            time.sleep(fault.seconds if fault is not None else 0.0)
            return self._answer(environ, start_response, request, call)
        return self._fail(environ, start_response, request, call, fault)

    def _fail(
        self, environ: dict[str, Any], start_response: Callable[..., Any], request: Request, call: Call, fault: Fault
    ) -> Iterable[bytes]:
        if fault.kind in ("lost", "lost-error"):
            self._ask_moto(environ, request)
        if fault.kind in ("error", "lost-error"):
            return _refuse(Refusal(fault.code, fault.message, fault.status, fault.more), request, call, start_response)
        if fault.kind == "answer":
            call.error = "answered otherwise"
            body = fault.body.encode()
            start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))])
            return [body]
        call.error = "lost answer" if fault.kind == "lost" else "dropped"
        return _drop(environ)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any], request: Request, call: Call) -> Iterable[bytes]:
        status, headers, answer = self._poll(environ, request) if request.action == "ReceiveMessage" else self._ask_moto(environ, request)
        if not status.startswith("2"):
            call.error = next((v.partition(":")[0] for k, v in headers if k.lower() == "x-amzn-errortype"), status)
        if status.startswith("500") and request.is_json and not answer.startswith(b"{"):
            return _refuse(_moto_failed(request), request, call, start_response)
        name = WORLD.switches.unknown_task_definition_field
        if name and request.action == "DescribeTaskDefinition" and status.startswith("2"):
            data = json.loads(answer)
            data["taskDefinition"][name] = {"new": True}
            answer = json.dumps(data).encode()
        if call.mutating and request.service in ("ecs", "ecr"):
            _tell_cloudtrail(request, answer, call.error)
        kept = [(k, v) for k, v in headers if k.lower() != "content-length"]
        if not any(k.lower() in ("x-amzn-requestid", "x-amz-request-id") for k, _ in kept):
            kept.append(("x-amzn-RequestId", str(uuid.uuid4())))
        start_response(status, [*kept, ("Content-Length", str(len(answer)))])
        return [answer]

    def _poll(self, environ: dict[str, Any], request: Request) -> tuple[str, list[tuple[str, str]], bytes]:
        """Wait for messages without holding up everybody else: moto would wait with all locks held."""
        until = time.monotonic() + float(request.parameters.get("WaitTimeSeconds") or 0)
        body = json.dumps({**request.parameters, "WaitTimeSeconds": 0}).encode()
        while True:
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            answer = self._ask_moto(environ, request)
            if b'"Messages"' in answer[2] or not answer[0].startswith("2") or time.monotonic() >= until:
                return answer
            time.sleep(_POLL_S)

    def _ask_moto(self, environ: dict[str, Any], request: Request) -> tuple[str, list[tuple[str, str]], bytes]:
        begun: list[Any] = []
        with WORLD.lock:
            quick = describe_services(request) if request.service == "ecs" else None
            if quick is not None:
                return "200 OK", [("Content-Type", "application/x-amz-json-1.1")], quick
            try:
                answer = b"".join(self._moto(environ, lambda *given: begun.__setitem__(slice(None), given)))
            except Exception as error:
                print(f"aws simulator: {request.service}:{request.action}: {type(error).__name__}: {error}", file=sys.stderr)
                return "500 Error", [], type(error).__name__.encode()
        return begun[0], list(begun[1]), answer


def _tell_cloudtrail(request: Request, answer: bytes, error: str) -> None:
    with WORLD.lock:
        events.emit_call(
            request.account, request.region, request.service, request.action, request.caller, request.user_agent, request.parameters,
            {} if error else json.loads(answer or b"{}"), error,
        )  # fmt: skip


def _refuse(refusal: Refusal, request: Request, call: Call, start_response: Callable[..., Any]) -> Iterable[bytes]:
    call.error = refusal.code
    return refusal.answer(request, start_response)


def _moto_failed(request: Request) -> Refusal:
    """moto answers an operation that it does not have with a page of HTML; AWS never does."""
    responses = {"ecs": SimulatedEcsResponse, "ecr": SimulatedEcrResponse}.get(request.service)
    if responses is not None and not hasattr(responses, camelcase_to_underscores(request.action)):
        return _UNKNOWN_ACTION
    print(f"aws simulator: {request.service}:{request.action} failed in moto", file=sys.stderr)
    return _INTERNAL


def _refusal(request: Request) -> Refusal | None:
    faults = WORLD.faults
    if request.expired:
        return expired(request)
    if request.action in _ASSUMING:
        role = str(request.parameters.get("RoleArn", ""))
        needed = faults.external_ids.get(role) if request.action == "AssumeRole" else None
        wrong = needed is not None and request.parameters.get("ExternalId") != needed
        if wrong or not faults.knows(role) or faults.denied("", request.action, role, request.parameters):
            return role_denied(request)
    elif faults.denied(request.account, request.action, request.caller, request.parameters):
        return access_denied(request)
    if request.service in ("ecs", "ecr") and not WORLD.throttling.admits(request.account, request.region, request.action, time.time()):
        return THROTTLED
    return None


def _drop(environ: dict[str, Any]) -> Iterable[bytes]:
    """Close the connection without an answer."""
    sock = environ.get("werkzeug.socket")
    if sock is not None:
        sock.shutdown(2)
    raise ConnectionAbortedError("the simulator dropped this connection")
